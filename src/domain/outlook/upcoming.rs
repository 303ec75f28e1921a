//! Upcoming: the planned times of many tasks, merged in the order of time.
//!
//! Tasks are added in the order of their next runs, each before a later time is taken out, so that only
//! the tasks that run within the answer are read.

use std::{cmp::Reverse, collections::BinaryHeap};

use serde::Serialize;

use crate::domain::{Millis, facts::Task, ids::TaskId};

/// The cause of a planned run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The schedule of a recurring task.
    Schedule,
    /// An earlier attempt failed.
    Retry,
    /// The one planned time of a task.
    Once,
}

/// A run that is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coming {
    /// The planned time.
    pub time: Millis,
    /// The cause.
    pub kind: Kind,
    /// The retries of the task up to and including this one.
    retries: usize,
    /// The planned times of the task up to and including this one.
    counted: u64,
}

/// The first run that is planned for a task, at whatever time; none of a paused task.
#[must_use]
pub fn first(task: &Task) -> Option<Coming> {
    let facts = &task.facts;
    if facts.paused {
        return None;
    }
    match facts.retries.first() {
        Some(retry) => Some(Coming { time: retry.due, kind: Kind::Retry, retries: 1, counted: 0 }),
        None => regular(task, facts.next?, 0, 0),
    }
}

/// The planned time after `counted` others, unless the task has had its `maxRuns` by then.
fn regular(task: &Task, time: Millis, retries: usize, counted: u64) -> Option<Coming> {
    if task.runs_left().is_some_and(|left| counted >= left) {
        return None;
    }
    let kind = if task.definition.recurring { Kind::Schedule } else { Kind::Once };
    Some(Coming { time, kind, retries, counted: counted + 1 })
}

/// The run that is planned after `last`, seen at `now`. Planned times that pass before a retry is over
/// are skipped, as the scheduler does.
#[must_use]
pub fn following(task: &Task, last: Coming, now: Millis) -> Option<Coming> {
    let facts = &task.facts;
    let passed = last.time.max(now);
    if last.kind != Kind::Retry {
        let next = task.definition.recurring.then(|| task.plan().next_after(passed))??;
        return regular(task, next, last.retries, last.counted);
    }
    if let Some(retry) = facts.retries.get(last.retries) {
        let (time, retries) = (retry.due.max(last.time), last.retries + 1);
        return Some(Coming { time, kind: Kind::Retry, retries, counted: 0 });
    }
    let next = facts.next?;
    let time = match task.definition.recurring {
        true if next <= passed => task.plan().next_after(passed)?,
        true => next,
        // The one planned time waits until the retry is over.
        false => next.max(last.time),
    };
    regular(task, time, last.retries, last.counted)
}

/// A planned run of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The planned time.
    pub time: Millis,
    /// The cause.
    pub kind: Kind,
    /// The task.
    pub task: TaskId,
    /// The task's name.
    pub name: String,
    /// The name of its handler.
    pub handler: String,
}

/// The planned times of the tasks added so far, from a time on.
#[derive(Debug)]
pub struct Upcoming {
    from: Millis,
    now: Millis,
    tasks: Vec<Task>,
    /// The next run of each task, with the task's id for the order and its index.
    heads: BinaryHeap<Reverse<(Millis, TaskId, Coming, usize)>>,
}

impl Upcoming {
    /// Planned times from `from` on, seen at `now`.
    #[must_use]
    pub fn new(from: Millis, now: Millis) -> Self {
        Self { from, now, tasks: Vec::new(), heads: BinaryHeap::new() }
    }

    /// Adds a task.
    pub fn add(&mut self, task: Task) {
        let mut coming = first(&task);
        // Of times before `from` the last ones are passed over at once.
        while let Some(head) = coming.filter(|head| head.time < self.from) {
            coming = match head.kind {
                Kind::Retry => following(&task, head, self.now),
                Kind::Schedule => {
                    let last = self.from - 1;
                    // Only a task with `maxRuns` asks for the number of the times between.
                    let between = task.runs_left().map(|_| task.plan().count_between(head.time, last).count);
                    let counted = head.counted.saturating_add(between.unwrap_or_default());
                    following(&task, Coming { time: last, counted, ..head }, self.now)
                }
                Kind::Once => None,
            };
        }
        if let Some(head) = coming {
            self.heads.push(Reverse((head.time, task.id, head, self.tasks.len())));
            self.tasks.push(task);
        }
    }

    /// The earliest time that was not taken out yet.
    #[must_use]
    pub fn next_time(&self) -> Option<Millis> {
        self.heads.peek().map(|Reverse((time, ..))| *time)
    }

    /// Takes out the earliest run. Two runs at the same time are in the order of their tasks.
    pub fn pop(&mut self) -> Option<Planned> {
        let Reverse((time, id, coming, index)) = self.heads.pop()?;
        let task = &self.tasks[index];
        if let Some(next) = following(task, coming, self.now) {
            self.heads.push(Reverse((next.time, id, next, index)));
        }
        let (name, handler) = (task.definition.name.clone(), task.definition.handler.clone());
        Some(Planned { time, kind: coming.kind, task: id, name, handler })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        definition::Definition,
        draft::tests::definition,
        facts::{Occurrence, PendingRetry},
    };

    const NOON: Millis = 1_772_452_800_000;
    const MINUTE: Millis = 60_000;
    const HOUR: Millis = 60 * MINUTE;

    fn task(number: u8, schedule: &str) -> Task {
        Task::new(TaskId::from_bytes([number; 16]), definition(schedule), NOON)
    }

    fn retry(due: Millis) -> PendingRetry {
        let occurrence = Occurrence::planned(NOON);
        PendingRetry { attempt: 2, due, occurrence, failed: None }
    }

    /// The first runs of a task, as minutes after noon and kinds.
    fn times(task: &Task) -> Vec<(Millis, Kind)> {
        let mut upcoming = Upcoming::new(Millis::MIN + 1, NOON);
        upcoming.add(task.clone());
        let planned = std::iter::from_fn(|| upcoming.pop()).take(3);
        planned.map(|planned| ((planned.time - NOON) / MINUTE, planned.kind)).collect()
    }

    #[test]
    fn facts_decide_which_runs_are_planned() {
        use Kind::{Once, Retry, Schedule};
        let hourly = task(1, "@hourly");
        assert_eq!(times(&hourly), [(60, Schedule), (120, Schedule), (180, Schedule)]);
        let mut paused = hourly.clone();
        paused.facts.paused = true;
        assert_eq!(times(&paused), []);
        let mut stopped = hourly.clone();
        stopped.facts.next = None;
        assert_eq!(times(&stopped), []);
        let mut failed = hourly.clone();
        failed.facts.retries.push(retry(NOON + 5 * MINUTE));
        assert_eq!(times(&failed), [(5, Retry), (60, Schedule), (120, Schedule)]);
        failed.facts.retries[0].due = NOON + 60 * MINUTE;
        assert_eq!(times(&failed), [(60, Retry), (120, Schedule), (180, Schedule)], "the hour is skipped");
        failed.facts.retries.push(retry(NOON + 70 * MINUTE));
        assert_eq!(times(&failed), [(60, Retry), (70, Retry), (120, Schedule)]);
        let once = Definition { recurring: false, ..definition("0 15 * * *") };
        let mut once = Task::new(TaskId::from_bytes([2; 16]), once, NOON);
        assert_eq!(times(&once), [(180, Once)]);
        once.facts.retries.push(retry(NOON + 200 * MINUTE));
        assert_eq!(times(&once), [(200, Retry), (200, Once)]);
        let mut bounded = hourly.clone();
        bounded.definition.max_runs = Some(2);
        assert_eq!(times(&bounded), [(60, Schedule), (120, Schedule)]);
        let mut late = hourly;
        late.facts.next = Some(NOON - 90 * MINUTE);
        assert_eq!(
            times(&late),
            [(-90, Schedule), (60, Schedule), (120, Schedule)],
            "missed times are one run"
        );
    }

    #[test]
    fn times_before_the_start_are_left_out() {
        let mut upcoming = Upcoming::new(NOON + 5 * HOUR + 1, NOON);
        upcoming.add(task(1, "@hourly"));
        upcoming.add(task(2, "0 15 * * *"));
        let mut once = task(3, "0 15 * * *");
        once.definition.recurring = false;
        upcoming.add(once);
        // Its three runs are over by then.
        let mut bounded = task(4, "@hourly");
        bounded.definition.max_runs = Some(3);
        upcoming.add(bounded);
        assert_eq!(upcoming.next_time(), Some(NOON + 6 * HOUR));
        let mut popped = std::iter::from_fn(|| upcoming.pop());
        assert_eq!(
            popped.by_ref().take(30).filter(|planned| planned.task == TaskId::from_bytes([2; 16])).count(),
            1
        );
        assert!(
            popped
                .take(100)
                .all(|planned| [1, 2].map(|n| TaskId::from_bytes([n; 16])).contains(&planned.task))
        );
    }

    proptest! {
        #[test]
        fn merged_times_are_those_of_each_task_in_order(schedules in prop::collection::vec(0..6_usize, 1..8), from in 0..(3 * HOUR)) {
            let texts = ["@hourly", "*/7 * * * *", "every 13m", "0 15 * * *", "30 12,18 * * *", "15 */2 * * *"];
            let tasks: Vec<_> = (1..).zip(&schedules).map(|(number, text)| task(number, texts[*text])).collect();
            let until = NOON + from + 6 * HOUR;
            let mut expected = Vec::new();
            for task in &tasks {
                let mut last = NOON + from - 1;
                while let Some(time) = task.plan().next_after(last.max(NOON)).filter(|time| *time < until) {
                    expected.push((time, task.id));
                    last = time;
                }
            }
            expected.sort_unstable();
            let mut upcoming = Upcoming::new(NOON + from, NOON);
            tasks.into_iter().for_each(|task| upcoming.add(task));
            let mut found = Vec::new();
            while let Some(planned) = upcoming.pop().filter(|planned| planned.time < until) {
                found.push((planned.time, planned.task));
            }
            prop_assert_eq!(found, expected);
        }
    }
}
