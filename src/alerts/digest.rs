//! Digests: several messages in one. Pure.

use std::collections::BTreeMap;

use super::message::{clock, summarize};
use crate::domain::{
    Millis,
    alerts::{Alert, Delivery, Kind},
};

/// More messages than this that wait together become one.
pub(super) const MOST: usize = 5;
/// Messages that a digest names.
const NAMED: usize = 20;

/// The lines of a digest of some messages, oldest first, after lines about occasions that are over.
pub(super) fn lines(over: &[String], deliveries: &[Delivery]) -> Vec<String> {
    let alerts: Vec<_> = deliveries.iter().map(|delivery| &delivery.alert).collect();
    let all: Vec<_> = over.iter().cloned().chain(alerts.iter().map(|alert| line(alert))).collect();
    let mut lines = vec![heading(over.len(), &alerts)];
    let more = all.len().saturating_sub(NAMED);
    lines.extend(all.into_iter().take(NAMED));
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// The number of messages of a digest.
pub(super) fn count(over: &[String], deliveries: &[Delivery]) -> u64 {
    (over.len() + deliveries.len()) as u64
}

/// The time of the first message.
pub(super) fn since(deliveries: &[Delivery]) -> Option<Millis> {
    deliveries.iter().map(|delivery| delivery.alert.time).min()
}

fn heading(over: usize, alerts: &[&Alert]) -> String {
    let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
    for alert in alerts {
        *kinds.entry(alert.kind).or_default() += 1;
    }
    let mut parts: Vec<_> = kinds.into_iter().map(|(kind, count)| phrase(kind, count)).collect();
    if over > 0 {
        parts.push(format!("{} failed and recovered meanwhile", tasks(over as u64)));
    }
    let since = alerts.iter().map(|alert| alert.time).min();
    let since = since.map(|since| format!(" since {}", clock(since))).unwrap_or_default();
    format!("{}{since}", parts.join(", "))
}

fn phrase(kind: Kind, count: u64) -> String {
    match kind {
        Kind::Failure => format!("{} failed", tasks(count)),
        Kind::Recovery => format!("{} recovered", tasks(count)),
        Kind::Missed => format!("{} without a success", tasks(count)),
        kind => format!("{count} × {}", kind.name()),
    }
}

fn tasks(count: u64) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

fn line(alert: &Alert) -> String {
    if alert.kind == Kind::Digest {
        return alert.lines.join("; ");
    }
    summarize(alert)
}
