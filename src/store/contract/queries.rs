//! Lists of the executions of all tasks, compared with a model that scans all rows.

use super::*;

/// Tasks of three handlers with rows of every status, and two runs in progress.
fn furnish(bench: &mut Bench, chance: &Chance) -> (Vec<Task>, Vec<Execution>) {
    use ExecutionStatus::{Cancelled, Completed, Failed, Skipped};
    let keeps = Definition { keep_executions: 1000, overlap: Overlap::Allow, ..definition("@hourly") };
    let handlers = ["a", "a/b", "ab"];
    let tasks: Vec<Task> = (0..6)
        .map(|n| {
            let handler = handlers[n % 3].to_owned();
            bench.create(&format!("task {n}"), Definition { handler, ..keeps.clone() })
        })
        .collect();
    let mut all = Vec::new();
    for n in 0..240 {
        let task = chance.among(&tasks.iter().collect::<Vec<_>>()).clone();
        let status = chance.among(&[Completed, Completed, Completed, Failed, Failed, Cancelled, Skipped]);
        let reason = match status {
            Failed => Some(chance.among(&[Reason::Timeout, Reason::Exception])),
            Cancelled => Some(Reason::Cancelled),
            Skipped => Some(Reason::Overlap),
            _ => None,
        };
        // Several rows share a time.
        let row = bench.row(&task, status, START + n / 3);
        let trigger = chance.among(&[Trigger::Schedule, Trigger::Retry, Trigger::Manual]);
        all.push(Execution { reason, trigger, scheduled_for: START + n % 7, ..row });
    }
    for task in &tasks {
        bench.write_rows(task.id, all.iter().filter(|row| row.task_id == task.id).cloned().collect());
    }
    for n in [10, 500] {
        let id = bench.run_by_hand(tasks[0].id, START + n);
        let row = bench.wait(bench.store().execution(tasks[0].id, id)).expect("it reads");
        all.push(row.expect("it is there"));
    }
    (tasks, all)
}

fn arbitrary(chance: &Chance, tasks: &[Task]) -> HistoryQuery {
    use ExecutionStatus::{Cancelled, Completed, Failed, Running, Skipped};
    let task = chance.among(&[None, None, Some(tasks[0].id), Some(tasks[4].id)]);
    HistoryQuery {
        statuses: chance
            .among(&[
                &[][..],
                &[][..],
                &[Failed],
                &[Completed],
                &[Running],
                &[Failed, Skipped, Running],
                &[Completed, Cancelled],
                &ExecutionStatus::ALL,
            ])
            .to_vec(),
        reasons: chance
            .among(&[&[][..], &[][..], &[Reason::Timeout], &[Reason::Overlap, Reason::Exception]])
            .to_vec(),
        triggers: chance
            .among(&[&[][..], &[][..], &[Trigger::Retry], &[Trigger::Manual, Trigger::Schedule]])
            .to_vec(),
        handlers: chance
            .among(&[None, None, Some(&["a"][..]), Some(&["a/b", "ab"]), Some(&["none"]), Some(&[])])
            .map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        task,
        scheduled_for: task.and(chance.among(&[None, None, Some(START + 3)])),
        from: chance.among(&[Millis::MIN, Millis::MIN, START, START + 20, START + 1000]),
        to: chance.among(&[Millis::MAX, Millis::MAX, START + 60, START + 21, START]),
        direction: chance.among(&[Direction::Descending, Direction::Descending, Direction::Ascending]),
        after: None,
        limit: chance.among(&[1, 7, 100, 1000]),
    }
}

/// The ids that a query lets through, in its order.
fn naive(rows: &[Execution], query: &HistoryQuery) -> Vec<ExecutionId> {
    let mut chosen: Vec<_> = rows
        .iter()
        .filter(|row| query.statuses.is_empty() || query.statuses.contains(&row.status))
        .filter(|row| query.reasons.is_empty() || row.reason.is_some_and(|r| query.reasons.contains(&r)))
        .filter(|row| query.triggers.is_empty() || query.triggers.contains(&row.trigger))
        .filter(|row| query.handlers.as_ref().is_none_or(|handlers| handlers.contains(&row.handler)))
        .filter(|row| query.task.is_none_or(|task| task == row.task_id))
        .filter(|row| query.scheduled_for.is_none_or(|time| time == row.scheduled_for))
        .filter(|row| query.from <= row.created_at && row.created_at < query.to)
        .collect();
    match query.task {
        Some(_) => chosen.sort_by_key(|row| row.id),
        None => chosen.sort_by_key(|row| (row.created_at, row.task_id, row.id)),
    }
    if query.direction == Direction::Descending {
        chosen.reverse();
    }
    chosen.into_iter().map(|row| row.id).collect()
}

/// Reads all pages of a query.
fn pages(bench: &Bench, mut query: HistoryQuery) -> Vec<ExecutionId> {
    let mut found = Vec::new();
    loop {
        let page = bench.wait(bench.store().history(query.clone())).expect("it reads");
        assert!(page.complete && page.rows.len() <= query.limit, "{query:?}");
        found.extend(page.rows.iter().map(|row| row.id));
        let Some(next) = page.next else { return found };
        assert!(Some(next) != query.after, "a page goes on: {query:?}");
        query.after = Some(next);
    }
}

pub(crate) fn lists_over_all_tasks_agree_with_a_naive_model(bench: &mut Bench) {
    let chance = Chance::new(11);
    let (tasks, mut rows) = furnish(bench, &chance);
    let agree = |bench: &Bench, rows: &[Execution]| {
        for _ in 0..150 {
            let query = arbitrary(&chance, &tasks);
            assert_eq!(pages(bench, query.clone()), naive(rows, &query), "{query:?}");
        }
    };
    agree(bench, &rows);
    bench.reopen();
    assert!(bench.store().report().rebuilt.is_empty(), "{:?}", bench.store().report());
    agree(bench, &rows);
    bench.wait(bench.store().remove_history(START + 15, false)).expect("it is removed");
    rows.retain(|row| row.created_at >= START + 15 || row.status == ExecutionStatus::Running);
    bench.wait(bench.store().delete(tasks[4].id, None)).expect("it goes");
    rows.retain(|row| row.task_id != tasks[4].id);
    bench.reopen();
    agree(bench, &rows);
}

pub(crate) fn a_list_goes_on_where_it_ended_while_rows_are_added_and_removed(bench: &mut Bench) {
    let keeps = Definition { keep_executions: 1000, ..definition("@hourly") };
    let task = bench.create("task", keeps);
    let rows: Vec<_> = (0..30).map(|n| bench.row(&task, ExecutionStatus::Completed, START + n)).collect();
    bench.write_rows(task.id, rows.clone());
    let mut query = HistoryQuery { limit: 10, ..HistoryQuery::default() };
    let first = bench.wait(bench.store().history(query.clone())).expect("it reads");
    assert_eq!(
        first.rows.iter().map(|row| row.created_at - START).collect::<Vec<_>>(),
        (20..30).rev().collect::<Vec<_>>()
    );
    let newer = (30..35).map(|n| bench.row(&task, ExecutionStatus::Completed, START + n)).collect();
    bench.write_rows(task.id, newer);
    bench.wait(bench.store().remove_history(START + 5, false)).expect("it is removed");
    query.after = first.next;
    query.limit = 100;
    let rest = bench.wait(bench.store().history(query)).expect("it reads");
    assert_eq!(
        rest.rows.iter().map(|row| row.created_at - START).collect::<Vec<_>>(),
        (5..20).rev().collect::<Vec<_>>()
    );
    assert_eq!((rest.next, rest.complete), (None, true));
}

pub(crate) fn an_execution_is_found_by_its_id_until_it_goes(bench: &mut Bench) {
    let task = bench.create("task", Definition { keep_executions: 1, ..definition("@hourly") });
    let locate = |bench: &Bench, id| bench.wait(bench.store().locate(id)).expect("it reads");
    let first = bench.run_by_hand(task.id, START + 1);
    assert_eq!(locate(bench, first), Some(task.id), "it is in progress");
    bench.end(task.id, first, START + 2);
    assert_eq!(locate(bench, first), Some(task.id));
    let second = bench.run_by_hand(task.id, START + 3);
    bench.end(task.id, second, START + 4);
    assert_eq!((locate(bench, first), locate(bench, second)), (None, Some(task.id)), "the task keeps one");
    bench.wait(bench.store().delete(task.id, None)).expect("it goes");
    bench.reopen();
    assert_eq!(locate(bench, second), None);
}

pub(crate) fn a_skip_that_grows_after_a_change_of_its_handler_is_listed_once(bench: &mut Bench) {
    let task = bench.hourly("task");
    let skip = bench.row(&task, ExecutionStatus::Skipped, START);
    let grown = Execution { handler: "new".to_owned(), skipped_count: Some(2), ..skip.clone() };
    bench.write_rows(task.id, vec![skip]);
    bench.write_rows(task.id, vec![grown.clone()]);
    let list = |bench: &Bench, handler: &str| {
        let handlers = Some(vec![handler.to_owned()]);
        let query = HistoryQuery { handlers, limit: 10, ..HistoryQuery::default() };
        bench.wait(bench.store().history(query)).expect("it reads").rows
    };
    assert_eq!((list(bench, &task.definition.handler), list(bench, "new")), (vec![], vec![grown]));
    bench.reopen();
    assert!(bench.store().report().rebuilt.is_empty(), "{:?}", bench.store().report());
}
