//! Planned times that come while the task runs.

use super::*;

/// Every minute, and the run of the first minute goes on and on.
fn busy(overlap: Overlap) -> Life {
    let mut life = Life::with("* * * * *", |task| task.overlap = overlap);
    life.at(60).due();
    life
}

#[test]
fn skip_records_one_row_per_run_that_grows() {
    let mut life = busy(Overlap::Skip);
    for minute in 2..=6 {
        assert_eq!(life.at(minute * 60).due(), []);
    }
    assert_eq!(life.history(), ["60s schedule #1 running", "120s skipped overlap x5"]);
    life.at(361).succeeds();
    life.at(420).due();
    life.at(480).due();
    let history = [
        "60s schedule #1 completed",
        "120s skipped overlap x5",
        "420s schedule #1 running",
        "480s skipped overlap x1",
    ];
    assert_eq!(life.history(), history);
}

#[test]
fn the_times_of_a_row_follow_each_other() {
    let mut life = Life::with("* * * * *", |task| task.misfire = Misfire::Skip);
    life.at(60).due();
    life.at(120).due();
    life.at(360).due();
    let history = [
        "60s schedule #1 running",
        "120s skipped overlap x1",
        "180s skipped misfire x2",
        "300s skipped overlap x2",
    ];
    assert_eq!(life.history(), history);
}

#[test]
fn queue_runs_one_afterwards_and_counts_the_rest() {
    let mut life = busy(Overlap::Queue);
    for minute in 2..=5 {
        assert_eq!(life.at(minute * 60).due(), []);
    }
    life.at(310).succeeds();
    assert_eq!(life.status(), "active");
    let started = life.at(310).due();
    assert_eq!(started[0].occurrence.scheduled_for, START + 120 * SECOND);
    life.at(311).succeeds();
    assert_eq!(life.at(312).due(), []);
    let mut history = life.history();
    history.sort();
    let expected = ["120s schedule #1 completed", "180s skipped overlap x3", "60s schedule #1 completed"];
    assert_eq!((history, life.next_run()), (expected.map(str::to_owned).to_vec(), Some(360)));
}

#[test]
fn allow_runs_side_by_side() {
    let mut life = busy(Overlap::Allow);
    life.at(120).due();
    life.at(180).due();
    assert_eq!(life.task.facts.running.len(), 3);
    life.at(181).succeeds();
    assert_eq!(life.status(), "running");
    life.fails();
    life.succeeds();
    let history = ["60s schedule #1 completed", "120s schedule #1 failed", "180s schedule #1 completed"];
    assert_eq!((life.history(), life.status()), (history.map(str::to_owned).to_vec(), "active"));
}

#[test]
fn allow_has_a_bound_beyond_which_occurrences_are_skipped_on_record() {
    let mut life = Life::with("* * * * * *", |task| task.overlap = Overlap::Allow);
    for second in 1..=1003 {
        life.at(second).due();
    }
    assert_eq!(life.task.facts.running.len(), 1000);
    let by_hand = Input::RunByHand { execution: life.new_id(), params: None, origin: Origin::default() };
    let refused = life.try_step(by_hand).expect_err("it is one too many");
    assert_eq!(refused.to_string(), "Task already has 1000 runs that run or wait");
    life.succeeds();
    assert_eq!(life.at(1004).due().len(), 1, "there is room again");
    let skipped = life.history().into_iter().filter(|row| row.contains("skipped")).collect::<Vec<_>>();
    assert_eq!(skipped, ["1001s skipped overlap x3"]);
}

#[test]
fn where_runs_may_overlap_catch_ups_run_one_after_the_other_beside_what_is_regular() {
    let mut life =
        Life::with("@hourly", |task| (task.overlap, task.misfire) = (Overlap::Allow, Misfire::All));
    life.at(3600).due();
    // The machine slept for three of its times, and the first run goes on and on.
    let started = life.at(4 * 3600 + 600).due();
    assert_eq!((started.len(), started[0].trigger), (1, Trigger::CatchUp));
    assert_eq!(life.task.facts.running.len(), 2);
    assert_eq!(life.at(4 * 3600 + 601).due(), [], "one at a time");
    assert_eq!(life.at(5 * 3600).due()[0].trigger, Trigger::Schedule);
    for (seconds, left) in [(10, 1), (20, 0)] {
        let catch_up = life.task.facts.running.iter().find(|run| run.trigger == Trigger::CatchUp);
        let execution = catch_up.expect("one runs").execution;
        life.at(5 * 3600 + seconds).step(Input::Ended { execution, verdict: Box::new(completed()) });
        let started = life.due();
        assert_eq!((started.len(), started[0].trigger), (1, Trigger::CatchUp));
        assert_eq!(life.task.facts.waiting.len(), left);
    }
}

#[test]
fn what_waits_is_bounded_in_number_and_in_bytes() {
    let by_hand = |life: &mut Life, params: Option<Map<String, Value>>| {
        let execution = life.new_id();
        life.try_step(Input::RunByHand { execution, params, origin: Origin::default() })
    };
    let refused = |result: Result<Step, Refused>| result.expect_err("it is one too many").to_string();
    // Each run fails, and its next attempt is far away.
    let mut life = Life::with("@yearly", |task| (task.max_retries, task.retry_delay) = (1, HOUR));
    for _ in 0..1000 {
        by_hand(&mut life, None).expect("nothing runs");
        life.fails();
    }
    assert_eq!(refused(by_hand(&mut life, None)), "Task already has 1000 runs that run or wait");

    let mut life = Life::with("@yearly", |task| task.overlap = Overlap::Allow);
    let large: Map<String, Value> = [("text".to_owned(), json!("x".repeat(250_000)))].into_iter().collect();
    let taken = (0..1000).take_while(|_| by_hand(&mut life, Some(large.clone())).is_ok()).count();
    assert_eq!(taken, (4 << 20) / 250_011);
    let words = "Task would have more than 4 MiB of parameters of runs that run or wait";
    assert_eq!(refused(by_hand(&mut life, Some(large))), words);
    by_hand(&mut life, None).expect("it has none of its own");
}

#[test]
fn allow_lets_an_attempt_follow_while_another_runs() {
    let mut life = Life::with("* * * * *", |task| {
        (task.overlap, task.max_retries, task.retry_delay) = (Overlap::Allow, 1, 30_000);
    });
    life.at(60).due();
    life.at(120).due();
    life.at(130).fails();
    assert_eq!((life.status(), life.next_run()), ("running", Some(160)));
    let started = life.at(160).due();
    assert_eq!((started[0].attempt, life.task.facts.running.len()), (2, 2));
}

#[test]
fn otherwise_an_attempt_waits_until_the_task_is_idle() {
    let mut life = Life::with("@hourly", |task| (task.max_retries, task.retry_delay) = (1, 30_000));
    life.at(3600).due();
    life.at(3601).fails();
    life.at(3602).by_hand();
    assert_eq!(life.at(3700).due(), [], "the run by hand goes on");
    life.at(3701).fails();
    assert_eq!(life.at(3701).due().len(), 1);
}

#[test]
fn replace_cancels_what_runs_and_goes_on_when_that_has_ended() {
    let mut life = busy(Overlap::Replace);
    let first = life.task.facts.running[0].execution;
    life.at(120);
    let step = life.step(Input::Due);
    assert_eq!((step.cancel, step.start), (vec![first], vec![]));
    assert_eq!(life.at(121).due(), [], "it waits for the end of the other");
    life.at(122).is_cancelled();
    let started = life.at(122).due();
    assert_eq!(started[0].occurrence.scheduled_for, START + 120 * SECOND);
    assert_eq!(life.history(), ["60s schedule #1 cancelled", "120s schedule #1 running"]);
}

#[test]
fn replace_keeps_the_newest_when_the_end_takes_long() {
    let mut life = busy(Overlap::Replace);
    for minute in 2..=4 {
        life.at(minute * 60).due();
    }
    life.at(241).is_cancelled();
    life.at(241).due();
    life.at(242).succeeds();
    let mut history = life.history();
    history.sort();
    let expected = ["120s skipped overlap x2", "240s schedule #1 completed", "60s schedule #1 cancelled"];
    assert_eq!(history, expected);
}

#[test]
fn several_times_at_once_are_decided_about_together() {
    // Nobody looked for ten seconds, which is late but not missed.
    let cases = [
        (Overlap::Skip, vec!["2s skipped overlap x9", "1s schedule #1 running"], 0),
        (Overlap::Queue, vec!["3s skipped overlap x8", "1s schedule #1 running"], 1),
        (Overlap::Replace, vec!["2s skipped overlap x8", "1s schedule #1 running"], 1),
    ];
    for (overlap, mut expected, waiting) in cases {
        let mut life = Life::with("every 1s", |task| task.overlap = overlap);
        life.at(10).due();
        let mut history = life.history();
        history.sort();
        expected.sort_unstable();
        assert_eq!(
            (history, life.task.facts.waiting.len()),
            (expected.into_iter().map(str::to_owned).collect(), waiting,),
            "{overlap:?}"
        );
        assert_eq!(life.next_run(), Some(11));
    }
    let mut life = Life::with("every 1s", |task| task.overlap = Overlap::Allow);
    assert_eq!(life.at(10).due().len(), 10);
}

#[test]
fn what_waits_for_a_run_starts_after_it_although_the_clock_was_set_back() {
    for overlap in [Overlap::Queue, Overlap::Replace] {
        let mut life = Life::with("@hourly", |task| task.overlap = overlap);
        life.at(3600).due();
        life.at(7200).due();
        life.at(4000).succeeds();
        let started = life.due();
        assert_eq!(started.len(), 1, "{overlap:?}: it waits until {:?}", life.task.due());
        assert_eq!(started[0].occurrence.scheduled_for, START + 2 * HOUR);
    }
}
