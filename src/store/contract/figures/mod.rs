//! Figures: activity per minute, hour and day, numbers of tasks, and tasks by next run.

use super::*;
use crate::{
    domain::activity::{Bucket, Size},
    store::{
        Census, ComingQuery, ScheduleCount,
        contract::copies::{copy_all, import},
        copy::Record,
    },
};

const MINUTE: Millis = 60_000;
const DAY: Millis = 24 * HOUR;

fn set_time(bench: &Bench, now: Millis) {
    bench.now.store(now, Ordering::Relaxed);
}

/// Runs a task by hand, from `now` on for `duration`.
fn run_for(bench: &mut Bench, task: TaskId, now: Millis, duration: Millis) {
    set_time(bench, now);
    let execution = bench.run_by_hand(task, now);
    let ending = Ending::Completed { result: json!(1) };
    let verdict = Verdict { started: Some(now), duration: Some(duration), ..Verdict::of(ending) };
    let input = Input::Ended { execution, verdict: Box::new(verdict) };
    bench.step(task, now, input).expect("it is in progress");
}

fn activity(bench: &Bench, size: Size, from: Millis, until: Millis) -> Vec<Bucket> {
    bench.wait(bench.store().activity(size, from, until)).expect("it reads")
}

/// The starts of buckets, from [`START`] on, and the runs that completed in each.
fn completed(bench: &Bench, size: Size) -> Vec<(Millis, u64)> {
    let buckets = activity(bench, size, START - 400 * DAY, START + 400 * DAY);
    buckets.into_iter().map(|bucket| (bucket.start - START, bucket.tally.completed)).collect()
}

pub(crate) fn ends_are_counted_per_minute_hour_and_day(bench: &mut Bench) {
    let task = bench.hourly("task");
    for (after, duration) in [(0, 5), (1_000, 7), (MINUTE, 9), (HOUR, 11), (DAY, 13)] {
        run_for(bench, task.id, START + after, duration);
    }
    assert_eq!(completed(bench, Size::Minute), [(0, 2), (MINUTE, 1), (HOUR, 1), (DAY, 1)]);
    assert_eq!(completed(bench, Size::Hour), [(0, 3), (HOUR, 1), (DAY, 1)]);
    let midnight = Size::Day.start(START) - START;
    assert_eq!(completed(bench, Size::Day), [(midnight, 4), (midnight + DAY, 1)]);
    let first = &activity(bench, Size::Hour, START, START + 1)[0];
    assert_eq!((first.tally.duration.count(), first.tally.duration.sum()), (3, 21));
    // The bounds are half open.
    assert_eq!(activity(bench, Size::Minute, START + 1, START + MINUTE), []);
    assert_eq!(activity(bench, Size::Minute, START + 1, START + MINUTE + 1).len(), 1);
}

pub(crate) fn a_clock_that_goes_back_loses_and_doubles_no_end(bench: &mut Bench) {
    let task = bench.hourly("task");
    let minutes = [0, 1, 2, 1, 0, -90, 61, 2];
    for minute in minutes {
        run_for(bench, task.id, START + minute * MINUTE, 1);
    }
    let minutes = [(-90, 1), (0, 2), (1, 2), (2, 2), (61, 1)].map(|(minute, runs)| (minute * MINUTE, runs));
    assert_eq!(completed(bench, Size::Minute), minutes);
    assert_eq!(completed(bench, Size::Hour), [(-2 * HOUR, 1), (0, 6), (HOUR, 1)]);
    assert_eq!(completed(bench, Size::Day).iter().map(|(_, runs)| runs).sum::<u64>(), 8);
}

pub(crate) fn minutes_and_hours_go_when_their_time_is_over_and_days_stay(bench: &mut Bench) {
    let task = bench.hourly("task");
    run_for(bench, task.id, START, 1);
    // A later minute closes the one before it, and removes those that are too old.
    for after in [HOUR, DAY, 3 * DAY, 3 * DAY + HOUR] {
        run_for(bench, task.id, START + after, 1);
    }
    assert_eq!(completed(bench, Size::Minute), [(3 * DAY, 1), (3 * DAY + HOUR, 1)]);
    assert_eq!(completed(bench, Size::Hour).len(), 5);
    for after in [100 * DAY, 100 * DAY + HOUR] {
        run_for(bench, task.id, START + after, 1);
    }
    assert_eq!(completed(bench, Size::Hour), [(100 * DAY, 1), (100 * DAY + HOUR, 1)]);
    assert_eq!(completed(bench, Size::Day).iter().map(|(_, runs)| runs).sum::<u64>(), 7);
}

pub(crate) fn activity_survives_reopening_and_copies(bench: &mut Bench) {
    let task = bench.hourly("task");
    for after in [0, MINUTE, DAY, DAY + 5] {
        run_for(bench, task.id, START + after, 1);
    }
    let all = |bench: &Bench| Size::ALL.map(|size| activity(bench, size, START - DAY, START + 2 * DAY));
    let before = all(bench);
    bench.reopen();
    assert_eq!(all(bench), before);
    assert_eq!(bench.store().report().missing, Vec::<String>::new());
    let records = copy_all(bench, |_| {});
    assert!(records.iter().any(|record| matches!(record, Record::Activity { .. })));
    let mut other = Bench::new(bench.open);
    import(&other, &records).expect("it is empty");
    assert_eq!(all(&other), before);
    // It goes on where the copied store was.
    run_for(&mut other, task.id, START + DAY + 10, 1);
    assert_eq!(all(&other)[0].last().expect("a minute").tally.completed, 3);
    other.wait(other.store().import(Import::Abandon)).expect("there is nothing to give up");
}

pub(crate) fn schedules_are_counted_while_their_tasks_run_by_them(bench: &mut Bench) {
    let hourly = bench.hourly("a");
    bench.hourly("b");
    let once = Definition { recurring: false, ..definition("0 4 * * *") };
    bench.create("once", once);
    bench.create("daily", definition("0 4 * * *"));
    let census = |bench: &Bench| {
        let Census { schedules, more } = bench.wait(bench.store().census(100)).expect("it reads");
        assert!(!more);
        schedules.into_iter().map(|count| (count.schedule, count.tasks)).collect::<Vec<_>>()
    };
    let daily = ("0 4 * * *".to_owned(), 1);
    assert_eq!(census(bench), [daily.clone(), ("@hourly".to_owned(), 2)]);
    bench.step(hourly.id, START + 1, Input::Pause).expect("it is not paused");
    assert_eq!(census(bench), [daily.clone(), ("@hourly".to_owned(), 1)]);
    bench.step(hourly.id, START + 2, Input::Resume).expect("it is paused");
    bench.run_by_hand(hourly.id, START + 3);
    assert_eq!(census(bench), [daily.clone(), ("@hourly".to_owned(), 2)]);
    bench.reopen();
    assert_eq!(bench.store().report().rebuilt, Vec::<String>::new());
    assert_eq!(census(bench), [daily, ("@hourly".to_owned(), 2)]);
    let page = bench.wait(bench.store().census(1)).expect("it reads");
    let first =
        ScheduleCount { schedule: "0 4 * * *".to_owned(), timezone: "UTC".to_owned(), tasks: 1, usual: 0 };
    assert_eq!(page, Census { schedules: vec![first], more: true });
    for task in bench.wait(bench.store().tasks(everything())).expect("it reads").items {
        let running: Vec<_> = task.task.facts.running.iter().map(|run| run.execution).collect();
        running.into_iter().for_each(|run| bench.end(task.task.id, run, START + 9));
        bench.wait(bench.store().delete(task.task.id, None)).expect("it is idle");
    }
    assert_eq!(census(bench), []);
}

pub(crate) fn the_usual_durations_of_tasks_are_summed_per_schedule(bench: &mut Bench) {
    let (first, second) = (bench.hourly("first"), bench.hourly("second"));
    let usual = |bench: &Bench| {
        let census = bench.wait(bench.store().census(100)).expect("it reads");
        census.schedules.iter().map(|count| count.usual).collect::<Vec<_>>()
    };
    assert_eq!(usual(bench), [0]);
    run_for(bench, first.id, START, 1000);
    run_for(bench, second.id, START, 60_000);
    assert_eq!(usual(bench), [1024 + 65_536]);
    // Another run of about the same length changes nothing.
    run_for(bench, first.id, START, 1100);
    assert_eq!(usual(bench), [1024 + 65_536]);
    bench.reopen();
    assert_eq!(bench.store().report().rebuilt, Vec::<String>::new());
    bench.step(second.id, START + 1, Input::Pause).expect("it is not paused");
    assert_eq!(usual(bench), [1024]);
    bench.wait(bench.store().delete(first.id, None)).expect("it is idle");
    assert_eq!(usual(bench), Vec::<u64>::new());
}

pub(crate) fn tasks_come_in_the_order_of_their_next_runs_part_by_part(bench: &mut Bench) {
    let schedules = ["0 9 * * *", "0 3 * * *", "@hourly", "0 9 * * *", "*/5 * * * *", "0 4 * * *"];
    let tasks: Vec<_> = schedules
        .iter()
        .enumerate()
        .map(|(n, text)| bench.create(&format!("task {n}"), definition(text)))
        .collect();
    bench.step(tasks[5].id, START + 1, Input::Pause).expect("it is not paused");
    bench.run_by_hand(tasks[2].id, START + 2);
    let mut expected: Vec<_> =
        tasks[..5].iter().map(|task| (bench.read(task.id).next_run().expect("planned"), task.id)).collect();
    expected.sort_unstable();
    let query = ComingQuery { until: START + 30 * DAY, limit: 2, ..ComingQuery::default() };
    let mut found: Vec<(Millis, TaskId)> = Vec::new();
    loop {
        let query = ComingQuery { after: found.last().copied(), ..query.clone() };
        let part = bench.wait(bench.store().coming(query)).expect("it reads");
        assert!(part.len() <= 2);
        if part.is_empty() {
            break;
        }
        found.extend(part.iter().map(|(time, task)| (*time, task.id)));
    }
    assert_eq!(found, expected);
    let until = ComingQuery { until: expected[1].0, limit: 100, ..query.clone() };
    assert_eq!(bench.wait(bench.store().coming(until)).expect("it reads").len(), 2);
    let other = ComingQuery { handler: Some("other".to_owned()), limit: 100, ..query.clone() };
    assert_eq!(bench.wait(bench.store().coming(other)).expect("it reads"), []);
    let handler = Some(tasks[0].definition.handler.clone());
    let same = ComingQuery { handler, limit: 100, ..query };
    assert_eq!(bench.wait(bench.store().coming(same)).expect("it reads").len(), 5);
    let counts = bench.wait(bench.store().status_counts()).expect("it reads");
    let some: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(some, [(TaskStatus::Running, 1), (TaskStatus::Paused, 1), (TaskStatus::Active, 4)]);
}
