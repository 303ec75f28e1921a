//! Held messages: what is left to tell when quiet hours or a mute are over. Pure.

use std::collections::BTreeSet;

use super::message::clock;
use crate::domain::alerts::{AlertId, Delivery, Kind};

/// What is left of held messages.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Left {
    /// The messages that are still true, oldest first.
    pub(super) messages: Vec<Delivery>,
    /// A line for each occasion that came and went meanwhile.
    pub(super) over: Vec<String>,
}

/// Joins each recovery with its failure, and drops reminders of messages that are told now or over.
pub(super) fn release(held: Vec<Delivery>) -> Left {
    let ids: BTreeSet<AlertId> = held.iter().map(|delivery| delivery.alert.id).collect();
    let recovered: BTreeSet<AlertId> = held
        .iter()
        .filter(|delivery| delivery.alert.kind == Kind::Recovery)
        .filter_map(|delivery| delivery.alert.follows)
        .collect();
    let mut reminded: BTreeSet<AlertId> = BTreeSet::new();
    let mut left = Left::default();
    // The newest reminder of several counts.
    for delivery in held.into_iter().rev() {
        let alert = &delivery.alert;
        let first = alert.follows.filter(|first| ids.contains(first));
        match (alert.kind, first) {
            (Kind::Recovery, Some(_)) => left.over.push(line(&delivery)),
            _ if recovered.contains(&alert.id) => {}
            _ if alert.reminder => {
                let Some(of) = alert.follows else { continue };
                let is_over = first.is_some() || recovered.contains(&of);
                if !is_over && reminded.insert(of) {
                    left.messages.push(delivery);
                }
            }
            _ => left.messages.push(delivery),
        }
    }
    left.messages.reverse();
    left.over.reverse();
    left
}

fn line(recovery: &Delivery) -> String {
    let alert = &recovery.alert;
    let name = alert.task.as_ref().map_or("isochron", |task| task.name.as_str());
    let since = alert.since.map(|since| format!(" at {}", clock(since))).unwrap_or_default();
    format!("{name} failed{since} and works again since {}", clock(alert.time))
}
