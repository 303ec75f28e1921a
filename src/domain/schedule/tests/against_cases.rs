//! Cases made by an independent implementation of Debian cron's rules.

use std::path::Path;

use serde::Deserialize;

use super::*;
use crate::domain::zone::parse_zone;

#[derive(Deserialize)]
struct Case {
    expression: String,
    timezone: String,
    after: Millis,
    next: Vec<Millis>,
}

fn check(file: &str, expected: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(file);
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(cases.len(), expected, "{file}");
    for Case { expression, timezone, after, next } in cases {
        let zone = parse_zone(&timezone).unwrap();
        let schedule = parse(&expression);
        let runs = std::iter::successors(Some(after), |after| schedule.next_after(*after, 0, zone));
        let found: Vec<Millis> = runs.skip(1).take(next.len()).collect();
        assert_eq!(found, next, "{expression} {timezone} {after}");
        let last = *next.last().unwrap();
        assert_eq!(
            schedule.newest_between(after, last, 100, 0, zone),
            next,
            "{expression} {timezone} {after}"
        );
        let passed = Passed { count: next.len() as u64, newest: Some(last) };
        assert_eq!(schedule.count_between(after, last, 0, zone), passed, "{expression} {timezone} {after}");
    }
}

#[test]
fn unix_expressions() {
    check("cron.json", 200);
}

#[test]
fn extended_expressions() {
    check("cron_extended.json", 18);
}
