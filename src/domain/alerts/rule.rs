//! Rules: which messages a channel gets about a task.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Millis,
    time::{DAY, HOUR},
};

/// The most rules of one task.
pub const MOST_RULES: usize = 10;
/// The longest name of a channel, in characters.
pub const LONGEST_CHANNEL: usize = 40;
/// The lateness that [`Occasion::Late`] tells of where a rule names none, in milliseconds.
pub const LATE: Millis = 60_000;
/// The bounds of [`Occasion::Slow`] where a rule names none.
pub const SLOW: Slow = Slow { factor: 3.0, floor: 60_000 };

/// The shortest time between two reminders, in milliseconds.
pub const SHORTEST_REMINDER: Millis = HOUR;
/// The longest time in a rule, in milliseconds.
pub const YEAR: Millis = 366 * DAY;

/// The messages that one channel gets about a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The name of a channel in the server's settings.
    pub channel: String,
    /// The occasions, each once.
    pub on: Vec<Occasion>,
    /// Failed occurrences (skipped ones, for [`Occasion::Skipped`]) in a row before the first message,
    /// 1 to 100.
    pub after: u32,
    /// Whether the message of a failure pauses the task.
    pub auto_pause: bool,
    /// Milliseconds between two messages about a failure or a silence that lasts: an hour or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_every: Option<Millis>,
    /// The lateness, in milliseconds, from which a start is late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Millis>,
    /// The bounds from which a run is slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<Slow>,
    /// Milliseconds without a success from which a success is missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<Millis>,
}

/// An occasion for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// So many occurrences in a row have failed, all their attempts used up.
    Failure,
    /// The first success after the message of a failure or of a silence.
    Recovery,
    /// A recurring task has stopped (`onExhausted: "stop"`).
    Exhausted,
    /// So many occurrences in a row were skipped.
    Skipped,
    /// A run has started late.
    Late,
    /// A run in progress takes far longer than usual.
    Slow,
    /// No run has succeeded for a while.
    Missed,
}

impl Occasion {
    /// All occasions, in the order of the documentation.
    pub const ALL: [Self; 7] =
        [Self::Failure, Self::Recovery, Self::Exhausted, Self::Skipped, Self::Late, Self::Slow, Self::Missed];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Recovery => "recovery",
            Self::Exhausted => "exhausted",
            Self::Skipped => "skipped",
            Self::Late => "late",
            Self::Slow => "slow",
            Self::Missed => "missed",
        }
    }
}

/// From when a run is slow: beyond `factor` times the 95th percentile of the runs known, and never
/// before `floor`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slow {
    /// 1 to 100.
    pub factor: f64,
    /// Milliseconds.
    pub floor: Millis,
}

impl Rule {
    /// Whether the channel hears of an occasion.
    #[must_use]
    pub fn tells(&self, occasion: Occasion) -> bool {
        self.on.contains(&occasion)
    }
}

/// Whether a text is a name that a channel may have: letters, digits, `-` and `_`.
#[must_use]
pub fn is_channel_name(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=LONGEST_CHANNEL).contains(&text.len()) && text.bytes().all(is_part)
}
