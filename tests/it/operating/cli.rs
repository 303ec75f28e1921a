//! The command line without a server: `run`, `next`, and errors.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use insta::assert_snapshot;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{ENDLESS, Home, signal_process, until};

#[test]
fn run_prints_what_the_handler_writes_and_returns() {
    let home = Home::new();
    home.write(
        "greet",
        "module.exports = async (params, ctx) => {
           console.log('Hello, %s!', params.name);
           console.warn('careful');
           return { attempt: ctx.attempt, trigger: ctx.trigger };
         };",
    );
    let ran = home.run(&["run", "greet", "--params", r#"{"name": "Ada"}"#]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert_snapshot!(ran.out(), @r#"
    Hello, Ada!
    {
      "attempt": 1,
      "trigger": "manual"
    }
    "#);
    assert!(ran.err().contains("careful"), "{ran:?}");
    assert!(ran.err().contains("completed after") && ran.err().contains("(CPU "), "{ran:?}");
    assert!(!home.data().exists(), "a run without a server leaves nothing behind");
}

#[test]
fn run_shows_a_syntax_error_with_its_file_its_place_and_its_line() {
    let home = Home::new();
    home.write("broken", "// A comment.\nmodule.exports = () => {\n  const answer = 6 * );\n};\n");
    let ran = home.run(&["run", "broken"]);
    assert_eq!(ran.code(), Some(1));
    assert_snapshot!(after_duration(&ran.err()), @"
    failed (load-error) after [n] ms: tasks/broken.js:3:22: SyntaxError: Unexpected token ')'
        const answer = 6 * );
                           ^
    ");
}

#[test]
fn run_shows_where_an_error_was_thrown() {
    let home = Home::new();
    home.write(
        "deep",
        "const check = require('./lib/check');\nmodule.exports = async () => {\n  check(7);\n};\n",
    );
    home.write(
        "lib/check",
        "module.exports = function check(n) {\n  throw new RangeError(`not ${n}`);\n};\n",
    );
    let ran = home.run(&["run", "deep"]);
    assert_eq!(ran.code(), Some(1));
    assert_snapshot!(after_duration(&ran.err()), @"
    failed (exception) after [n] ms: RangeError: not 7
      1 | module.exports = function check(n) {
    > 2 |   throw new RangeError(`not ${n}`);
        |         ^
      3 | };
    at check (tasks/lib/check.js:2:9)
    at module.exports (tasks/deep.js:3:3)
    ");
}

/// The text of `run` without the duration and the resources.
fn after_duration(text: &str) -> String {
    let text = text.lines().filter(|line| !line.starts_with("CPU ")).collect::<Vec<_>>().join("\n");
    let words = text.split(' ').collect::<Vec<_>>();
    let Some(at) = words.windows(3).position(|w| w[0] == "after" && w[2].starts_with("ms")) else {
        panic!("no duration in {text}")
    };
    assert!(words[at + 1].parse::<u64>().is_ok(), "{text}");
    let mut words = words;
    words[at + 1] = "[n]";
    words.join(" ")
}

#[test]
fn run_ends_with_one_when_the_handler_fails_and_two_when_it_was_asked_wrongly() {
    let home = Home::new();
    home.write("fails", "module.exports = () => ({ success: false, error: 'out of stock' })");
    home.write("loops", "module.exports = () => { for (;;); }");
    let cases: &[(&[&str], i32, &str)] = &[
        (&["run", "fails"], 1, "out of stock"),
        (&["run", "loops", "--timeout", "200"], 1, "timeout"),
        (&["run", "nobody"], 1, "fails, loops"),
        (&["run", "fails", "--params", "{"], 2, "--params"),
        (&["run", "fails", "--params", "[1]"], 2, "--params"),
        (&["run", "fails", "--timeout", "1"], 2, "--timeout"),
        (&["run", "fails", "--nonsense"], 2, "--nonsense"),
        (&["run"], 2, "<HANDLER>"),
    ];
    for (arguments, code, words) in cases {
        let ran = home.run(arguments);
        assert_eq!(ran.code(), Some(*code), "{arguments:?}: {ran:?}");
        assert!(ran.err().contains(words), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn run_ends_with_130_when_it_is_interrupted() {
    let home = Home::new();
    home.write("waits", ENDLESS);
    home.write("loops", "module.exports = () => { console.log('started'); for (;;); }");
    for handler in ["waits", "loops"] {
        let mut command = home.command(&["run", handler]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("its output"));
        stdout.read_line(&mut line).expect("a line");
        assert_eq!(line, "started\n");
        signal_process(child.id(), Signal::INT);
        let status = until("it ends", || child.try_wait().expect("its state"));
        assert_eq!(status.code(), Some(130), "{handler}");
    }
}

#[test]
fn next_shows_the_times_of_a_schedule() {
    let home = Home::new();
    let arguments =
        ["next", "0 9 * * 1", "--timezone", "Europe/Berlin", "--after", "1773000000000", "--count", "4"];
    let ran = home.run(&arguments);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert_snapshot!(ran.out(), @"
    At 09:00 on Monday
    Mon  2026-03-09T09:00:00+01:00
    Mon  2026-03-16T09:00:00+01:00
    Mon  2026-03-23T09:00:00+01:00
    Mon  2026-03-30T09:00:00+02:00
    ");
}

#[test]
fn next_as_json_has_the_shape_of_the_preview() {
    let home = Home::new();
    let ran = home.run(&["next", "every 90s", "--after", "1773000000000", "--count", "3", "--json"]);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let answer: Value = serde_json::from_str(&ran.out()).expect("JSON");
    let next = [90_000, 180_000, 270_000].map(|ms| 1_773_000_000_000_i64 + ms);
    assert_eq!(answer["next"], json!(next));
    assert_eq!(answer["scheduleType"], "interval");
    assert!(answer["description"].is_string() && answer["warnings"] == json!([]), "{answer}");
}

#[test]
fn next_ends_with_two_and_says_what_is_wrong_with_a_schedule() {
    let home = Home::new();
    let cases: &[(&[&str], &str)] = &[
        (&["next", "61 * * * *"], "minute"),
        (&["next", "* * 5/2 * *"], "day"),
        (&["next", "* * * *"], "fields"),
        (&["next", "every 5ms"], "100"),
        (&["next", "0 0 30 2 *"], "eight years"),
        (&["next", "@daily", "--timezone", "Mars/Olympus"], "Mars/Olympus"),
        (&["next", "@daily", "--count", "0"], "--count"),
        (&["next"], "<SCHEDULE>"),
    ];
    for (arguments, words) in cases {
        let ran = home.run(arguments);
        assert_eq!(ran.code(), Some(2), "{arguments:?}: {ran:?}");
        assert!(ran.err().contains(words), "{arguments:?}: {ran:?}");
        assert_eq!(ran.out(), "");
    }
}

#[test]
fn an_option_before_the_command_is_told_where_it_belongs() {
    let ran = Home::new().run(&["--data", "data", "store", "verify"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.err().contains("Put options after the subcommand"), "{ran:?}");
}

#[test]
fn a_wrong_setting_stops_the_start_and_is_explained() {
    let home = Home::new();
    let cases: &[(&str, &str, &[&str])] = &[
        ("ISOCHRON_SHUTDOWN_GRACE", "soon", &["ISOCHRON_SHUTDOWN_GRACE", "soon", "3600000"]),
        ("ISOCHRON_RUNNERS__MAX", "0", &["ISOCHRON_RUNNERS__MAX", "0", "1024"]),
        ("ISOCHRON_SHUTDOWN_GRASE", "1", &["ISOCHRON_SHUTDOWN_GRASE", "ISOCHRON_SHUTDOWN_GRACE"]),
        ("ISOCHRON_TIMEZONE", "Mars/Olympus", &["ISOCHRON_TIMEZONE", "Mars/Olympus"]),
        ("ISOCHRON_LOG", "a=b=c", &["ISOCHRON_LOG", "a=b=c"]),
    ];
    for (name, value, words) in cases {
        let output = home.command(&["--listen", "127.0.0.1:0"]).env(name, value).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{name}={value}: {output:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(words.iter().all(|word| error.contains(word)), "{name}={value}: {error}");
    }
    let output = home.command(&["serve"]).env("ISOCHRON_ADMIN_TOKEN", "too-short").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("ISOCHRON_ADMIN_TOKEN") && error.contains("16") && !error.contains("too-short"),
        "{error}"
    );
}
