//! Output of executions.

use super::*;

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
