//! Lists of the executions of all tasks, compared with a model that scans all rows.

use super::super::*;

/// Tasks of three handlers with rows of every status, and two runs in progress.
fn furnish(bench: &mut Bench, chance: &Chance) -> (Vec<Task>, Vec<Execution>) {
    use ExecutionStatus::{Cancelled, Completed, Failed, Skipped};
    let keeps = Definition { keep_executions: 1000, overlap: Overlap::Allow, ..definition("@hourly") };
    let handlers = ["a", "a/b", "ab"];
    let tasks: Vec<Task> = (0..6)
        .map(|n| {
            let handler = handlers[n % 3].to_owned();
            let tags = if n % 2 == 0 { vec!["even".to_owned()] } else { Vec::new() };
            bench.create(&format!("task {n}"), Definition { handler, tags, ..keeps.clone() })
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
        scope: chance
            .among(&[None, None, None, Some(&["a/*"][..]), Some(&["ab", "a"]), Some(&["*"]), Some(&[])])
            .map(|patterns| patterns.iter().map(|text| text.parse().expect("a pattern")).collect()),
        task,
        tag: chance.among(&[None, None, None, Some("even"), Some("odd")]).map(str::to_owned),
        scheduled_for: task.and(chance.among(&[None, None, Some(START + 3)])),
        from: chance.among(&[Millis::MIN, Millis::MIN, START, START + 20, START + 1000]),
        to: chance.among(&[Millis::MAX, Millis::MAX, START + 60, START + 21, START]),
        direction: chance.among(&[Direction::Descending, Direction::Descending, Direction::Ascending]),
        after: None,
        limit: chance.among(&[1, 7, 100, 1000]),
    }
}

/// The ids that a query lets through, in its order.
fn naive(tasks: &[Task], rows: &[Execution], query: &HistoryQuery) -> Vec<ExecutionId> {
    let mut chosen: Vec<_> = rows
        .iter()
        .filter(|row| query.statuses.is_empty() || query.statuses.contains(&row.status))
        .filter(|row| query.reasons.is_empty() || row.reason.is_some_and(|r| query.reasons.contains(&r)))
        .filter(|row| query.triggers.is_empty() || query.triggers.contains(&row.trigger))
        .filter(|row| query.handlers.as_ref().is_none_or(|handlers| handlers.contains(&row.handler)))
        .filter(|row| {
            query.scope.as_ref().is_none_or(|scope| scope.iter().any(|pattern| pattern.matches(&row.handler)))
        })
        .filter(|row| query.task.is_none_or(|task| task == row.task_id))
        .filter(|row| {
            let task = tasks.iter().find(|task| task.id == row.task_id).expect("a task");
            query.tag.as_ref().is_none_or(|tag| task.definition.tags.contains(tag))
        })
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
            assert_eq!(pages(bench, query.clone()), naive(&tasks, rows, &query), "{query:?}");
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

pub(crate) fn tasks_are_found_by_the_beginning_and_then_by_a_part_of_their_name(bench: &mut Bench) {
    for (name, handler) in
        [("Report", "a"), ("my report", "a/b"), ("reporting", "a"), ("report b", "c"), ("x", "a")]
    {
        bench.create(name, Definition { handler: handler.to_owned(), ..definition("@hourly") });
    }
    let find = |bench: &Bench, text: &str, scope: Option<&str>, limit| {
        let scope = scope.map(|pattern| vec![pattern.parse().expect("a pattern")]);
        let search = NameSearch { text: text.to_owned(), scope, limit };
        let (tasks, complete) = bench.wait(bench.store().find_by_name(search)).expect("it reads");
        assert!(complete);
        tasks.into_iter().map(|task| task.definition.name).collect::<Vec<_>>()
    };
    assert_eq!(find(bench, "report", None, 10), ["report b", "reporting", "Report", "my report"]);
    assert_eq!(find(bench, "report", None, 3), ["report b", "reporting", "Report"]);
    assert_eq!(find(bench, "RePoRt", Some("a/*"), 10), ["my report"]);
    assert_eq!(find(bench, "none", None, 10), Vec::<String>::new());
}

pub(crate) fn long_parameters_are_kept_apart_as_long_as_they_are_among_the_newest(bench: &mut Bench) {
    let keeps = Definition { overlap: Overlap::Allow, ..definition("@hourly") };
    let task = bench.create("task", keeps);
    let run = |bench: &mut Bench, time: Millis, params: &Map<String, Value>| {
        let execution = ExecutionId(bench.next_id());
        let input = Input::RunByHand { execution, params: Some(params.clone()), origin: Origin::default() };
        bench.step(task.id, START + time, input).expect("a run by hand is allowed");
        let row =
            bench.wait(bench.store().execution(task.id, execution)).expect("it reads").expect("it is there");
        bench.end(task.id, execution, START + time);
        row
    };
    let params = |n: usize, length: usize| {
        Map::from_iter([("n".to_owned(), json!(n)), ("text".to_owned(), json!("x".repeat(length)))])
    };
    let read = |bench: &Bench, row: &Execution| {
        let hash = row.params_hash.clone().expect("they are long");
        bench.wait(bench.store().params(task.id, hash)).expect("it reads")
    };
    let short = run(bench, 0, &params(0, 100));
    assert_eq!((short.params, short.params_hash), (Some(params(0, 100)), None));
    let rows: Vec<_> = (1..).zip(0..25).map(|(time, n)| run(bench, time, &params(n, 10_000))).collect();
    assert_eq!(rows[3].params, None);
    for reopened in [false, true] {
        if reopened {
            bench.reopen();
        }
        let kept: Vec<_> = (0..25).filter(|n| read(bench, &rows[*n]).is_some()).collect();
        assert_eq!(kept, (5..25).collect::<Vec<_>>());
        assert_eq!(read(bench, &rows[20]), Some(params(20, 10_000)));
    }
    let again = run(bench, 50, &params(24, 10_000));
    assert!(
        again.params_hash == rows[24].params_hash && read(bench, &rows[5]).is_some(),
        "they are there already"
    );
    bench.wait(bench.store().delete(task.id, None)).expect("it goes");
    bench.reopen();
    assert_eq!(read(bench, &rows[24]), None);
}

pub(crate) fn versions_of_a_handler_are_kept_with_their_runs_and_sources(bench: &mut Bench) {
    let note = |bench: &Bench, handler: &str, hash: u8, source: Option<&str>, time: Millis, runs: u64| {
        let runs = Runs { first_seen: time, last_seen: time, runs };
        let source = source.map(str::to_owned);
        let note = VersionNote { handler: handler.to_owned(), hash: [hash; 32], source, runs };
        bench.wait(bench.store().note_version(note)).expect("it is noted");
    };
    let versions = |bench: &Bench, handler: &str| {
        let found = bench.wait(bench.store().versions(handler.to_owned())).expect("it reads");
        found.into_iter().map(|version| (version.hash[0], version.runs)).collect::<Vec<_>>()
    };
    let source = |bench: &Bench, hash: u8| bench.wait(bench.store().source([hash; 32])).expect("it reads");
    note(bench, "a", 1, Some("first"), 5, 1);
    note(bench, "a", 2, Some("second"), 7, 2);
    note(bench, "a", 1, None, 9, 3);
    note(bench, "a/b", 2, Some("second"), 6, 1);
    let expected = [
        (1, Runs { first_seen: 5, last_seen: 9, runs: 4 }),
        (2, Runs { first_seen: 7, last_seen: 7, runs: 2 }),
    ];
    let records = super::super::copies::copy_all(bench, |_| {});
    let mut copy = Bench::new(bench.open);
    super::super::copies::import(&copy, &records).expect("it is empty");
    copy.reopen();
    for bench in [&*bench, &copy] {
        assert_eq!(versions(bench, "a"), expected);
        assert_eq!((versions(bench, "a/b").len(), versions(bench, "b")), (1, vec![]));
        assert_eq!(
            source(bench, 1).map(|found| (found.handler, found.text)),
            Some(("a".to_owned(), "first".to_owned()))
        );
        assert_eq!(source(bench, 3), None);
    }
    for hash in 0..KEPT_VERSIONS {
        let hash = 10 + u8::try_from(hash).expect("it fits");
        note(bench, "a", hash, Some("later"), 100 + Millis::from(hash), 1);
    }
    assert_eq!(versions(bench, "a").len(), KEPT_VERSIONS);
    assert_eq!(
        (source(bench, 1), source(bench, 2).map(|found| found.handler)),
        (None, Some("a/b".to_owned()))
    );
}
