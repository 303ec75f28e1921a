//! Tasks: create, change, delete.

use super::*;
use crate::domain::definition::after::{After, On, Predecessor};

pub(crate) fn a_task_is_kept_until_it_is_deleted(bench: &mut Bench) {
    let mut definition = definition("@hourly");
    let params = json!({"deep": [{"number": 0.1, "text": "\u{0}ä\u{1f600}"}], "large": u64::MAX, "long": "x".repeat(200_000)});
    definition.params = params.as_object().cloned().expect("an object");
    let task = bench.create("kept", definition);
    let other = bench.hourly("other");
    assert_eq!(bench.read(task.id), task);
    bench.reopen();
    assert_eq!(bench.read(task.id), task);

    assert_eq!(bench.wait(bench.store().delete(task.id, None)).expect("it goes"), task);
    assert_eq!(bench.wait(bench.store().task(task.id)).expect("it reads"), None);
    assert_eq!(bench.names(), ["other"]);
    let gone = bench.step(task.id, START, Input::Pause);
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
    let gone = bench.wait(bench.store().delete(task.id, None));
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
    assert_eq!(bench.read(other.id), other);
}

pub(crate) fn a_name_belongs_to_one_task(bench: &mut Bench) {
    let taken = |result: Result<(), StoreError>| match result {
        Err(StoreError::NameTaken(name)) => name,
        other => panic!("the name is not taken: {other:?}"),
    };
    let rename = |bench: &mut Bench, task: &Task, name: &str| {
        let body = json!({ "name": name });
        let draft = crate::domain::draft::Draft::read(body.as_object().expect("an object"));
        bench.step(task.id, START, Input::Update(Box::new(draft.expect("valid")))).map(drop)
    };
    let first = bench.hourly("first");
    let second = bench.hourly("second");
    let again = bench.task("first", definition("@daily"));
    assert_eq!(taken(bench.wait(bench.store().create(again.clone(), None))), "first");
    assert_eq!(bench.wait(bench.store().task(again.id)).expect("it reads"), None);
    assert_eq!(taken(rename(bench, &second, "first")), "first");
    assert_eq!(bench.read(second.id), second, "nothing of it is changed");

    rename(bench, &first, "third").expect("the name is free");
    assert_eq!(taken(rename(bench, &second, "third")), "third");
    rename(bench, &second, "first").expect("the name was given up");
    bench.wait(bench.store().delete(second.id, None)).expect("it goes");
    bench.wait(bench.store().create(again, None)).expect("the name is free once more");
    assert_eq!(bench.names(), ["first", "third"]);
}

pub(crate) fn a_refused_change_leaves_nothing_behind(bench: &mut Bench) {
    let task = bench.hourly("task");
    let execution = bench.run_by_hand(task.id, START + 1);
    let before = (bench.read(task.id), bench.all_executions(task.id));
    let output = Some(Output { execution, chunk: 0, lines: vec![line("never")] });
    let decide = bench.decision(START + 2, Input::Resume);
    let refused = bench.wait(bench.store().change(task.id, decide, output, Some(audit(&task, START))));
    assert!(matches!(refused, Err(StoreError::Refused(Refused::NotPaused))), "{refused:?}");
    assert_eq!((bench.read(task.id), bench.all_executions(task.id)), before);
    assert_eq!(bench.wait(bench.store().outputs(vec![execution], None)).expect("it reads").remove(0), []);
    let counted = bench.wait(bench.store().remove_history(START + HOUR, true)).expect("it counts");
    assert_eq!(counted, Removal { executions: 0, audit: 0 });
}

pub(crate) fn a_change_sees_what_the_one_before_it_did(bench: &mut Bench) {
    let task = bench.create("task", Definition { overlap: Overlap::Allow, ..definition("@hourly") });
    // All changes are sent at once, so that they may share a commit.
    let changes: Vec<_> = (0..300)
        .map(|n| {
            let execution = ExecutionId(bench.next_id());
            let decide = bench
                .decision(START + n, Input::RunByHand { execution, params: None, origin: Origin::default() });
            bench.store().change(task.id, decide, None, None)
        })
        .collect();
    bench.runtime.block_on(async {
        let asked: Vec<_> = changes.into_iter().map(|change| bench.runtime.spawn(change)).collect();
        for change in asked {
            change.await.expect("it ends").expect("it is allowed");
        }
    });
    assert_eq!(bench.read(task.id).facts.running.len(), 300);
    assert_eq!(bench.wait(bench.store().running()).expect("it reads").len(), 300);
    // Executions in progress are not pruned.
    assert_eq!(bench.all_executions(task.id).total, 300);
}

pub(crate) fn a_task_in_progress_is_not_deleted(bench: &mut Bench) {
    let task = bench.hourly("task");
    let execution = bench.run_by_hand(task.id, START + 1);
    match bench.wait(bench.store().delete(task.id, None)) {
        Err(StoreError::InProgress(running)) => assert_eq!(running, [execution]),
        other => panic!("it is deleted: {other:?}"),
    }
    bench.end(task.id, execution, START + 2);
    bench.wait(bench.store().delete(task.id, None)).expect("it goes");
}

pub(crate) fn a_deleted_task_takes_its_history_with_it(bench: &mut Bench) {
    let keeps = Definition { keep_executions: 10_000, ..definition("@hourly") };
    let (task, other) = (bench.create("task", keeps.clone()), bench.create("other", keeps));
    for task in [&task, &other] {
        let rows: Vec<_> = (0..200).map(|n| bench.row(task, ExecutionStatus::Completed, START + n)).collect();
        for chunk in 0..3 {
            let output = Output { execution: rows[100].id, chunk, lines: vec![line("x".repeat(50_000))] };
            bench.wait(bench.store().append(output)).expect("it is kept");
        }
        bench.write_rows(task.id, rows);
    }
    let all = bench.all_executions(task.id);
    bench.wait(bench.store().delete(task.id, None)).expect("it goes");
    // Each commit removes at least one small part of the history: 200 commits suffice for 200 rows.
    for n in 0..200 {
        bench.wait(bench.store().put("tick".to_owned(), n.into())).expect("it is kept");
    }
    for row in &all.items {
        assert_eq!(bench.wait(bench.store().execution(task.id, row.id)).expect("it reads"), None);
        assert_eq!(bench.wait(bench.store().outputs(vec![row.id], None)).expect("it reads").remove(0), []);
    }
    assert_eq!(bench.all_executions(task.id), Page { items: vec![], total: 0 });
    let counted = bench.wait(bench.store().remove_history(START + HOUR, true)).expect("it counts");
    assert_eq!((bench.all_executions(other.id).total, counted.executions), (200, 200));
}

pub(crate) fn the_next_due_time_and_what_runs_follow_every_change(bench: &mut Bench) {
    let next_due =
        |bench: &Bench| bench.wait(bench.store().next_due()).expect("it reads").map(|due| due - START);
    let running = |bench: &Bench| bench.wait(bench.store().running()).expect("it reads");
    assert_eq!(next_due(bench), None);
    let daily = bench.create("daily", definition("@daily"));
    assert_eq!(next_due(bench), Some(14 * HOUR));
    let hourly = bench.hourly("hourly");
    assert_eq!((next_due(bench), running(bench)), (Some(HOUR), vec![]));
    let execution = bench.run_by_hand(hourly.id, START + 1);
    assert_eq!((next_due(bench), running(bench)), (Some(HOUR), vec![(hourly.id, execution)]));
    bench.end(hourly.id, execution, START + 2);
    assert_eq!(running(bench), []);
    bench.step(hourly.id, START + 3, Input::Pause).expect("it is not paused");
    assert_eq!(next_due(bench), Some(14 * HOUR));
    bench.step(hourly.id, START + 2 * HOUR, Input::Resume).expect("it is paused");
    assert_eq!(next_due(bench), Some(3 * HOUR));
    bench.wait(bench.store().delete(hourly.id, None)).expect("it goes");
    assert_eq!(next_due(bench), Some(14 * HOUR));
    bench.wait(bench.store().delete(daily.id, None)).expect("it goes");
    assert_eq!(next_due(bench), None);
}

fn follower(bench: &mut Bench, name: &str, of: TaskId) -> Task {
    bench.create(name, following(of))
}

pub(super) fn following(of: TaskId) -> Definition {
    Definition { after: Some(After { task_id: of, on: On::End }), ..definition("never") }
}

/// Runs the task by hand to its end.
pub(super) fn run(bench: &mut Bench, task: TaskId) -> ExecutionId {
    let execution = ExecutionId(bench.next_id());
    bench
        .step(task, START, Input::RunByHand { execution, params: None, origin: Origin::default() })
        .expect("it runs");
    let ending = Ending::Completed { result: json!(["the result"]) };
    let verdict = Box::new(Verdict::of(ending));
    bench.step(task, START, Input::Ended { execution, verdict }).expect("it ends");
    execution
}

pub(super) fn inform_successors(bench: &mut Bench, most: usize) -> (Vec<TaskId>, bool) {
    let ids: Vec<_> = (0..most).map(|_| ExecutionId(bench.next_id())).collect();
    let mut next = 0;
    let decide: SuccessorDecision = Box::new(move |task: &Task, end: &Predecessor, now| {
        let mut new_id = || {
            next += 1;
            ids[next % ids.len()]
        };
        let input = Input::Follow(Box::new(end.clone()));
        task.step(
            input,
            &mut Circumstances { now, roll: 0.0, new_id: &mut new_id, policy: Policy::default() },
        )
    });
    let told = bench.wait(bench.store().inform_successors(most, decide)).expect("it tells");
    for step in &told.steps {
        let after = step.task.facts.waiting[0].occurrence.after.as_ref().expect("its predecessor");
        assert_eq!(after.result, Some(json!(["the result"])));
        assert_eq!(bench.read(step.task.id), step.task);
    }
    (told.steps.iter().map(|step| step.task.id).collect(), told.more)
}

pub(crate) fn an_end_is_told_to_each_successor_once(bench: &mut Bench) {
    let first = bench.create("first", definition("never"));
    let lonely = bench.create("lonely", definition("never"));
    let all: Vec<_> = (0..5).map(|n| follower(bench, &format!("after {n}"), first.id).id).collect();
    run(bench, lonely.id);
    assert_eq!(bench.read(lonely.id).facts.untold, [], "nobody follows");
    assert_eq!(inform_successors(bench, 10), (vec![], false));
    let execution = run(bench, first.id);
    assert_eq!(bench.read(first.id).facts.untold[0].end.execution_id, execution);
    let (two, more) = inform_successors(bench, 2);
    assert_eq!((&two[..], more), (&all[..2], true));
    bench.reopen();
    let mut rest = Vec::new();
    loop {
        let (told, more) = inform_successors(bench, 2);
        rest.extend(told);
        if !more {
            break;
        }
    }
    assert_eq!(rest, all[2..]);
    assert_eq!(bench.read(first.id).facts.untold, []);
    assert_eq!(inform_successors(bench, 10), (vec![], false));
}

pub(crate) fn a_task_follows_no_stranger_and_not_itself(bench: &mut Bench) {
    let refused = |answer: Result<(), StoreError>| match answer {
        Err(StoreError::Refused(Refused::Invalid(problems))) => problems[0].problem.clone(),
        other => panic!("{other:?}"),
    };
    let stranger = bench.task("stranger", following(TaskId(Ulid(7))));
    assert_eq!(refused(bench.wait(bench.store().create(stranger, None))), "names no task");
    let first = bench.hourly("first");
    let second = follower(bench, "second", first.id);
    let third = follower(bench, "third", second.id);
    let follow = |bench: &mut Bench, task: TaskId, of: TaskId| {
        let decide: Decision = Box::new(move |task, _| {
            let mut task = task.clone();
            task.definition.after = Some(After { task_id: of, on: On::End });
            Ok(Step::to(task))
        });
        bench.wait(bench.store().change(task, decide, None, None)).map(drop)
    };
    let circle = refused(follow(bench, first.id, third.id));
    assert_eq!(
        circle,
        "makes a circle: \"first\" runs after \"third\" runs after \"second\" runs after \"first\""
    );
    assert!(refused(follow(bench, first.id, first.id)).contains("\"first\" runs after \"first\""));
    assert_eq!(bench.read(first.id).definition.after, None);
    follow(bench, third.id, first.id).expect("another one");
}

pub(crate) fn a_task_that_others_follow_is_not_deleted(bench: &mut Bench) {
    let first = bench.hourly("first");
    let second = follower(bench, "second", first.id);
    let refused = bench.wait(bench.store().delete(first.id, None));
    assert!(matches!(refused, Err(StoreError::Followed(name)) if name == "second"));
    bench.wait(bench.store().delete(second.id, None)).expect("nobody follows");
    bench.wait(bench.store().delete(first.id, None)).expect("nobody follows any more");
}
