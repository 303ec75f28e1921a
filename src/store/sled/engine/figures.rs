//! Keys of figures: activity, numbers of tasks and sums per schedule.

use super::keys::{ACTIVITY, COUNTER, handler_count, join, millis, status_count, tag_count};
use crate::{
    domain::{Millis, activity::Size, facts::Task, outlook::usual},
    store::Span,
};

/// The prefix of the numbers of tasks per schedule.
pub(crate) const CENSUS: [u8; 2] = [COUNTER, b'w'];
/// The prefix of the sums of the usual durations of tasks per schedule.
pub(crate) const USUAL: [u8; 2] = [COUNTER, b'u'];

/// The schedule of a task that is planned by it, as in the keys of numbers per schedule.
fn planned_by(task: &Task) -> Option<Vec<u8>> {
    let (definition, facts) = (&task.definition, &task.facts);
    let planned = definition.recurring && !facts.paused && facts.next.is_some();
    planned.then(|| {
        let schedule = definition.schedule.as_str().as_bytes();
        [schedule, &[0], definition.timezone.name().as_bytes()].concat()
    })
}

/// The schedule and the time zone in the key of a number of tasks.
pub(crate) fn schedule_of(key: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(key.strip_prefix(&CENSUS)?).ok()?;
    text.split_once('\0')
}

/// The key of the sum of usual durations beside a number of tasks.
pub(crate) fn usual_beside(census: &[u8]) -> Vec<u8> {
    [&USUAL, census.get(2..).unwrap_or_default()].concat()
}

/// The prefixes of the keys that [`counters`] makes.
pub(crate) const TASK_COUNTERS: [[u8; 2]; 5] =
    [[COUNTER, b's'], [COUNTER, b'h'], [COUNTER, b'l'], CENSUS, USUAL];

/// The counters that include a task, and its share in each: of its status, of its handler and status, of
/// its tags, of its schedule, and of the usual durations of its schedule's tasks.
pub(crate) fn counters(task: &Task) -> Vec<(Vec<u8>, u64)> {
    let status = task.status();
    let mut counters = vec![(status_count(status), 1), (handler_count(&task.definition.handler, status), 1)];
    counters.extend(task.definition.tags.iter().map(|tag| (tag_count(tag), 1)));
    if let Some(schedule) = planned_by(task) {
        counters.push(([&CENSUS, &schedule[..]].concat(), 1));
        let usual = usual(task);
        if usual > 0 {
            counters.push(([&USUAL, &schedule[..]].concat(), usual));
        }
    }
    counters
}

/// The letter of a bucket's size.
fn letter(span: Span) -> u8 {
    match span {
        Span::Present => b'p',
        Span::Closed(Size::Minute) => b'm',
        Span::Closed(Size::Hour) => b'h',
        Span::Closed(Size::Day) => b'd',
    }
}

/// The key of a bucket; that of the present minute has no start.
pub(crate) fn activity(span: Span, start: Millis) -> Vec<u8> {
    match span {
        Span::Present => vec![ACTIVITY, letter(span)],
        Span::Closed(_) => join(ACTIVITY, &[&[letter(span)], &millis(start)]),
    }
}

/// The range of the buckets of a size that start in `[from, until)`.
pub(crate) fn activity_between(size: Size, from: Millis, until: Millis) -> std::ops::Range<Vec<u8>> {
    let span = Span::Closed(size);
    activity(span, from)..activity(span, until.max(from))
}

/// The span in the key of a bucket.
pub(crate) fn span_of(key: &[u8]) -> Option<Span> {
    let spans = Size::ALL.map(Span::Closed).into_iter().chain([Span::Present]);
    let known = key.get(1).copied()?;
    spans.into_iter().find(|span| letter(*span) == known)
}
