//! The store as a whole: values, statistics, closing, reopening, concurrent operations.

use super::*;

pub(crate) fn values_are_kept_under_their_keys(bench: &mut Bench) {
    let put = |bench: &Bench, key: &str, value: Value| {
        bench.wait(bench.store().put(key.to_owned(), value)).expect("it is kept");
    };
    let get = |bench: &Bench, key: &str| bench.wait(bench.store().get(key.to_owned())).expect("it reads");
    assert_eq!(get(bench, "a"), None);
    put(bench, "a", json!({"list": [1, null, "ä"]}));
    put(bench, "ab", json!("other"));
    put(bench, "a", json!(2.5));
    assert_eq!(
        (get(bench, "a"), get(bench, "ab"), get(bench, "b")),
        (Some(json!(2.5)), Some(json!("other")), None)
    );
    bench.reopen();
    assert_eq!((get(bench, "a"), get(bench, "ab")), (Some(json!(2.5)), Some(json!("other"))));
}

pub(crate) fn values_are_changed_together_and_listed_by_the_start_of_their_keys(bench: &mut Bench) {
    let change = |bench: &Bench, changes: &[(&str, Option<Value>)]| {
        let changes = changes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let record = Audit { time: START, action: "changed".to_owned(), ..Audit::default() };
        bench.wait(bench.store().change_values(changes, Some(record))).expect("they are kept");
    };
    let list = |bench: &Bench, prefix: &str| {
        let values = bench.wait(bench.store().values(prefix.to_owned())).expect("it reads");
        values.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()
    };
    change(
        bench,
        &[("a/2", Some(json!(2))), ("a/1", Some(json!("one"))), ("a", Some(json!(0))), ("b", Some(json!(3)))],
    );
    change(bench, &[("a/\u{10ffff}", Some(json!(4))), ("a0", Some(json!(5)))]);
    assert_eq!(list(bench, "a/"), ["a/1=\"one\"", "a/2=2", "a/\u{10ffff}=4"]);
    change(bench, &[("a/1", None), ("a/2", Some(json!({"now": 2}))), ("none", None)]);
    assert_eq!(list(bench, "a"), ["a=0", "a/2={\"now\":2}", "a/\u{10ffff}=4", "a0=5"]);
    bench.reopen();
    assert_eq!(list(bench, "a/"), ["a/2={\"now\":2}", "a/\u{10ffff}=4"]);
    assert_eq!(bench.wait(bench.store().get("a/1".to_owned())).expect("it reads"), None);
    assert_eq!(list(bench, "c"), Vec::<String>::new());
    let records = bench.wait(bench.store().audits(AuditQuery::default())).expect("it reads").records;
    assert_eq!(records.len(), 3);
}

pub(crate) fn everything_is_still_there_after_reopening(bench: &mut Bench) {
    assert_eq!(bench.store().report().epoch, 1);
    let task = bench.hourly("task");
    let paused = bench.hourly("paused");
    bench.step(paused.id, START + 1, Input::Pause).expect("it is not paused");
    let ended = bench.run_by_hand(task.id, START + 1);
    let output = Output { execution: ended, chunk: 0, lines: vec![line("x".repeat(100_000))] };
    bench.wait(bench.store().append(output)).expect("it is kept");
    bench.end(task.id, ended, START + 2);
    let running = bench.run_by_hand(task.id, START + 3);
    let gone = bench.hourly("gone");
    bench.wait(bench.store().delete(gone.id, Some(audit(&gone, START)))).expect("it goes");
    bench.wait(bench.store().put("key".to_owned(), json!([1, 2]))).expect("it is kept");

    let all = |bench: &Bench| {
        let store = bench.store();
        (
            bench.wait(store.tasks(everything())).expect("it reads"),
            bench.all_executions(task.id),
            bench.wait(store.outputs(vec![ended], None)).expect("it reads").remove(0),
            (bench.wait(store.next_due()).expect("it reads"), bench.wait(store.running()).expect("it reads")),
            bench.wait(store.get("key".to_owned())).expect("it reads"),
        )
    };
    let before = all(bench);
    assert_eq!((before.0.total, before.1.total, before.2.len()), (2, 2, 1));
    assert_eq!(before.3, (Some(START + HOUR), vec![(task.id, running)]));
    for epoch in 2..=4 {
        bench.reopen();
        assert_eq!(all(bench), before);
        let clean = Report { epoch, tasks: 2, ..Report::default() };
        assert_eq!(bench.store().report(), clean, "no repair is needed");
    }
    let counted = bench.wait(bench.store().remove_history(START + HOUR, true)).expect("it counts");
    assert_eq!(counted, Removal { executions: 1, audit: 1 });
    // The reopened store goes on.
    bench.end(task.id, running, START + 4);
    assert_eq!(bench.all_executions(task.id).total, 2);
}

pub(crate) fn a_closed_store_refuses_changes(bench: &mut Bench) {
    let task = bench.hourly("task");
    bench.wait(bench.store().close()).expect("it closes");
    let other = bench.task("other", definition("@hourly"));
    let decide = bench.decision(START, Input::Pause);
    let due = bench.decision(START, Input::Due);
    let store = bench.store();
    let results = [
        bench.wait(store.create(other, None)),
        bench.wait(store.change(task.id, decide, None, None)).map(drop),
        bench.wait(store.claim(START, 1, due)).map(drop),
        bench.wait(store.append(Output {
            execution: ExecutionId(Ulid(1)),
            chunk: 0,
            lines: vec![line("a")],
        })),
        bench.wait(store.delete(task.id, None)).map(drop),
        bench.wait(store.remove_history(START, false)).map(drop),
        bench.wait(store.put("key".to_owned(), json!(1))),
        bench.wait(store.close()),
    ];
    for (index, result) in results.iter().enumerate() {
        assert!(matches!(result, Err(StoreError::Closed)), "operation {index}: {result:?}");
    }
}

pub(crate) fn what_many_ask_for_at_once_is_all_done(bench: &mut Bench) {
    const EACH: usize = 40;
    let names: Vec<_> = (0..EACH).map(|n| format!("task {n}")).collect();
    // Eight threads create tasks of the same names; for each name one of them succeeds.
    let wanted: Vec<Vec<Task>> =
        (0..8).map(|_| names.iter().map(|name| bench.task(name, definition("@hourly"))).collect()).collect();
    let store = bench.store.clone().expect("it is open");
    let created: Vec<Task> = std::thread::scope(|scope| {
        let threads: Vec<_> = wanted
            .into_iter()
            .map(|tasks| {
                let store = &store;
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                    let mut created = Vec::new();
                    for task in tasks {
                        match runtime.block_on(store.create(task.clone(), None)) {
                            Ok(()) => {
                                // An acknowledged task can be read at once.
                                assert_eq!(
                                    runtime.block_on(store.task(task.id)).expect("it reads").as_ref(),
                                    Some(&task)
                                );
                                created.push(task);
                            }
                            Err(error) => assert!(matches!(error, StoreError::NameTaken(_)), "{error}"),
                        }
                    }
                    created
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    drop(store);
    let mut by_name: Vec<_> = created.iter().map(|task| task.definition.name.clone()).collect();
    by_name.sort();
    let mut expected = names;
    expected.sort();
    assert_eq!((&by_name, &bench.names()), (&expected, &expected));
    bench.reopen();
    assert_eq!(bench.names(), expected);
    for task in created {
        assert_eq!(bench.read(task.id), task);
    }
}

pub(crate) fn statistics_count_what_there_is(bench: &mut Bench) {
    let task = bench.hourly("task");
    let paused = bench.hourly("paused");
    bench.step(paused.id, START + 1, Input::Pause).expect("it is not paused");
    bench.run_by_hand(task.id, START + 1);
    bench.wait(bench.store().put("key".to_owned(), json!(1))).expect("it is kept");
    let brief = bench.wait(bench.store().statistics(false)).expect("it counts");
    let detailed = bench.wait(bench.store().statistics(true)).expect("it counts");
    for statistics in [&brief, &detailed] {
        let count = |kind: &str| statistics["collections"][kind]["count"].clone();
        assert_eq!((count("tasks"), count("executions"), count("output")), (json!(2), json!(1), json!(0)));
        // Not every database tells its bytes: they are 0 then.
        assert!(statistics["bytesOnDisk"].is_u64(), "{statistics:?}");
    }
    assert_eq!(detailed["taskStatus"]["running"], json!(1));
    assert_eq!(detailed["taskStatus"]["paused"], json!(1));
    assert_eq!(detailed["taskStatus"]["active"], json!(0));
    assert!(!brief.contains_key("taskStatus"));
}

pub(crate) fn executions_that_a_process_left_in_progress_are_told_until_they_are_closed(bench: &mut Bench) {
    let abandoned = |bench: &Bench, most| bench.wait(bench.store().abandoned(most)).expect("it reads");
    assert_eq!(abandoned(bench, 10), []);
    let tasks = [bench.hourly("one"), bench.hourly("other")].map(|task| task.id);
    let runs = tasks.map(|task| (task, bench.run_by_hand(task, START + 1)));
    assert_eq!(abandoned(bench, 10), [], "this process runs them");
    bench.reopen();
    assert_eq!(abandoned(bench, 10), runs);
    assert_eq!(abandoned(bench, 1), runs[..1]);
    bench.end(runs[0].0, runs[0].1, START + 2);
    assert_eq!(abandoned(bench, 10), runs[1..]);
    bench.run_by_hand(runs[0].0, START + 3);
    assert_eq!(abandoned(bench, 10), runs[1..], "this process runs the new one");
    bench.end(runs[1].0, runs[1].1, START + 4);
    assert_eq!(abandoned(bench, 10), []);
}
