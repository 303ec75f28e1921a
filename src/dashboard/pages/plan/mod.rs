//! Pages about time: a month, a day.

pub(in crate::dashboard) mod calendar;
pub(in crate::dashboard::pages) mod days;
pub(in crate::dashboard) mod timeline;
