//! Lengths of time, and the last moment, in milliseconds.

use super::Millis;

/// A second.
pub const SECOND: Millis = 1000;
/// A minute.
pub const MINUTE: Millis = 60 * SECOND;
/// An hour.
pub const HOUR: Millis = 60 * MINUTE;
/// 24 hours.
pub const DAY: Millis = 24 * HOUR;
/// The end of the year 9999, where the calendar of schedules ends.
pub const LATEST: Millis = 253_402_300_799_999;
