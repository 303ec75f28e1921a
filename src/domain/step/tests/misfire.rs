//! Planned times that nobody was there for.

use super::*;

fn life(schedule: &str, misfire: Misfire) -> Life {
    Life::with(schedule, |task| task.misfire = misfire)
}

#[test]
fn a_minute_late_is_on_time_and_a_moment_more_is_missed() {
    for misfire in [Misfire::Once, Misfire::Skip, Misfire::All] {
        let mut punctual = life("@hourly", misfire);
        assert_eq!(punctual.at(3660).due()[0].trigger, Trigger::Schedule, "{misfire:?}");
        let mut late = life("@hourly", misfire);
        late.now = START + HOUR + MINUTE + 1;
        let triggers: Vec<_> = late.due().iter().map(|start| start.trigger).collect();
        let expected = if misfire == Misfire::Skip { vec![] } else { vec![Trigger::CatchUp] };
        assert_eq!(triggers, expected, "{misfire:?}");
        assert_eq!(late.next_run(), Some(7200));
    }
}

#[test]
fn once_runs_the_newest_and_counts_the_others() {
    let mut life = life("@hourly", Misfire::Once);
    life.at(5 * 3600 + 600).due();
    life.at(5 * 3600 + 700).succeeds();
    assert_eq!(life.next_run(), Some(6 * 3600));
    assert_eq!(life.history(), ["3600s skipped misfire x4", "18000s catch-up #1 completed"]);
}

#[test]
fn skip_runs_none_and_counts_all() {
    let mut life = life("@hourly", Misfire::Skip);
    assert_eq!(life.at(5 * 3600 + 600).due(), []);
    assert_eq!(
        (life.history(), life.next_run()),
        (vec!["3600s skipped misfire x5".to_owned()], Some(21_600))
    );
}

#[test]
fn all_runs_each_in_order() {
    let mut life = life("@hourly", Misfire::All);
    life.at(4 * 3600 + 600);
    for hour in 1..=4 {
        let started = life.due();
        assert_eq!(started[0].occurrence.scheduled_for, START + hour * HOUR);
        life.succeeds();
    }
    assert_eq!((life.due(), life.next_run()), (vec![], Some(5 * 3600)));
    assert!(life.history().iter().all(|row| row.ends_with("catch-up #1 completed")), "{:?}", life.history());
}

#[test]
fn all_reaches_back_a_day_and_a_hundred_at_most() {
    // Every quarter of an hour for three days: a day has 96, and the day's first is within it.
    let mut a_day = life("*/15 * * * *", Misfire::All);
    a_day.at(3 * 86_400 + 120).due();
    assert_eq!(a_day.history(), ["900s skipped misfire x192", "173700s catch-up #1 running"]);
    assert_eq!(a_day.task.facts.waiting.len(), 95);
    // Every minute for three hours: the newest hundred.
    let mut a_hundred = life("* * * * *", Misfire::All);
    a_hundred.at(3 * 3600 + 90).due();
    let waiting = a_hundred.task.facts.waiting.iter().map(|w| seconds(w.occurrence.scheduled_for));
    assert_eq!(waiting.collect::<Vec<_>>(), (82..=180).map(|minute| minute * 60).collect::<Vec<_>>());
    let history = ["60s skipped misfire x80", "4860s catch-up #1 running", "10860s skipped overlap x1"];
    assert_eq!(a_hundred.history(), history);
}

#[test]
fn what_is_only_late_comes_after_what_was_missed() {
    let mut life = life("* * * * *", Misfire::Once);
    // The minutes 1 to 4 were missed, the fifth is thirty seconds late.
    life.at(330).due();
    let history = ["60s skipped misfire x3", "240s catch-up #1 running", "300s skipped overlap x1"];
    assert_eq!((life.history(), life.next_run()), (history.map(str::to_owned).to_vec(), Some(360)));
}

#[test]
fn missed_times_of_a_busy_task_follow_its_overlap_rule() {
    let cases = [
        (
            Overlap::Skip,
            0,
            vec!["3600s schedule #1 running", "7200s skipped misfire x2", "14400s skipped overlap x1"],
        ),
        (Overlap::Queue, 1, vec!["3600s schedule #1 running", "7200s skipped misfire x2"]),
        (Overlap::Replace, 1, vec!["3600s schedule #1 running", "7200s skipped misfire x2"]),
        (
            Overlap::Allow,
            0,
            vec!["3600s schedule #1 running", "7200s skipped misfire x2", "14400s catch-up #1 running"],
        ),
    ];
    for (overlap, waiting, history) in cases {
        let mut life = Life::with("@hourly", |task| task.overlap = overlap);
        life.at(3600).due();
        // The machine slept.
        life.at(4 * 3600 + 600).due();
        assert_eq!(
            (life.history(), life.task.facts.waiting.len()),
            (history.into_iter().map(str::to_owned).collect(), waiting,),
            "{overlap:?}"
        );
    }
}

#[test]
fn a_missed_one_time_task_follows_the_rule_too() {
    for (misfire, history) in [
        (Misfire::Once, "300s catch-up #1 completed"),
        (Misfire::All, "300s catch-up #1 completed"),
        (Misfire::Skip, "300s skipped misfire x1"),
    ] {
        for schedule in ["2026-03-02T10:05:00Z", "5 10 * * *"] {
            let mut life = Life::with(schedule, |task| (task.misfire, task.recurring) = (misfire, false));
            if !life.at(7200).due().is_empty() {
                life.succeeds();
            }
            assert_eq!(life.history(), [history], "{schedule} {misfire:?}");
            assert_eq!((life.next_run(), life.at(1_000_000).due()), (None, vec![]));
        }
    }
}

#[test]
fn all_leaves_out_what_is_older_than_a_day_however_little_it_is() {
    for (late, ran) in [(0, 1), (1, 0)] {
        let mut weekly = life("@weekly", Misfire::All);
        let mut once = life("2026-03-08T00:00:00Z", Misfire::All);
        for life in [&mut weekly, &mut once] {
            life.now = life.task.next_run().expect("it is planned") + DAY + late;
            assert_eq!(life.due().len(), ran, "{late} ms later than a day: {:?}", life.history());
            assert_eq!(life.rows.len(), 1);
        }
    }
}

#[test]
fn numbers_at_their_limits_stop_nothing() {
    for (overlap, misfire) in [(Overlap::Queue, Misfire::All), (Overlap::Skip, Misfire::Once)] {
        for schedule in ["every 100ms", "* * * * * *", "0 0 29 2 *"] {
            let mut life = Life::with(schedule, |task| {
                (task.overlap, task.misfire) = (overlap, misfire);
                (task.max_retries, task.retry_delay) = (u32::MAX, Millis::MIN);
            });
            life.task.facts.next = Some(Millis::MIN);
            life.task.facts.anchor = Millis::MIN;
            life.by_hand();
            life.due();
            for skip in life.task.facts.running.iter_mut().filter_map(|run| run.skipped.as_mut()) {
                skip.count = u64::MAX;
            }
            life.task.facts.next = Some(Millis::MIN);
            life.due();
            life.at(70).due();
            life.fails();
            life.due();
            assert!(life.task.facts.next > Some(START), "{schedule} {:?}", life.task.facts);
        }
    }
}
