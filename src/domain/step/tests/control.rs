//! What users ask for.

use super::*;
use crate::domain::facts::Wait;

#[test]
fn a_paused_task_lets_its_times_pass_and_goes_on_with_the_next() {
    let mut life = Life::with("@hourly", |_| {});
    life.at(100).step(Input::Pause);
    assert_eq!((life.status(), life.next_run(), life.task.due()), ("paused", None, None));
    assert_eq!(life.at(10 * 3600).due(), []);
    life.at(10 * 3600 + 5).step(Input::Resume);
    assert_eq!((life.status(), life.next_run()), ("active", Some(11 * 3600)));
    assert_eq!(life.history(), [""; 0], "what passed while it was paused is no misfire");
}

#[test]
fn a_run_in_progress_goes_on_when_its_task_is_paused() {
    let mut life = Life::with("@hourly", |task| task.max_retries = 1);
    life.at(3600).due();
    let step = life.at(3601).step(Input::Pause);
    assert_eq!((step.cancel, step.rows), (vec![], vec![]));
    assert_eq!(life.status(), "running");
    life.at(3602).fails();
    assert_eq!((life.status(), life.next_run()), ("paused", None));
    assert_eq!(life.at(4000).due(), [], "its next attempt waits");
    life.at(4001).step(Input::Resume);
    assert_eq!((life.status(), life.next_run()), ("retry-scheduled", Some(4001)));
    assert_eq!(life.due()[0].attempt, 2);
}

#[test]
fn a_pending_retry_is_due_at_the_later_of_its_time_and_the_resumption() {
    for (resumed, due) in [(3610, 3661), (3661, 3661), (9000, 9000)] {
        let mut life = Life::with("@daily", |task| task.max_retries = 1);
        life.at(50_400).due();
        life.at(50_401).fails();
        life.at(50_402).step(Input::Pause);
        life.at(46_800 + resumed).step(Input::Resume);
        assert_eq!(life.next_run(), Some(46_800 + due), "resumed at {resumed}");
    }
}

#[test]
fn a_one_time_task_whose_moment_passed_runs_when_it_is_resumed() {
    let cases = [
        ("2026-03-02T10:05:00Z", 600, 600, "600s immediate #1 running"),
        ("2026-03-02T10:05:00Z", 200, 300, "300s schedule #1 running"),
        ("now", 600, 600, "600s immediate #1 running"),
        ("5 10 * * *", 600, 600, "600s schedule #1 running"),
    ];
    for (schedule, resumed, due, history) in cases {
        let mut life = Life::with(schedule, |task| (task.recurring, task.misfire) = (false, Misfire::Skip));
        life.step(Input::Pause);
        assert_eq!(life.at(resumed - 1).due(), [], "{schedule}");
        life.at(resumed).step(Input::Resume);
        assert_eq!(life.next_run(), Some(due), "{schedule}");
        life.at(due).due();
        assert_eq!(life.history(), [history]);
    }
}

#[test]
fn what_the_facts_do_not_allow_is_refused_and_changes_nothing() {
    let mut paused = Life::with("@hourly", |_| {});
    paused.step(Input::Pause);
    let mut running = Life::with("@hourly", |_| {});
    running.at(3600).due();
    let mut waiting = Life::with("@hourly", |task| task.overlap = Overlap::Queue);
    waiting.at(3600).due();
    waiting.by_hand();
    let idle = Life::with("@hourly", |_| {});
    let mut done = Life::with("now", |_| {});
    done.due();
    done.succeeds();
    let mut keyed = Life::with("@hourly", |task| task.concurrency_key = Some("db".to_owned()));
    keyed.by_hand();
    let slot = "Task is not running: its next run waits for a slot of the concurrency key \"db\"";
    let id = ExecutionId(Ulid(99));
    let by_hand = || Input::RunByHand { execution: id, params: None, origin: Origin::default() };
    let cases = [
        (&paused, Input::Pause, Refused::AlreadyPaused, "Task is already paused"),
        (&idle, Input::Resume, Refused::NotPaused, "Task is not paused"),
        (&done, Input::Resume, Refused::NotPaused, "Task is not paused"),
        (&running, by_hand(), Refused::AlreadyRunning, "Task is already running"),
        (&waiting, by_hand(), Refused::AlreadyWaiting, "Task already has a run waiting"),
        (&idle, Input::Cancel, Refused::Idle, "Task is not running"),
        (&keyed, Input::Cancel, Refused::Waits(Wait::Slot("db".to_owned())), slot),
    ];
    for (life, input, refused, words) in cases {
        let mut after = life.clone();
        assert_eq!(after.at(3601).try_step(input), Err(refused.clone()));
        assert_eq!(refused.to_string(), words);
        assert_eq!((&after.task, &after.rows), (&life.task, &life.rows));
    }
}

#[test]
fn a_run_by_hand_works_in_every_status_and_leaves_the_schedule_alone() {
    let active = Life::with("@hourly", |_| {});
    let mut paused = active.clone();
    paused.step(Input::Pause);
    let mut retrying = Life::with("@hourly", |task| task.max_retries = 1);
    retrying.at(3600).due();
    retrying.at(3601).fails();
    let mut failed = Life::with("@hourly", |_| {});
    failed.at(3600).due();
    failed.at(3601).fails();
    let mut completed = Life::with("now", |_| {});
    completed.due();
    completed.at(1).succeeds();
    let mut running = Life::with("@hourly", |task| task.overlap = Overlap::Allow);
    running.at(3600).due();
    let cases = [
        (active, "active"),
        (paused, "paused"),
        (retrying, "retry-scheduled"),
        (failed, "failed"),
        (completed, "completed"),
        (running, "running"),
    ];
    for (mut life, status) in cases {
        assert_eq!(life.status(), status);
        let next = life.task.facts.next;
        let step = life.at(3700).by_hand();
        assert_eq!((step.start.len(), step.start[0].trigger), (1, Trigger::Manual), "{status}");
        assert_eq!((life.status(), life.task.facts.next), ("running", next), "{status}");
    }
}

#[test]
fn a_run_by_hand_has_its_own_parameters_in_every_attempt() {
    let mut life = Life::with("@hourly", |task| task.max_retries = 1);
    let params: Map<String, Value> = json!({"day": "yesterday"}).as_object().cloned().unwrap_or_default();
    let execution = life.new_id();
    life.at(100).step(Input::RunByHand {
        execution,
        params: Some(params.clone()),
        origin: Origin::default(),
    });
    life.at(101).fails();
    let started = life.at(161).due();
    assert_eq!(started[0].occurrence.params, Some(params));
    assert_eq!(life.task.definition.params, Map::new());
    assert_eq!(life.history(), ["100s manual #1 failed", "100s retry #2 running"]);
}

#[test]
fn a_run_by_hand_of_a_paused_task_is_not_tried_again() {
    let mut life = Life::with("@hourly", |task| task.max_retries = 3);
    life.step(Input::Pause);
    life.at(100).by_hand();
    life.at(101).fails();
    assert_eq!((life.status(), life.task.facts.retries.len()), ("paused", 0));
    life.at(102).step(Input::Resume);
    assert_eq!((life.status(), life.next_run()), ("failed", Some(3600)));
}

#[test]
fn a_run_by_hand_that_succeeds_clears_a_pending_retry() {
    let mut life = Life::with("* * * * *", |task| (task.max_retries, task.retry_delay) = (2, 3_600_000));
    life.at(60).due();
    life.at(61).fails();
    life.at(200).by_hand();
    life.at(201).succeeds();
    assert_eq!((life.status(), life.next_run(), life.retrying()), ("active", Some(240), (0, None)));
    let history = ["60s schedule #1 failed", "200s manual #1 completed", "120s skipped retrying x2"];
    assert_eq!(life.history(), history);
}

#[test]
fn a_run_by_hand_that_fails_leaves_the_pending_retry_and_gets_its_own() {
    let mut life = Life::with("@daily", |task| (task.max_retries, task.retry_delay) = (1, 600_000));
    life.at(50_400).due();
    life.at(50_401).fails();
    life.at(50_500).by_hand();
    life.at(50_501).fails();
    let due: Vec<_> = life.task.facts.retries.iter().map(|retry| seconds(retry.due)).collect();
    assert_eq!(due, [51_001, 51_101]);
}

#[test]
fn runs_by_hand_follow_the_overlap_rule() {
    let mut queue = Life::with("@hourly", |task| task.overlap = Overlap::Queue);
    queue.at(3600).due();
    assert_eq!(queue.at(3605).by_hand().start, []);
    queue.at(3610).succeeds();
    assert_eq!(queue.due()[0].trigger, Trigger::Manual);
    assert_eq!(queue.history(), ["3600s schedule #1 completed", "3605s manual #1 running"]);

    let mut replace = Life::with("@hourly", |task| task.overlap = Overlap::Replace);
    let first = replace.at(3600).due()[0].execution;
    let step = replace.at(3605).by_hand();
    assert_eq!((step.start, step.cancel), (vec![], vec![first]));
    replace.at(3606).is_cancelled();
    assert_eq!(replace.due()[0].trigger, Trigger::Manual);
}

#[test]
fn a_cancelled_run_is_asked_to_end_and_nothing_else_changes() {
    let mut life = Life::with("@hourly", |task| task.overlap = Overlap::Allow);
    life.at(3600).due();
    life.by_hand();
    let running: Vec<_> = life.task.facts.running.iter().map(|run| run.execution).collect();
    let before = life.task.clone();
    let step = life.at(3601).step(Input::Cancel);
    assert_eq!((step.cancel, step.rows, step.task), (running, vec![], before));
}

#[test]
fn forgiving_failures_keeps_the_time_of_a_pending_retry() {
    let mut life = Life::with("@hourly", |task| task.max_retries = 2);
    life.at(3600).due();
    life.at(3601).fails();
    life.at(3610).step(Input::ResetRetries);
    assert_eq!((life.status(), life.next_run(), life.retrying()), ("retry-scheduled", Some(3661), (0, None)));
    life.at(3661).due();
    life.at(3662).fails();
    life.at(3722).due();
    life.at(3723).fails();
    assert_eq!(life.status(), "failed");
    let mut forgiven = life.clone();
    forgiven.at(3730).step(Input::ResetRetries);
    assert_eq!(
        (forgiven.status(), forgiven.next_run(), forgiven.retrying()),
        ("active", Some(7200), (0, None))
    );
    // A one-time task that failed has still failed.
    let mut once = Life::with("now", |_| {});
    once.due();
    once.fails();
    once.at(5).step(Input::ResetRetries);
    assert_eq!((once.status(), once.next_run()), ("failed", None));
}

#[test]
fn a_new_schedule_counts_from_its_change() {
    let mut life = Life::with("@hourly", |_| {});
    life.at(100).update(&json!({"schedule": "every 90s"}));
    assert_eq!((life.next_run(), life.task.facts.anchor), (Some(190), START + 100 * SECOND));
    life.at(150).update(&json!({"description": "what it is for"}));
    assert_eq!(life.next_run(), Some(190), "other fields leave the schedule alone");
    life.at(160).update(&json!({"schedule": "0 12 * * *", "timezone": "Europe/Berlin"}));
    assert_eq!(life.next_run(), Some(3600));
    life.at(170).update(&json!({"timezone": "UTC"}));
    assert_eq!(life.next_run(), Some(7200));
    life.at(180).update(&json!({"schedule": "2026-03-02T09:00:00Z", "recurring": false}));
    assert_eq!(life.due()[0].trigger, Trigger::Immediate);
    assert_eq!(life.history(), ["180s immediate #1 running"]);
}

#[test]
fn a_one_time_task_that_is_over_gets_another_run_with_another_moment() {
    let mut life = Life::with("now", |_| {});
    life.due();
    life.at(1).succeeds();
    life.at(100).update(&json!({"schedule": "2026-03-02T10:05:00Z"}));
    assert_eq!((life.status(), life.next_run()), ("active", Some(300)));
    life.at(300).due();
    life.at(301).succeeds();
    assert_eq!(life.status(), "completed");
}

#[test]
fn times_that_passed_under_the_old_schedule_are_accounted_for() {
    let change = json!({"schedule": "@daily"});
    let mut idle = Life::with("* * * * *", |_| {});
    idle.at(200).update(&change);
    assert_eq!(idle.history(), ["60s skipped misfire x3"]);
    let mut busy = Life::with("* * * * *", |_| {});
    busy.at(60).due();
    busy.at(200).update(&change);
    assert_eq!(busy.history(), ["60s schedule #1 running", "120s skipped overlap x2"]);
    let mut retrying = Life::with("* * * * *", |task| (task.max_retries, task.retry_delay) = (1, 600_000));
    retrying.at(60).due();
    retrying.at(61).fails();
    retrying.at(200).update(&change);
    assert_eq!(retrying.history(), ["60s schedule #1 failed", "120s skipped retrying x2"]);
    for life in [idle, busy, retrying] {
        assert_eq!(life.task.facts.next, Some(START + 50_400 * SECOND));
    }
}

#[test]
fn fewer_retries_end_a_chain_that_is_too_long_by_then() {
    let mut life = Life::with("@hourly", |task| task.max_retries = 3);
    life.at(3600).due();
    life.at(3601).fails();
    life.at(3661).due();
    life.at(3662).fails();
    let mut enough = life.clone();
    enough.at(3670).update(&json!({"maxRetries": 2}));
    assert_eq!((enough.status(), enough.next_run()), ("retry-scheduled", Some(3722)));
    life.at(3670).update(&json!({"maxRetries": 1}));
    assert_eq!((life.status(), life.next_run()), ("failed", Some(7200)));

    let mut stops = Life::with("@hourly", |task| {
        (task.max_retries, task.on_exhausted) = (1, OnExhausted::Stop);
    });
    stops.at(3600).due();
    stops.at(3601).fails();
    stops.at(3602).update(&json!({"maxRetries": 0}));
    assert_eq!((stops.status(), stops.next_run()), ("failed", None));
}

#[test]
fn fields_that_do_not_fit_are_refused_by_name() {
    let mut life = Life::with("now", |_| {});
    let before = life.task.clone();
    match life.at(1).try_update(&json!({"recurring": true})) {
        Err(Refused::Invalid(problems)) => assert_eq!(problems[0].field, "recurring"),
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(life.task, before);
}

#[test]
fn no_time_that_has_come_vanishes_when_the_plan_changes_before_it_is_decided_about() {
    type Change = fn(&mut Life);
    let pause: Change = |life| drop(life.step(Input::Pause));
    let update: Change = |life| drop(life.update(&json!({"schedule": "@daily"})));
    for change in [pause, update] {
        for late in [0, 200] {
            let mut life = Life::with("* * * * *", |_| {});
            change(life.at(60 + late));
            assert_eq!(life.history(), [format!("60s skipped misfire x{}", 1 + late / 60)]);
        }
    }
    for late in [0, 200] {
        let mut stopped = Life::with("* * * * *", |task| task.on_exhausted = OnExhausted::Stop);
        stopped.at(60).due();
        stopped.at(120 + late).fails();
        let skipped = format!("120s skipped misfire x{}", 1 + late / 60);
        assert_eq!(stopped.history(), ["60s schedule #1 failed", &skipped]);
        assert_eq!(stopped.next_run(), None);
    }
    // A moment that comes once waits for the resumption.
    let mut once = Life::with("2026-03-02T10:01:00Z", |_| {});
    once.at(70).step(Input::Pause);
    once.at(80).step(Input::Resume);
    assert_eq!((once.history(), once.next_run()), (vec![], Some(80)));
}

#[test]
fn times_pass_without_a_record_while_a_retry_is_held_back_by_a_pause() {
    let mut life = Life::with("* * * * *", |task| (task.max_retries, task.retry_delay) = (1, 600_000));
    life.at(60).due();
    life.at(61).fails();
    life.at(130).step(Input::Pause);
    life.at(500).by_hand();
    life.at(501).succeeds();
    life.at(510).step(Input::Resume);
    let history = ["60s schedule #1 failed", "120s skipped retrying x1", "500s manual #1 completed"];
    assert_eq!((life.history(), life.next_run()), (history.map(str::to_owned).to_vec(), Some(540)));
}

#[test]
fn a_run_by_hand_that_had_to_wait_starts_as_soon_as_the_task_is_idle() {
    for overlap in [Overlap::Queue, Overlap::Replace] {
        let mut retrying = Life::with("@hourly", |task| (task.overlap, task.max_retries) = (overlap, 1));
        retrying.at(3600).due();
        retrying.at(3605).by_hand();
        retrying.at(3606).fails();
        assert_eq!(retrying.due()[0].trigger, Trigger::Manual, "before the retry, {overlap:?}");

        let mut paused = Life::with("@hourly", |task| task.overlap = overlap);
        paused.at(3600).due();
        paused.at(3601).step(Input::Pause);
        paused.at(3605).by_hand();
        paused.at(3606).is_cancelled();
        assert_eq!(paused.due()[0].trigger, Trigger::Manual, "although it is paused, {overlap:?}");

        let mut stopped = Life::with("@hourly", |task| {
            (task.overlap, task.on_exhausted) = (overlap, OnExhausted::Stop);
        });
        stopped.at(3600).due();
        stopped.at(3605).by_hand();
        stopped.at(3606).fails();
        assert_eq!(stopped.due()[0].trigger, Trigger::Manual, "although it stopped, {overlap:?}");
    }
}

#[test]
fn what_waits_for_a_paused_task_otherwise_waits_for_its_resumption() {
    let mut life = Life::with("@hourly", |task| task.overlap = Overlap::Queue);
    life.at(3600).due();
    life.at(7200).due();
    life.at(7205).step(Input::Pause);
    life.at(7206).succeeds();
    assert_eq!((life.task.due(), life.due()), (None, vec![]));
    life.at(7300).step(Input::Resume);
    assert_eq!(life.due()[0].occurrence.scheduled_for, START + 2 * HOUR);
}

#[test]
fn a_run_by_hand_that_never_starts_is_found_under_the_id_its_user_was_told() {
    let mut life = Life::with("@hourly", |task| task.overlap = Overlap::Replace);
    life.at(3600).due();
    let step = life.at(3605).by_hand();
    let told = step.task.facts.waiting[0].execution;
    life.at(3610).by_hand();
    let row = &life.rows[&told];
    assert_eq!(
        (row.status, row.trigger, row.skipped_count),
        (ExecutionStatus::Skipped, Trigger::Manual, Some(1))
    );
    let newer = life.task.facts.waiting[0].execution;
    life.at(7200).due();
    assert_eq!(life.rows[&newer].reason, Some(Reason::Overlap));
    assert_eq!(life.rows.len(), 3, "nothing is counted twice: {:?}", life.history());
}

#[test]
fn another_zone_changes_nothing_where_no_clock_is_asked() {
    for schedule in ["now", "2026-03-02T09:00:00Z", "every 90s"] {
        let mut life = Life::with(schedule, |_| {});
        life.at(90).due();
        life.at(91).succeeds();
        let facts = life.task.facts.clone();
        life.at(100).update(&json!({"timezone": "Asia/Tokyo"}));
        assert_eq!(life.at(101).due(), [], "{schedule}");
        assert_eq!(life.task.facts, facts, "{schedule}");
    }
}

#[test]
fn a_run_by_hand_never_takes_the_time_of_another_occurrence() {
    let mut life = Life::with("every 100ms", |task| task.overlap = Overlap::Allow);
    // The runs planned for 100 and 200 ms are late.
    life.now = START + 200;
    let by_hand: Vec<_> = (0..3).map(|_| life.by_hand().start[0].occurrence.scheduled_for - START).collect();
    assert_eq!(by_hand, [201, 202, 203]);
    let planned: Vec<_> = life.due().iter().map(|start| start.occurrence.scheduled_for - START).collect();
    assert_eq!(planned, [100, 200]);
}

#[test]
fn nothing_else_is_planned_for_the_time_of_a_run_by_hand() {
    // Run by hand and resumed, or planned anew, in the same millisecond.
    let mut life = Life::with("2026-03-02T10:05:00Z", |task| task.overlap = Overlap::Allow);
    life.at(10).step(Input::Pause);
    let mut resumed = life.at(400).clone();
    assert_eq!(resumed.by_hand().start[0].occurrence.scheduled_for, resumed.now);
    let mut updated = resumed.clone();
    resumed.step(Input::Resume);
    updated.update(&json!({"schedule": "now"}));
    for life in [resumed, updated] {
        assert_eq!(life.task.facts.next, Some(life.now + 1));
    }
}
