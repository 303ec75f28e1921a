//! Executions: list, replace, prune, remove; their output.

use std::sync::Mutex;

use super::*;

pub(crate) mod queries;

pub(crate) fn rows_are_listed_newest_first_and_replaced_by_their_id(bench: &mut Bench) {
    let (task, other) = (bench.hourly("task"), bench.hourly("other"));
    let first = bench.run_by_hand(task.id, START + 1);
    bench.end(task.id, first, START + 2);
    let second = bench.run_by_hand(task.id, START + 3);
    bench.run_by_hand(other.id, START + 4);
    let page = bench.all_executions(task.id);
    let listed: Vec<_> = page.items.iter().map(|row| (row.id, row.status)).collect();
    let expected = [(second, ExecutionStatus::Running), (first, ExecutionStatus::Completed)];
    assert_eq!((&listed[..], page.total), (&expected[..], 2));
    assert_eq!(
        bench.wait(bench.store().execution(task.id, second)).expect("it reads").as_ref(),
        page.items.first()
    );
    assert_eq!(
        bench.wait(bench.store().execution(other.id, second)).expect("it reads"),
        None,
        "it is not of that task"
    );
}

pub(crate) fn only_as_many_rows_as_the_task_keeps_stay(bench: &mut Bench) {
    let keeps = Definition { keep_executions: 5, overlap: Overlap::Allow, ..definition("@hourly") };
    let task = bench.create("task", keeps);
    let in_progress = bench.run_by_hand(task.id, START);
    let mut ended = Vec::new();
    for n in 1..=20 {
        let execution = bench.run_by_hand(task.id, START + n * 10);
        let output = Output { execution, chunk: 0, lines: vec![line("said")] };
        bench.wait(bench.store().append(output)).expect("it is kept");
        bench.end(task.id, execution, START + n * 10 + 5);
        ended.push(execution);
        let page = bench.all_executions(task.id);
        assert_eq!(page.total, page.items.len() as u64);
        assert!(page.total <= 5 && page.items.iter().any(|row| row.id == in_progress), "{page:?}");
    }
    let page = bench.all_executions(task.id);
    let left: Vec<_> = page.items.iter().map(|row| row.id).collect();
    let newest: Vec<_> = ended.iter().rev().take(4).copied().chain([in_progress]).collect();
    assert_eq!(left, newest);
    for id in ended {
        let output = bench.wait(bench.store().outputs(vec![id], None)).expect("it reads").remove(0);
        assert_eq!(output.len(), usize::from(left.contains(&id)), "output goes with its row");
    }
}

pub(crate) fn an_end_that_does_not_stay_leaves_no_output(bench: &mut Bench) {
    let keeps = Definition { keep_executions: 2, overlap: Overlap::Allow, ..definition("@hourly") };
    let task = bench.create("task", keeps);
    let all: Vec<_> = (0..4).map(|n| bench.run_by_hand(task.id, START + n)).collect();
    let verdict = Box::new(Verdict::failed(Reason::Exception, "no luck"));
    let decide = bench.decision(START + 10, Input::Ended { execution: all[0], verdict });
    let output = Output { execution: all[0], chunk: 0, lines: vec![line("its last words")] };
    bench.wait(bench.store().change(task.id, decide, Some(output), None)).expect("it is in progress");
    // The newer executions are still in progress, and more than the task keeps.
    assert_eq!(bench.wait(bench.store().execution(task.id, all[0])).expect("it reads"), None);
    assert_eq!(bench.wait(bench.store().outputs(vec![all[0]], None)).expect("it reads").remove(0), []);
}

pub(crate) fn lists_of_executions_agree_with_a_naive_model(bench: &mut Bench) {
    use ExecutionStatus::{Completed, Failed, Running, Skipped};
    let statuses = [Completed, Failed, Running, Skipped];
    let triggers = [Trigger::Schedule, Trigger::Retry, Trigger::Manual];
    let chance = Chance::new(7);
    let task = bench.hourly("task");
    let mut rows: Vec<_> = (0..60)
        .map(|n| {
            let row = bench.row(&task, chance.among(&statuses), START + n);
            Execution { trigger: chance.among(&triggers), ..row }
        })
        .collect();
    bench.write_rows(task.id, rows.clone());
    rows.reverse();
    for _ in 0..300 {
        let query = ExecutionQuery {
            status: chance.among(&[None, Some(Completed), Some(Failed), Some(ExecutionStatus::Cancelled)]),
            trigger: chance.among(&[None, Some(Trigger::Retry), Some(Trigger::Manual)]),
            skip: chance.among(&[0, 1, 7, 30, 59, 60, usize::MAX]),
            limit: chance.among(&[1, 5, 50, 100]),
        };
        let chosen: Vec<_> = rows
            .iter()
            .filter(|row| query.status.is_none_or(|status| status == row.status))
            .filter(|row| query.trigger.is_none_or(|trigger| trigger == row.trigger))
            .cloned()
            .collect();
        let total = chosen.len() as u64;
        let items = chosen.into_iter().skip(query.skip).take(query.limit).collect();
        let found = bench.wait(bench.store().executions(task.id, query)).expect("it reads");
        assert_eq!(found, Page { items, total }, "{query:?}");
    }
}

pub(crate) fn old_history_is_counted_and_then_removed(bench: &mut Bench) {
    let keeps = Definition { keep_executions: 1000, ..definition("@hourly") };
    let (task, other) = (bench.create("task", keeps.clone()), bench.create("other", keeps));
    let day = 24 * HOUR;
    for task in [&task, &other] {
        // One execution a day, every tenth still in progress.
        let status = |n| if n % 10 == 0 { ExecutionStatus::Running } else { ExecutionStatus::Completed };
        let rows: Vec<_> = (0..100).map(|n| bench.row(task, status(n), START + n * day)).collect();
        let output = Output { execution: rows[1].id, chunk: 0, lines: vec![line("said")] };
        bench.write_rows(task.id, rows);
        bench.wait(bench.store().append(output)).expect("it is kept");
    }
    for n in 0..30 {
        let decide = bench.decision(START + n, if n % 2 == 0 { Input::Pause } else { Input::Resume });
        let audit = Some(audit(&task, START + n * day));
        bench.wait(bench.store().change(task.id, decide, None, audit)).expect("it is allowed");
    }
    let said = bench.all_executions(task.id).items[98].id;
    let remove = |bench: &Bench, before, only_count| {
        bench.wait(bench.store().remove_history(before, only_count)).expect("it is done")
    };
    let before = START + 50 * day;
    let expected = Removal { executions: 90, audit: 30 };
    assert_eq!(remove(bench, START, true), Removal::default());
    assert_eq!(remove(bench, before, true), expected);
    assert_eq!(bench.all_executions(task.id).total, 100, "it was only counted");
    assert_eq!(bench.wait(bench.store().outputs(vec![said], None)).expect("it reads").remove(0).len(), 1);
    assert_eq!(remove(bench, before, false), expected);
    assert_eq!(remove(bench, before, false), Removal::default());
    assert_eq!(bench.wait(bench.store().outputs(vec![said], None)).expect("it reads").remove(0), []);
    for task in [&task, &other] {
        let page = bench.all_executions(task.id);
        assert_eq!((page.total, page.items.len()), (55, 55), "those in progress stay");
        assert!(page.items[50..].iter().all(|row| row.status == ExecutionStatus::Running));
    }
}

pub(crate) fn others_are_served_while_much_history_is_removed(bench: &mut Bench) {
    let task = bench.create("task", Definition { keep_executions: 10_000, ..definition("@hourly") });
    let rows = (0..2000).map(|n| bench.row(&task, ExecutionStatus::Completed, START + n)).collect();
    bench.write_rows(task.id, rows);
    let order = Arc::new(Mutex::new(Vec::new()));
    let noted = |name: &'static str| {
        let order = order.clone();
        move || order.lock().expect("nobody panicked").push(name)
    };
    let (removed, put) = (noted("removed"), noted("put"));
    let removal = bench.store().remove_history(START + HOUR, false);
    let value = bench.store().put("key".to_owned(), json!(1));
    bench.runtime.block_on(async {
        let removal = bench.runtime.spawn(async move {
            let removal = removal.await;
            removed();
            removal
        });
        // The removal has been sent before the value.
        tokio::task::yield_now().await;
        let value = bench.runtime.spawn(async move {
            let value = value.await;
            put();
            value
        });
        value.await.expect("it ends").expect("it is kept");
        let removal = removal.await.expect("it ends").expect("it is done");
        assert_eq!(removal, Removal { executions: 2000, audit: 0 });
    });
    assert_eq!(*order.lock().expect("nobody panicked"), ["put", "removed"]);
}

pub(crate) fn history_is_counted_while_it_is_removed(bench: &mut Bench) {
    let task = bench.create("task", Definition { keep_executions: 10_000, ..definition("@hourly") });
    let rows = (0..500).map(|n| bench.row(&task, ExecutionStatus::Completed, START + n)).collect();
    bench.write_rows(task.id, rows);
    let removal = bench.store().remove_history(START + HOUR, false);
    let counts: Vec<_> = (0..5).map(|_| bench.store().remove_history(START + HOUR, true)).collect();
    let counted = bench.runtime.block_on(async {
        let removal = bench.runtime.spawn(removal);
        let counts: Vec<_> = counts.into_iter().map(|count| bench.runtime.spawn(count)).collect();
        let mut counted = Vec::new();
        for count in counts {
            counted.push(count.await.expect("it ends").expect("it counts").executions);
        }
        assert_eq!(removal.await.expect("it ends").expect("it is done").executions, 500);
        counted
    });
    assert!(counted[0] > 0 && counted.is_sorted_by(|a, b| a >= b), "{counted:?}");
}

fn append(bench: &Bench, execution: ExecutionId, chunk: u32, lines: Vec<Line>) {
    bench.wait(bench.store().append(Output { execution, chunk, lines })).expect("it is kept");
}

fn messages(bench: &Bench, execution: ExecutionId, tail: Option<usize>) -> Vec<String> {
    let lines = bench.wait(bench.store().outputs(vec![execution], tail)).expect("it reads").remove(0);
    lines.into_iter().map(|line| line.message).collect()
}

fn execution(bench: &mut Bench) -> ExecutionId {
    let task = bench.hourly("task");
    bench.run_by_hand(task.id, START)
}

pub(crate) fn lines_come_back_in_the_order_they_were_written(bench: &mut Bench) {
    let execution = execution(bench);
    let other = ExecutionId(bench.next_id());
    let lines: Vec<_> = (0..300)
        .map(|n| Line { time: START + n, level: Level::Warn, message: format!("line {n} \u{1f600}\n") })
        .collect();
    for (chunk, lines) in (0..).zip(lines.chunks(7)) {
        append(bench, execution, chunk, lines.to_vec());
        append(bench, other, chunk, vec![line("of another")]);
    }
    assert_eq!(bench.wait(bench.store().outputs(vec![execution], None)).expect("it reads").remove(0), lines);
    bench.reopen();
    assert_eq!(bench.wait(bench.store().outputs(vec![execution], None)).expect("it reads").remove(0), lines);
    assert_eq!(messages(bench, other, None).len(), 43);
    assert_eq!(messages(bench, ExecutionId(Ulid(9)), None), [""; 0]);
}

pub(crate) fn long_lines_come_back_whole(bench: &mut Bench) {
    let execution = execution(bench);
    // Sizes around a backend's piece, with letters of several bytes across the cut.
    let lengths = [32_767, 32_768, 32_769, 65_536, 100_003, 1_000_000];
    let mut all = Vec::new();
    for (chunk, length) in (0..).zip(lengths) {
        let lines = vec![line("ä\"".repeat(length / 3)), line("")];
        all.extend(lines.clone());
        append(bench, execution, chunk, lines);
    }
    assert_eq!(bench.wait(bench.store().outputs(vec![execution], None)).expect("it reads").remove(0), all);
    let last: usize = 1_000_000 / 3 * 3;
    let tail = messages(bench, execution, Some(last + 11));
    assert_eq!(tail.iter().map(String::len).sum::<usize>(), last + 10, "a letter is not cut in two");
}

pub(crate) fn output_that_comes_with_a_change_is_kept_or_dropped_with_it(bench: &mut Bench) {
    let task = bench.hourly("task");
    let execution = bench.run_by_hand(task.id, START);
    let verdict = || Box::new(Verdict::failed(Reason::Timeout, "too long"));
    for (chunk, kept) in [(0, true), (1, false)] {
        let output = Some(Output { execution, chunk, lines: vec![line(format!("chunk {chunk}"))] });
        let decide = bench.decision(START + 1, Input::Ended { execution, verdict: verdict() });
        let result = bench.wait(bench.store().change(task.id, decide, output, None));
        assert_eq!(result.is_ok(), kept, "{result:?}");
    }
    assert_eq!(messages(bench, execution, None), ["chunk 0"]);
}

pub(crate) fn the_tail_is_the_last_bytes_and_has_no_holes(bench: &mut Bench) {
    let execution = execution(bench);
    append(bench, execution, 0, vec![line("one"), line("two")]);
    append(bench, execution, 1, vec![line("three")]);
    append(bench, execution, 2, vec![line(""), line("日本"), line("end")]);
    let cases: [(usize, &[&str]); 9] = [
        (0, &[]),
        (2, &["nd"]),
        (3, &["end"]),
        (6, &["本", "end"]),
        // The letter does not fit in the room left, and no earlier text takes that room.
        (8, &["本", "end"]),
        (9, &["日本", "end"]),
        (11, &["ee", "", "日本", "end"]),
        (20, &["one", "two", "three", "", "日本", "end"]),
        (9999, &["one", "two", "three", "", "日本", "end"]),
    ];
    for (tail, expected) in cases {
        assert_eq!(messages(bench, execution, Some(tail)), expected, "the last {tail} bytes");
    }
}
