//! Figures: the totals of records, which reveal a loss, and the activity of the present minute.

mod activity;
pub(crate) mod totals;
