//! Claims of due tasks.

use super::*;

fn claim(bench: &mut Bench, until: Millis, most: usize) -> Vec<Step> {
    let decide = bench.decision(until, Input::Due);
    bench.claim(until, most, decide).expect("it claims")
}

fn names(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.task.definition.name.as_str()).collect()
}

/// A task that is due once, `minutes` after the start.
fn due_after(bench: &mut Bench, name: &str, minutes: Millis) -> Task {
    let moment = (START + minutes * 60_000).to_string();
    bench.create(name, definition(&moment))
}

pub(crate) fn what_is_due_is_decided_about_earliest_first_and_no_more_than_asked(bench: &mut Bench) {
    for (name, minutes) in [("fourth", 40), ("first", 10), ("fifth", 50), ("third", 30), ("second", 20)] {
        due_after(bench, name, minutes);
    }
    assert_eq!(claim(bench, START + 599_999, 10), []);
    let until = START + 40 * 60_000;
    assert_eq!(names(&claim(bench, until, 2)), ["first", "second"]);
    assert_eq!(names(&claim(bench, until, 0)), [""; 0]);
    assert_eq!(names(&claim(bench, until, 10)), ["third", "fourth"]);
    assert_eq!(claim(bench, until, 10), []);
    assert_eq!(bench.wait(bench.store().next_due()).expect("it reads"), Some(START + 50 * 60_000));
}

pub(crate) fn a_claim_writes_what_each_decision_says(bench: &mut Bench) {
    let task = bench.hourly("task");
    let steps = claim(bench, START + HOUR, 10);
    let [step] = &steps[..] else { panic!("one is due: {steps:?}") };
    let found = bench.read(task.id);
    assert_eq!((&found, found.facts.running.len()), (&step.task, 1));
    let id = step.start[0].execution;
    let row = bench.wait(bench.store().execution(task.id, id)).expect("it reads").expect("its row");
    assert_eq!((&row, row.status), (&step.rows[0], ExecutionStatus::Running));
    assert_eq!(bench.wait(bench.store().running()).expect("it reads"), [(task.id, id)]);
    assert_eq!(bench.wait(bench.store().next_due()).expect("it reads"), Some(START + 2 * HOUR));
    bench.reopen();
    assert_eq!(bench.read(task.id), found);
    assert_eq!(bench.wait(bench.store().running()).expect("it reads"), [(task.id, id)]);
}

pub(crate) fn one_that_is_not_due_yet_by_its_own_account_stays(bench: &mut Bench) {
    let early = due_after(bench, "early", 10);
    due_after(bench, "due", 11);
    let until = START + HOUR;
    let mut due = bench.decision(until, Input::Due);
    let decide: Decision =
        Box::new(move |task, now| if task.id == early.id { Err(Refused::NotYet) } else { due(task, now) });
    let steps = bench.claim(until, 10, decide).expect("it claims");
    assert_eq!(names(&steps), ["due"]);
    assert_eq!(names(&claim(bench, until, 10)), ["early"]);
}

pub(crate) fn one_that_cannot_be_decided_about_is_held_back_until_it_is_changed(bench: &mut Bench) {
    let broken = due_after(bench, "broken", 10);
    let idle = due_after(bench, "idle", 11);
    due_after(bench, "sound", 12);
    let until = START + HOUR;
    let mut due = bench.decision(until, Input::Due);
    let decide: Decision = Box::new(move |task, now| match task.definition.name.as_str() {
        "broken" => Err(Refused::Invalid(Vec::new())),
        "idle" => Ok(Step::to(task.clone())),
        _ => due(task, now),
    });
    let steps = bench.claim(until, 10, decide).expect("it claims");
    assert_eq!(names(&steps), ["sound"], "the others go on");
    assert_eq!(
        bench.wait(bench.store().next_due()).expect("it reads"),
        None,
        "the held-back task is not claimed again and again"
    );
    assert_eq!((bench.read(broken.id), bench.read(idle.id)), (broken.clone(), idle.clone()));

    for task in [broken, idle] {
        let changed = Task { updated_at: START + 1, ..task.clone() };
        let decide: Decision = Box::new(move |_, _| Ok(Step::to(changed.clone())));
        bench.wait(bench.store().change(task.id, decide, None, None)).expect("it changes");
        assert_eq!(bench.wait(bench.store().next_due()).expect("it reads"), task.due());
        assert_eq!(claim(bench, until, 10).len(), 1);
    }
}

pub(crate) fn claims_that_are_made_together_get_one_task_each(bench: &mut Bench) {
    for number in 0..20 {
        due_after(bench, &format!("task {number}"), 10 + number);
    }
    let until = START + HOUR;
    let claims: Vec<_> = (0..20)
        .map(|_| {
            let decide = bench.decision(until, Input::Due);
            bench.store().claim(HOUR, 1, decide)
        })
        .collect();
    let mut claimed = bench.runtime.block_on(async {
        let asked: Vec<_> = claims.into_iter().map(|claim| bench.runtime.spawn(claim)).collect();
        let mut claimed = Vec::new();
        for claim in asked {
            let steps = claim.await.expect("it ends").expect("it claims").steps;
            claimed.extend(steps.into_iter().map(|step| step.task.definition.name));
        }
        claimed
    });
    claimed.sort();
    assert_eq!(claimed, bench.names());
}

pub(crate) fn a_decision_is_given_the_time_of_the_store(bench: &mut Bench) {
    let task = bench.hourly("task");
    let seen = Arc::new(AtomicI64::new(0));
    let decide = |bench: &mut Bench, now, input| {
        let (seen, mut decide) = (seen.clone(), bench.decision(now, input));
        let decision: Decision = Box::new(move |task, now| {
            seen.store(now, Ordering::Relaxed);
            decide(task, now)
        });
        decision
    };
    bench.now.store(START + 7, Ordering::Relaxed);
    let pause = decide(bench, START + 7, Input::Pause);
    bench.wait(bench.store().change(task.id, pause, None, None)).expect("it is allowed");
    assert_eq!(seen.load(Ordering::Relaxed), START + 7);
    let resume = decide(bench, START + 7, Input::Resume);
    bench.wait(bench.store().change(task.id, resume, None, None)).expect("it is allowed");

    let due = decide(bench, START + HOUR, Input::Due);
    bench.now.store(START + HOUR - 20, Ordering::Relaxed);
    let claimed = bench.wait(bench.store().claim(20, 1, due)).expect("it claims");
    assert_eq!((claimed.until, claimed.steps.len()), (START + HOUR, 1), "it is due 20 ms ahead");
    assert_eq!(seen.load(Ordering::Relaxed), START + HOUR - 20);
}

pub(crate) fn a_task_that_is_due_later_than_asked_for_is_not_claimed(bench: &mut Bench) {
    bench.hourly("task");
    let due = bench.decision(START + HOUR, Input::Due);
    bench.now.store(START + HOUR - 20, Ordering::Relaxed);
    let claimed = bench.wait(bench.store().claim(19, 1, due)).expect("it claims");
    assert_eq!(claimed.steps, []);
}

pub(crate) fn what_is_due_is_claimed_by_priority_and_then_by_time(bench: &mut Bench) {
    let ranked = |bench: &mut Bench, name: &str, minutes: Millis, priority| {
        let moment = (START + minutes * 60_000).to_string();
        bench.create(name, Definition { priority, ..definition(&moment) })
    };
    ranked(bench, "low", 5, -10);
    ranked(bench, "lower", 10, -1);
    due_after(bench, "plain", 20);
    ranked(bench, "late and high", 40, 10);
    let changed = ranked(bench, "changed", 1, -10);
    ranked(bench, "high", 30, 10);
    let next = |bench: &Bench| bench.wait(bench.store().next_due()).expect("it reads");
    assert_eq!(next(bench), Some(START + 60_000), "whatever its priority");
    let decide: Decision = Box::new(|task, _| {
        let mut task = task.clone();
        task.definition.priority = 9;
        Ok(Step::to(task))
    });
    bench.wait(bench.store().change(changed.id, decide, None, None)).expect("it changes");
    let until = START + 30 * 60_000;
    assert_eq!(names(&claim(bench, until, 3)), ["high", "changed", "plain"]);
    bench.reopen();
    assert_eq!(next(bench), Some(START + 5 * 60_000));
    assert_eq!(names(&claim(bench, until, 10)), ["lower", "low"]);
    assert_eq!(next(bench), Some(START + 40 * 60_000));
}
