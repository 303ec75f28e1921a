//! Messages: an alert with everything that is known when it is sent, as JSON and in words.

use chrono::DateTime;
use serde::Serialize;

use crate::domain::{
    Millis,
    alerts::{Alert, AlertId, Cause, Kind, Subject, cut},
    execution::Line,
};

/// Lines of output in a message.
pub(super) const LINES: usize = 20;
/// Characters of a line of output in a message.
const LONGEST_LINE: usize = 500;

/// A message as a webhook gets it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    id: AlertId,
    pub(super) kind: Kind,
    reminder: bool,
    time: Millis,
    host: String,
    channel: String,
    /// One line for people.
    pub(super) summary: String,
    pub(super) task: Option<Subject>,
    pub(super) execution: Option<Cause>,
    since: Option<Millis>,
    /// Failures in a row.
    streak: Option<u64>,
    count: u64,
    p50: Option<Millis>,
    source_changed: Option<bool>,
    paused: bool,
    pub(super) follows: Option<AlertId>,
    /// The last lines of output, with secrets masked.
    pub(super) output: Vec<Line>,
    /// The lines of a digest.
    pub(super) lines: Vec<String>,
    pub(super) links: MessageLinks,
}

/// The pages of the dashboard about a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct MessageLinks {
    pub(super) execution: Option<String>,
    pub(super) task: Option<String>,
    diff: Option<String>,
    mute: Option<String>,
}

/// Makes links to the dashboard.
pub(super) struct Links(Option<String>);

impl Links {
    pub(super) fn new(public_url: Option<&str>) -> Self {
        Self(public_url.map(|url| url.trim_end_matches('/').to_owned()))
    }

    fn of(&self, alert: &Alert) -> MessageLinks {
        let Some(base) = &self.0 else { return MessageLinks::default() };
        let execution = alert.cause.as_ref().map(|cause| format!("{base}/executions/{}", cause.execution));
        let changed = alert.source_changed == Some(true);
        MessageLinks {
            task: alert.task.as_ref().map(|task| format!("{base}/tasks/{}", task.id)),
            diff: execution.as_ref().filter(|_| changed).map(|url| format!("{url}#diff")),
            execution,
            mute: Some(format!("{base}/alerts")),
        }
    }
}

impl Message {
    /// A message of an alert, with the last lines of its execution's output.
    pub(super) fn new(alert: &Alert, output: Vec<Line>, host: &str, links: &Links) -> Self {
        let skipped = output.len().saturating_sub(LINES);
        let cut_line = |line: Line| Line { message: cut(&line.message, LONGEST_LINE), ..line };
        let is_streak = matches!(alert.kind, Kind::Failure | Kind::Recovery | Kind::Exhausted);
        Self {
            id: alert.id,
            kind: alert.kind,
            reminder: alert.reminder,
            time: alert.time,
            host: host.to_owned(),
            channel: alert.channel.clone(),
            summary: summarize(alert),
            task: alert.task.clone(),
            execution: alert.cause.clone(),
            since: alert.since,
            streak: is_streak.then_some(alert.count),
            count: alert.count,
            p50: alert.p50,
            source_changed: alert.source_changed,
            paused: alert.paused,
            follows: alert.follows,
            output: output.into_iter().skip(skipped).map(cut_line).collect(),
            lines: alert.lines.clone(),
            links: links.of(alert),
        }
    }

    pub(super) fn id(&self) -> AlertId {
        self.id
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The message below its summary, as plain text.
    pub(super) fn details(&self) -> String {
        let mut text = String::new();
        for line in self.lines.iter().skip(1) {
            text += &format!("{line}\n");
        }
        if self.source_changed == Some(true) {
            text += "The handler's file has changed since the last success.\n";
        }
        for line in &self.output {
            text += &format!("{}\n", line.message);
        }
        text
    }
}

/// An alert in one line for people.
#[must_use]
pub fn summarize(alert: &Alert) -> String {
    let name = alert.task.as_ref().map_or("isochron", |task| task.name.as_str());
    let count = alert.count;
    let error = alert.cause.as_ref().and_then(|cause| cause.error.as_deref());
    let error = error.map(|error| format!(": {}", first_line(error))).unwrap_or_default();
    let lasting = Millis::try_from(count).map(duration).unwrap_or_default();
    if let (None, Some(line)) = (&alert.task, alert.lines.first()) {
        return line.clone();
    }
    let paused = if alert.paused { "; it is paused now" } else { "" };
    match alert.kind {
        Kind::Failure if alert.reminder => {
            let since = alert.since.map(|since| format!(" since {}", clock(since))).unwrap_or_default();
            format!("{name} still fails{since}: {}", times(count))
        }
        Kind::Failure if count <= 1 => format!("{name} has failed{error}{paused}"),
        Kind::Failure => format!("{name} has failed {}{error}{paused}", times(count)),
        Kind::Recovery => {
            let after = alert.since.map(|since| duration(alert.time - since)).unwrap_or_default();
            match count {
                0 => format!("{name} works again after {after}"),
                1 => format!("{name} works again after a failure and {after}"),
                count => format!("{name} works again after {count} failures and {after}"),
            }
        }
        Kind::Exhausted => format!("{name} has stopped after its last attempt{error}"),
        Kind::Skipped if count <= 1 => format!("a run of {name} was skipped"),
        Kind::Skipped => format!("{count} runs of {name} in a row were skipped"),
        Kind::Late => format!("{name} has started {lasting} late"),
        Kind::Slow => {
            let usual = alert.p50.map(|p50| format!(", usually {}", duration(p50))).unwrap_or_default();
            format!("{name} has been running for {lasting}{usual}")
        }
        Kind::Missed => format!("{name} has had no success for {lasting}"),
        Kind::Success => format!("{name} has succeeded"),
        Kind::Start => format!("{name} has started"),
        Kind::Fail => format!("{name} has failed{error}"),
        _ => alert.lines.first().cloned().unwrap_or_else(|| alert.kind.name().to_owned()),
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times in a row") }
}

fn first_line(text: &str) -> String {
    cut(text.lines().next().unwrap_or_default(), 200)
}

/// A time for people, in UTC.
pub(super) fn clock(time: Millis) -> String {
    DateTime::from_timestamp_millis(time)
        .map_or_else(|| time.to_string(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// A length of time for people, in its two largest units.
pub(super) fn duration(millis: Millis) -> String {
    const UNITS: [(Millis, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
    let millis = millis.max(0);
    let Some(at) = UNITS.iter().position(|(unit, _)| millis >= *unit) else { return format!("{millis} ms") };
    let (unit, name) = UNITS[at];
    let rest = UNITS.get(at + 1).map(|(smaller, name)| (millis % unit / smaller, name));
    match rest {
        Some((rest, smaller)) if rest > 0 => format!("{} {name} {rest} {smaller}", millis / unit),
        _ => format!("{} {name}", millis / unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_its_two_largest_units() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1500, "1 s"),
            (60_000, "1 min"),
            (61_000, "1 min 1 s"),
            (7_265_000, "2 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(millis), text);
        }
    }
}
