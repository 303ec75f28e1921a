//! A handler that has broken out of V8 in a runner that puts its memory back: it reaches no later run.
//!
//! The intruder (`isochron runner --rewind --intrude ACT`) acts after each run, just before its process
//! goes to the checkpoint. Without the kernel's help there is no rewind and no intruder.

use super::runner::Runner;

/// What a run sees of the world: how numbers are rounded, and what is not its own.
const HANDLER: &str = "module.exports = () => {
    const seen = [0.1 + 0.2, 1 / 3, (2.5).toFixed(0), typeof globalThis.left];
    globalThis.left = 1;
    return seen;
};";
const CLEAN: &str = r#"[0.30000000000000004,0.3333333333333333,"3","undefined"]"#;

/// How many runs follow each other.
const RUNS: usize = 3;

/// Acts that end the process of the run.
const ENDS: [&str; 4] = ["stand-elsewhere", "run-on", "leave-bytes", "say-twice"];

/// Acts that the checkpoint undoes.
const UNDONE: [&str; 3] = ["stash", "round", "move-segments"];

/// Handlers that leave the memory in another shape, none of which outlasts the run.
const SHAPES: [&str; 6] = [
    "() => { const all = []; for (let i = 0; i < 50000; i++) all.push({ i, s: 'x' + i }); return all.length }",
    "() => { let text = ''; for (let i = 0; i < 300000; i++) text += String.fromCharCode(65 + i % 26); return /Z$/.test(text) }",
    "() => [1, 2, 3].map((n) => new Uint8Array(n << 22).fill(n).length)",
    "() => { let sum = 0; for (let i = 0; i < 3e6; i++) sum = (sum + i * i) % 1000003; return sum }",
    "() => JSON.stringify(JSON.parse(JSON.stringify(new Array(20000).fill({ a: [1, 'b'] })))).length",
    "async () => { for (let i = 0; i < 5; i++) await new Promise((go) => setTimeout(go, 1)); new Intl.Collator('sv'); }",
];

/// System calls whose effect would outlast the run.
const REFUSED: [&str; 10] = [
    "set-handler",
    "set-mask",
    "signal-stack",
    "name-thread",
    "take-sequence-back",
    "new-epoll",
    "new-event",
    "close",
    "advise",
    "thread",
];

/// The intruder's lines, and whether each run had a process of its own; nothing if there is no rewind.
fn intrude(act: &str) -> Option<(Vec<String>, bool)> {
    let mut runner = Runner::start(&["--rewind", "--intrude", act]);
    if runner.cell().is_none() {
        eprintln!("no rewind here");
        return None;
    }
    let mut cells = Vec::new();
    for round in 0..RUNS {
        cells.extend(runner.cell());
        runner.run(HANDLER);
        let end = format!("{:?}", runner.until_done().end);
        assert!(end.contains(&format!("{CLEAN:?}")), "{act}, run {round}: {end}");
        runner.until_ready();
    }
    assert_eq!(cells.len(), RUNS, "{act}");
    cells.dedup();
    let written = runner.end();
    let lines = written.lines().filter_map(|line| line.split("intruder: ").nth(1).map(str::to_owned));
    Some((lines.collect(), cells.len() == RUNS))
}

#[test]
fn a_process_in_which_a_run_left_something_for_the_next_one_is_ended() {
    for act in ENDS {
        if let Some((lines, is_replaced)) = intrude(act) {
            assert_eq!(lines, [""; 0], "{act}");
            assert!(is_replaced, "{act}: the process goes on");
        }
    }
}

/// A kernel refuses it, or the process is ended.
#[test]
fn a_run_that_grows_the_memory_leaves_its_process_to_the_next_one() {
    let mut runner = Runner::start(&["--rewind"]);
    let cell = runner.cell();
    if cell.is_none() {
        return;
    }
    for shape in SHAPES {
        for round in 0..RUNS {
            runner.run(&format!("module.exports = {shape}"));
            let end = format!("{:?}", runner.until_done().end);
            assert!(end.starts_with("Returned"), "{shape}: {end}");
            runner.until_ready();
            assert_eq!(runner.cell(), cell, "{shape}, run {round}");
        }
    }
}

#[test]
fn code_is_not_changed_for_a_later_run() {
    for act in ["write-code", "write-program", "write-kernel-code"] {
        if let Some((lines, is_replaced)) = intrude(act) {
            let is_refused = lines.len() == RUNS && lines.iter().all(|line| line.starts_with("failed: "));
            assert!(is_replaced || is_refused, "{act}: {lines:?}");
        }
    }
}

#[test]
fn the_checkpoint_undoes_what_a_run_did_to_memory_and_processor() {
    for act in UNDONE {
        if let Some((lines, is_replaced)) = intrude(act) {
            assert_eq!(lines, [""; 0], "{act}");
            assert!(!is_replaced, "{act}: there was no need for another process");
        }
    }
}

#[test]
fn a_run_makes_no_call_that_outlasts_it() {
    for call in REFUSED {
        if let Some((lines, is_replaced)) = intrude(call) {
            assert_eq!(lines, ["errno 38"; RUNS], "{call}");
            assert!(!is_replaced, "{call}");
        }
    }
}

/// Where the kernel notes on which processor a thread runs (rseq(2)).
const NOTED_BY_KERNEL: usize = 32;

#[test]
fn the_memory_before_a_run_is_that_before_the_first_one() {
    let mut runner = Runner::start(&["--rewind", "--compare"]);
    if runner.cell().is_none() {
        return;
    }
    // Often enough for the runner to learn anew which pages runs write.
    let shapes = SHAPES.iter().chain(SHAPES.iter().rev()).map(|shape| format!("module.exports = {shape}"));
    let handlers: Vec<_> = shapes.chain([HANDLER.to_owned()]).collect();
    for handler in handlers.iter().cycle().take(4 * handlers.len()) {
        runner.run(handler);
        runner.until_done();
        runner.until_ready();
    }
    let written = runner.end();
    let told: Vec<_> = written.lines().filter(|line| line.contains("bytes are not as they were")).collect();
    assert_eq!(told.len(), 4 * handlers.len(), "{written}");
    for line in told {
        let number = line.split_whitespace().find_map(|word| word.parse::<usize>().ok());
        assert!(number.is_some_and(|number| number <= NOTED_BY_KERNEL), "{line}");
    }
}
