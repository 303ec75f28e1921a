//! Copies: export while the store serves, import into an empty store.

use std::collections::BTreeMap;

use super::*;
use crate::store::copy::{Cursor, Import, Record};

/// Exports every record, in the order of the copy; calls `between` after each part.
pub(super) fn copy_all(bench: &mut Bench, mut between: impl FnMut(&mut Bench)) -> Vec<Record> {
    let mut records = Vec::new();
    let mut rest = Some(Cursor::default());
    while let Some(from) = rest {
        let part = bench.wait(bench.store().export(from)).expect("it reads");
        records.extend(part.records);
        rest = part.rest;
        between(bench);
    }
    records
}

pub(super) fn import(bench: &Bench, records: &[Record]) -> Result<(), StoreError> {
    for part in records.chunks(7) {
        bench.wait(bench.store().import(Import::Records(part.to_vec())))?;
    }
    bench.wait(bench.store().import(Import::Complete))
}

/// Writes records of every kind.
fn furnish(bench: &mut Bench) -> (Task, ExecutionId) {
    let keeps = Definition { keep_executions: 500, ..definition("@hourly") };
    let task = bench.create("task", keeps);
    let paused = bench.hourly("paused");
    bench.step(paused.id, START + 1, Input::Pause).expect("it is not paused");
    for n in 0..50 {
        let id = bench.run_by_hand(task.id, START + n * 10);
        for chunk in 0..2 {
            let lines = vec![line(format!("{n} {chunk}")), line("ä".repeat(20_000))];
            bench.wait(bench.store().append(Output { execution: id, chunk, lines })).expect("it is kept");
        }
        bench.end(task.id, id, START + n * 10 + 5);
    }
    let running = bench.run_by_hand(task.id, START + 5000);
    let gone = bench.hourly("gone");
    bench.run_by_hand(gone.id, START);
    let ended = bench.all_executions(gone.id).items[0].id;
    bench.end(gone.id, ended, START + 1);
    for n in 0..3 {
        let decide = bench.decision(START + n, if n % 2 == 0 { Input::Resume } else { Input::Pause });
        let audit = Some(audit(&paused, START + 7));
        bench.wait(bench.store().change(paused.id, decide, None, audit)).expect("it is allowed");
    }
    bench.wait(bench.store().delete(gone.id, Some(audit(&gone, START)))).expect("it goes");
    bench.wait(bench.store().put("key".to_owned(), json!({"a": [1, 2.5, null]}))).expect("it is kept");
    (task, running)
}

pub(crate) fn a_copy_has_everything_and_an_empty_store_takes_it_in(bench: &mut Bench) {
    let (task, running) = furnish(bench);
    let records = copy_all(bench, |_| {});
    let count = |kind: fn(&Record) -> bool| records.iter().filter(|record| kind(record)).count();
    assert_eq!(count(|record| matches!(record, Record::Task(_))), 2);
    assert_eq!(count(|record| matches!(record, Record::Execution(_))), 51, "none of a deleted task");
    assert_eq!(count(|record| matches!(record, Record::Output(_))), 100);
    assert_eq!(count(|record| matches!(record, Record::Audit(_))), 4);
    assert_eq!(count(|record| matches!(record, Record::Value { .. })), 1);

    let mut other = Bench::new(bench.open);
    import(&other, &records).expect("it is empty");
    for reopened in [false, true] {
        if reopened {
            other.reopen();
            assert_eq!(other.store().report().tasks, 2);
            assert!(other.store().report().rebuilt.is_empty(), "{:?}", other.store().report());
        }
        assert_eq!(copy_all(&mut other, |_| {}), records);
        let all = |bench: &Bench| {
            let store = bench.store();
            let page = bench.wait(store.tasks(everything())).expect("it reads");
            let outputs: Vec<_> = bench
                .all_executions(task.id)
                .items
                .iter()
                .map(|row| bench.wait(store.outputs(vec![row.id], None)).expect("it reads").remove(0))
                .collect();
            let removal = bench.wait(store.remove_history(START + HOUR, true)).expect("it counts");
            let due = (
                bench.wait(store.next_due()).expect("it reads"),
                bench.wait(store.running()).expect("it reads"),
            );
            (
                page,
                bench.all_executions(task.id),
                outputs,
                removal,
                due,
                bench.wait(store.get("key".to_owned())).expect("it reads"),
            )
        };
        assert_eq!(all(&other), all(bench));
    }
    // The imported store goes on.
    other.end(task.id, running, START + 6000);
    assert_eq!(other.all_executions(task.id).total, 51);
}

pub(crate) fn only_an_empty_store_takes_a_copy_in(bench: &mut Bench) {
    furnish(bench);
    let records = copy_all(bench, |_| {});
    let before = copy_all(bench, |_| {});
    assert!(matches!(import(bench, &records), Err(StoreError::NotEmpty)));
    bench.wait(bench.store().import(Import::Abandon)).expect("there is nothing to give up");
    assert_eq!(copy_all(bench, |_| {}), before, "nothing has changed");
    let mut other = Bench::new(bench.open);
    other.wait(other.store().put("key".to_owned(), json!(1))).expect("it is kept");
    assert!(matches!(import(&other, &records), Err(StoreError::NotEmpty)));
    assert_eq!(copy_all(&mut other, |_| {}).len(), 1);
}

pub(crate) fn a_copy_that_is_given_up_leaves_an_empty_store(bench: &mut Bench) {
    furnish(bench);
    let records = copy_all(bench, |_| {});
    let mut other = Bench::new(bench.open);
    let wait = |bench: &Bench, import| bench.wait(bench.store().import(import));
    wait(&other, Import::Records(records[..90].to_vec())).expect("it is empty");
    // A record that the store has already.
    wait(&other, Import::Records(records[..1].to_vec())).expect_err("the record occurs twice");
    wait(&other, Import::Abandon).expect("it is given up");
    assert_eq!(copy_all(&mut other, |_| {}), []);
    assert_eq!((other.names(), other.wait(other.store().next_due()).expect("it reads")), (Vec::new(), None));
    import(&other, &records).expect("it is empty");
    assert_eq!(copy_all(&mut other, |_| {}), records);
}

pub(crate) fn a_task_and_its_executions_are_of_one_moment_in_a_copy(bench: &mut Bench) {
    let keeps = Definition { keep_executions: 1000, overlap: Overlap::Skip, ..definition("@hourly") };
    let tasks: Vec<Task> = (0..40).map(|n| bench.create(&format!("task {n:02}"), keeps.clone())).collect();
    for task in &tasks {
        let rows: Vec<_> =
            (0..30).map(|n| bench.row(task, ExecutionStatus::Completed, START - 1000 + n)).collect();
        bench.write_rows(task.id, rows);
    }
    let mut parts = 0;
    let mut running: Vec<Option<ExecutionId>> = vec![None; tasks.len()];
    let records = copy_all(bench, |bench| {
        // Each task begins or ends a run.
        parts += 1;
        for (task, running) in tasks.iter().zip(&mut running) {
            match running.take() {
                Some(id) => bench.end(task.id, id, START + parts),
                None => *running = Some(bench.run_by_hand(task.id, START + parts)),
            }
        }
    });
    assert!(parts > 3, "it is copied in parts: {parts}");
    let mut rows: BTreeMap<TaskId, Vec<Execution>> = BTreeMap::new();
    for record in &records {
        if let Record::Execution(row) = record {
            rows.entry(row.task_id).or_default().push((**row).clone());
        }
    }
    let mut moments = BTreeMap::new();
    for record in &records {
        let Record::Task(task) = record else { continue };
        let rows = &rows[&task.id];
        let in_progress: Vec<_> =
            rows.iter().filter(|row| row.status == ExecutionStatus::Running).map(|row| row.id).collect();
        let by_the_task: Vec<_> = task.facts.running.iter().map(|run| run.execution).collect();
        assert_eq!(in_progress, by_the_task);
        assert!(rows.len() >= 30, "{}", rows.len());
        if let Some(last) = &task.facts.last_execution {
            let newest = rows.iter().max_by_key(|row| row.id).expect("rows");
            assert_eq!((newest.id, newest.status), (last.id, last.status));
        }
        *moments.entry(rows.len()).or_insert(0) += 1;
    }
    assert!(moments.len() > 1, "the tasks are from different moments: {moments:?}");
}

/// Everything moves to another backend and back, with nothing changed.
#[cfg(feature = "postgres")]
pub(crate) fn a_copy_moves_to_another_backend_and_back(bench: &mut Bench, other: Open) {
    let sorted = |records: Vec<Record>| {
        let texts = records.iter().map(|record| serde_json::to_string(record).expect("it is JSON"));
        let mut texts: Vec<_> = texts.collect();
        texts.sort();
        texts
    };
    let (task, running) = furnish(bench);
    let records = copy_all(bench, |_| {});
    let mut there = Bench::new(other);
    import(&there, &records).expect("it is empty");
    let copied = copy_all(&mut there, |_| {});
    assert_eq!(sorted(copied.clone()), sorted(records.clone()));
    let mut back = Bench::new(bench.open);
    import(&back, &copied).expect("it is empty");
    assert_eq!(sorted(copy_all(&mut back, |_| {})), sorted(records));
    back.end(task.id, running, START + 6000);
    there.end(task.id, running, START + 6000);
    // Only where many processes share a store does a row tell which one ended it.
    let mut ended = there.all_executions(task.id);
    ended.items.iter_mut().for_each(|row| row.node = None);
    assert_eq!(back.all_executions(task.id), ended);
}
