//! Results of a handler, and their records.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::run_all;
use crate::harness::{Server, field};

#[test]
fn what_survives_json_is_kept_as_json() {
    let server = Server::start();
    let cases: [(&str, Value); 27] = [
        ("undefined", json!(null)),
        ("null", json!(null)),
        ("0", json!(0)),
        ("-1.5e-7", json!(-1.5e-7)),
        ("2 ** 53", json!(9_007_199_254_740_992_u64)),
        ("NaN", json!(null)),
        ("''", json!("")),
        ("'\\u0000\\u2028💥'", json!("\u{0}\u{2028}💥")),
        ("false", json!(false)),
        ("[]", json!([])),
        ("[undefined, () => 1, Symbol()]", json!([null, null, null])),
        ("{}", json!({})),
        ("{ a: undefined, b: { c: [{ d: 1 }] } }", json!({ "b": { "c": [{ "d": 1 }] } })),
        ("{ z: 1, a: 2, 1: 3 }", json!({ "1": 3, "z": 1, "a": 2 })),
        ("new Date(0)", json!("1970-01-01T00:00:00.000Z")),
        ("{ when: new Date(86400000) }", json!({ "when": "1970-01-02T00:00:00.000Z" })),
        ("new Map([[1, 2]])", json!({})),
        ("new Uint8Array([7])", json!({ "0": 7 })),
        ("Object(1)", json!(1)),
        ("{ toJSON: () => 'shown' }", json!("shown")),
        ("JSON.parse('{\"__proto__\": 1}')", json!({ "__proto__": 1 })),
        ("Object.create(null)", json!({})),
        ("{ success: true }", json!({ "success": true })),
        ("{ success: 0 }", json!({ "success": 0 })),
        ("{ success: 'false' }", json!({ "success": "false" })),
        ("Object.create({ success: false })", json!({})),
        ("[{ success: false }]", json!([{ "success": false }])),
    ];
    let sources: Vec<_> =
        cases.iter().map(|(value, _)| format!("module.exports = async () => ({value})")).collect();
    for (number, (value, expected)) in cases.iter().enumerate() {
        let execution = server.run_source(&format!("case-{number}"), &sources[number], &json!({}));
        assert_eq!(
            field(&execution, ["status", "reason", "result"]),
            [json!("completed"), json!(null), expected.clone()],
            "{value}: {execution}"
        );
    }
}

#[test]
fn half_a_character_and_deep_nesting_survive_json_too() {
    let server = Server::start();
    let sources = [
        "module.exports = () => 'half: ' + '💥'[0]",
        "module.exports = () => { let deep = 1; for (let n = 0; n < 500; n++) deep = [deep]; return deep }",
    ];
    let errors = run_all(&server, sources).map(|execution| execution["error"].clone());
    assert_eq!(errors, [json!(null), json!(null)]);
}

#[test]
fn every_result_stays_in_the_history_however_deep_it_is_nested() {
    let mut server = Server::start();
    let source = "module.exports = ({ levels }) => {
        let deep = 1;
        for (let n = 0; n < levels; n++) deep = [deep];
        return { deep };
    }";
    let id = server.create_dormant("deep", source, &json!({}));
    for (levels, is_cut) in [(119, false), (120, true), (126, true), (127, true), (3000, true)] {
        let execution = server.run_with(&id, &json!({ "levels": levels }));
        assert_eq!(execution["status"], "completed", "{levels}: {execution}");
        assert_eq!(execution["result"]["truncated"] == true, is_cut, "{levels}: {execution}");
    }
    assert_eq!(server.executions(&id).len(), 5);
    server.check_health();

    server.signal(Signal::TERM);
    server.exit();
    let exported = server.home.run(&["store", "export", "copy"]);
    assert!(exported.out().contains("2 tasks, 6 executions"), "{exported:?}");
    fs::rename(server.home.data().join("store"), server.home.path().join("old")).expect("moved");
    let imported = server.home.run(&["store", "import", "copy"]);
    assert!(imported.out().contains("2 tasks, 6 executions"), "{imported:?}");
}

#[test]
fn what_does_not_survive_json_fails_and_says_why() {
    let server = Server::start();
    let cases = [
        ("const a = {}; a.self = a; return a", "circular"),
        ("return 7n", "BigInt"),
        ("return { deep: [{ id: 7n }] }", "result.deep[0].id"),
        ("return Symbol('x')", "symbol"),
        ("return () => 1", "function"),
        ("return class {}", "function"),
        ("return { get a() { throw new Error('no look') } }", "no look"),
        ("return { toJSON() { throw new RangeError('no form') } }", "no form"),
        ("return { toJSON() { return 7n } }", "BigInt"),
        ("return { toJSON: () => undefined }", "JSON"),
        ("return { get success() { throw new Error('no look') } }", "no look"),
        ("return new Proxy({}, { ownKeys() { throw new Error('no keys') } })", "no keys"),
        ("const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return { proxy }", "revoked"),
        ("return { toJSON() { throw null } }", "null"),
    ];
    for (number, (body, words)) in cases.into_iter().enumerate() {
        let source = format!("module.exports = () => {{ {body} }}");
        let execution = server.run_source(&format!("case-{number}"), &source, &json!({}));
        assert_eq!(
            field(&execution, ["status", "reason", "result"]),
            [json!("failed"), json!("bad-result"), json!(null)],
            "{body}: {execution}"
        );
        let error = execution["error"].as_str().expect("a text");
        assert!(error.contains(words), "{body}: {error}");
    }
}

#[test]
fn a_reported_failure_takes_its_message_from_the_error() {
    let server = Server::start();
    let cases = [
        ("{ success: false, error: 'no' }", "no"),
        ("{ success: false }", "the handler returned success: false"),
        ("{ success: false, error: '' }", "the handler returned success: false"),
        ("{ success: false, error: new TypeError('inside') }", "inside"),
        ("{ success: false, error: { code: 7 } }", "{ code: 7 }"),
        ("{ success: false, error: 42 }", "42"),
        ("Object.assign(Object.create({ error: 'x' }), { success: false, error: 'own' })", "own"),
    ];
    for (number, (value, message)) in cases.into_iter().enumerate() {
        let source = format!("module.exports = async () => ({value})");
        let execution = server.run_source(&format!("case-{number}"), &source, &json!({}));
        assert_eq!(
            field(&execution, ["status", "reason", "error"]),
            [json!("failed"), json!("returned-failure"), json!(message)],
            "{value}"
        );
        assert_eq!(execution["result"]["success"], false, "{value}: what it returned is kept");
    }
}

#[test]
fn a_large_result_is_kept_as_its_beginning() {
    let server = Server::start();
    let sources = [
        // As JSON, with two quotes: exactly 10,000 characters, then one more.
        "module.exports = () => 'x'.repeat(9998)",
        "module.exports = () => 'x'.repeat(9999)",
        "module.exports = () => Array.from({ length: 5000 }, (_, n) => n)",
        "module.exports = () => ({ text: '💥'.repeat(20_000), more: 1 })",
        "module.exports = () => 'x'.repeat(50_000_000)",
        "module.exports = () => { let a = {}; for (let n = 0; n < 1e5; n++) a = { a }; return a }",
    ];
    let [whole, over, list, object, huge, deep] = run_all(&server, sources);
    assert_eq!(whole["result"].as_str().map(str::len), Some(9998));
    for (execution, words) in
        [(&over, "10,001"), (&list, "5,000"), (&object, "2 keys"), (&huge, "50,000,002"), (&deep, "1 key")]
    {
        assert_eq!(execution["status"], "completed");
        let result = execution["result"].as_object().expect("an object");
        assert_eq!(result.keys().collect::<Vec<_>>(), ["truncated", "summary", "preview"]);
        assert_eq!(result["truncated"], true);
        assert!(result["summary"].as_str().is_some_and(|text| text.contains(words)), "{}", result["summary"]);
        let preview = result["preview"].as_str().expect("a text");
        assert!((100..=10_000).contains(&preview.len()), "{}", preview.len());
        assert!(!preview.contains('\u{fffd}'), "cut in half: {preview}");
    }
    assert!(list["result"]["preview"].as_str().is_some_and(|text| text.starts_with("[0,1,2,3,")));
    server.check_health();
}
