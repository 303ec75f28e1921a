//! Alerts: the rules of a task for telling people about its runs, as a user writes them.
//!
//! A [`Rule`] names a channel of the server's settings and the occasions on which a message goes there.
//! `domain::step` decides by the rules, in the step that makes an occasion true; the room `alerts`
//! delivers the messages.

mod rule;

pub use self::rule::{
    LATE, LONGEST_CHANNEL, MOST_RULES, Occasion, Rule, SLOW, Slow, is_channel_name, read_rules,
};
