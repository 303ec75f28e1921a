//! Pages about time: a month, a day.

pub(in crate::dashboard) mod calendar;
mod days;
pub(in crate::dashboard) mod timeline;
