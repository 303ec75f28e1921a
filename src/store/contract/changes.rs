//! Tasks: create, change, delete.

use super::*;

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
