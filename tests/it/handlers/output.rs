//! Limits of a run's output.

use serde_json::json;

use super::messages;
use crate::harness::{Options, Server};

#[test]
fn after_the_last_line_that_is_kept_one_more_says_so() {
    let server = Options::default().set("LIMITS__OUTPUT_LINES", "5").start();
    let source = |lines: u32| {
        format!(
            "module.exports = () => {{ for (let n = 1; n <= {lines}; n++) console.log('line', n); return 'done' }}"
        )
    };
    let whole = server.run_source("whole", &source(5), &json!({}));
    assert_eq!(whole["outputTruncated"], false);
    assert_eq!(messages(&whole), ["line 1", "line 2", "line 3", "line 4", "line 5"]);
    for lines in [6, 100_000] {
        let cut = server.run_source(&format!("cut-{lines}"), &source(lines), &json!({}));
        assert_eq!((&cut["outputTruncated"], &cut["result"]), (&json!(true), &json!("done")));
        let kept = messages(&cut);
        assert_eq!(kept[..5], messages(&whole)[..]);
        assert_eq!(kept.len(), 6, "one marker line: {kept:?}");
        assert_eq!(cut["output"][5]["level"], "warn", "{cut}");
    }
}

#[test]
fn bytes_are_counted_as_well_as_lines() {
    let server = Options::default().set("LIMITS__OUTPUT_BYTES", "1 KiB").start();
    let cases = [
        ("lines", "for (let n = 0; n < 50; n++) console.log('x'.repeat(100))"),
        ("one", "console.log('before'); console.log('ü'.repeat(5000)); console.log('after')"),
        ("object", "console.log({ text: 'x'.repeat(5000) })"),
        ("many", "console.log(...Array(500).fill('xxxxx'))"),
    ];
    for (name, body) in cases {
        let execution = server.run_source(name, &format!("module.exports = () => {{ {body} }}"), &json!({}));
        assert_eq!(
            (&execution["status"], &execution["outputTruncated"]),
            (&json!("completed"), &json!(true)),
            "{name}"
        );
        let mut kept = messages(&execution);
        let marker = kept.pop().expect("a marker");
        let bytes: usize = kept.iter().map(|line| line.len()).sum();
        assert!((900..=1024).contains(&bytes), "{name}: {bytes} bytes and {marker:?}");
        assert!(!kept.contains(&"after"), "{name}: what comes after the end is not kept");
    }
}

#[test]
fn the_defaults_are_a_mebibyte_and_ten_thousand_lines() {
    let server = Server::start();
    let lines = "module.exports = () => { for (let n = 0; n < 10_005; n++) console.log(n) }";
    let lines = server.run_source("lines", lines, &json!({}));
    assert_eq!(lines["output"].as_array().map(Vec::len), Some(10_001));
    assert_eq!(lines["output"][9999]["message"], "9999");
    let bytes = "module.exports = () => { for (let n = 0; n < 2000; n++) console.log('x'.repeat(1024)) }";
    let bytes = server.run_source("bytes", bytes, &json!({}));
    let kept: usize = messages(&bytes).iter().map(|line| line.len()).sum();
    assert!((1_040_000..=1_049_000).contains(&kept), "{kept} bytes");
    assert_eq!(bytes["outputTruncated"], true);
}

#[test]
fn a_run_that_is_killed_still_shows_its_last_lines() {
    let server = Server::start();
    let source =
        "module.exports = () => { for (let n = 0; n < 1000; n++) console.log('line', n); for (;;); }";
    let execution = server.run_source("stuck", source, &json!({ "timeout": 4000 }));
    assert_eq!(execution["reason"], "timeout");
    assert_eq!(messages(&execution).last(), Some(&"line 999"));
    assert_eq!(execution["output"].as_array().map(Vec::len), Some(1000));
}
