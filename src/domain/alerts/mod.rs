//! Alerts: who hears of the runs of a task, and of which.
//!
//! A [`Rule`] of a task names a channel of the server's settings and the occasions on which a message goes
//! there. `domain::step` decides by the rules, in the step that makes an occasion true: it keeps the task's
//! [`Alarms`] and adds an [`Alert`] for each message. The store keeps every alert as a [`Delivery`] in the
//! same change. The room `alerts` delivers them.

mod alarms;
mod alert;
mod channel;
mod delivery;
mod quiet;
mod rule;

use std::collections::BTreeMap;

pub use self::{
    alarms::{Alarms, Firing, PausedBy},
    alert::{Alert, AlertId, Cause, Kind, LONGEST_ERROR, Subject, cut},
    channel::{AlertConfig, BATCH, Channel, Given, MOST_PER_HOUR, Target},
    delivery::{Attempt, Delivery, State},
    quiet::{DAYS, Quiet},
    rule::{
        LATE, LONGEST_CHANNEL, MOST_RULES, Occasion, Rule, SHORTEST_REMINDER, SLOW, Slow, YEAR,
        is_channel_name,
    },
};

/// The part of the server's settings by which `domain::step` decides about alerts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlertSettings {
    /// The rules of tasks without their own (`alerts.default`).
    pub default: Vec<Rule>,
    /// The channels that take beats instead of messages.
    pub heartbeats: BTreeMap<String, Beats>,
}

/// The beats of a heartbeat channel besides that of a success.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beats {
    /// Whether it hears of starts.
    pub start: bool,
    /// Whether it hears of failed occurrences.
    pub fail: bool,
}

impl AlertSettings {
    /// The rules in force for a task with these `own` ones.
    #[must_use]
    pub fn rules<'a>(&'a self, own: Option<&'a [Rule]>) -> &'a [Rule] {
        own.unwrap_or(&self.default)
    }

    /// The rules in force for a task, as far as they send messages. A heartbeat channel takes beats alone: of its
    /// rule only a pause after failures is left.
    pub(in crate::domain) fn rules_of_messages(&self, own: Option<&[Rule]>) -> Vec<Rule> {
        let mut rules = self.rules(own).to_vec();
        for rule in rules.iter_mut().filter(|rule| self.heartbeats.contains_key(&rule.channel)) {
            rule.on.retain(|occasion| rule.auto_pause && *occasion == Occasion::Failure);
        }
        rules
    }
}
