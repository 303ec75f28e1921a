//! A value that a run has read is in nothing that is kept, shown or logged.

use serde_json::{Value, json};

use super::{run, set};
use crate::harness::Server;

const TOKEN: &str = "tok_\"4f9c\\2b7e'81\u{e9}";
const PEM: &str =
    "-----BEGIN KEY-----\nMIIEvgIBADANBgkqhkiG9w0BAQEFAASC\nq83vASNFZ4mrze8BI0VniavN\n-----END KEY-----\n";

fn server() -> Server {
    let server = Server::start();
    let long = "0123456789abcdefghij".repeat(600);
    for (name, value) in
        [("TOKEN", TOKEN), ("PEM", PEM), ("LONG", &long), ("PIN", "1234567"), ("TINY", "abc")]
    {
        set(&server, "secrets", name, &json!({ "value": value, "handlers": ["*"] }));
    }
    server
}

const READ: &str = "const [token, pem, long, pin, tiny] = await Promise.all(
    ['TOKEN', 'PEM', 'LONG', 'PIN', 'TINY'].map((name) => ctx.secrets.get(name)));";

/// Everything that the API and the log tell about an execution.
fn all(server: &Server, execution: &Value) -> String {
    let task =
        server.client().get(&format!("/admin/scheduler/{}", execution["taskId"].as_str().expect("an id")));
    format!("{execution}\n{}\n{}", task.expect(200), server.log())
}

/// Parts of the values, as they are and as JSON writes them.
#[track_caller]
fn check_hidden(text: &str) {
    for part in ["4f9c", "2b7e", "MIIEvg", "AASC", "q83vAS", "iavN", "9abcdefghij0123", "1234567"] {
        let shown = text.find(part).map(|at| &text[text.floor_char_boundary(at.saturating_sub(80))..]);
        assert_eq!(shown.map(|text| text.chars().take(160).collect::<String>()), None, "{part}");
    }
}

#[test]
fn a_value_shows_in_no_line_however_it_is_printed() {
    let server = server();
    let body = format!(
        "{READ}
         console.log(token); console.log('a' + token + 'b', pin); console.warn('%s %j %o', token, {{ token }}, [token]);
         console.log(JSON.stringify({{ token, pem }})); console.log({{ token, pem, long, inner: {{ deep: [pem] }} }});
         console.table([{{ token, pin }}, {{ token: 1, pin: pem }}]); console.dir({{ [token]: token }});
         console.group(pem); console.log(pem); console.groupEnd(); console.error(new Error(token, {{ cause: pem }}));
         console.log(pem.split('\\n')); console.log(new Map([[token, new Set([pem])]])); console.trace(token);
         console.assert(false, pem); console.count(token); console.log(Buffer.from('x'), long.slice(0, 900), tiny);
         for (const half of [token.slice(0, 3), 'rest']) console.log(half);"
    );
    let execution = run(&server, "prints", &body);
    assert_eq!(execution["status"], "completed", "{execution}");
    check_hidden(&all(&server, &execution));
    let text = execution["output"].to_string();
    for label in ["[secret TOKEN]", "[secret PEM]", "[secret LONG]", "[secret PIN]"] {
        assert!(text.contains(label), "{label}: {text}");
    }
    assert!(text.contains("abc"), "a value under six characters stays: {text}");
}

#[test]
fn a_value_shows_in_no_error_stack_or_result() {
    let server = server();
    let ends = [
        "throw new Error(`no ${token} and ${pem}`)",
        "throw new Error('outer', { cause: new Error(token, { cause: { pem, token } }) })",
        "throw Object.assign(new Error('with fields'), { token, pem, code: pin })",
        "throw new AggregateError([new Error(token), new TypeError(pem)], token)",
        "throw token",
        "throw { pem }",
        "const e = new Error('x'); e.stack = token; e.name = pem; throw e",
        "return { success: false, error: token, pem }",
        "return { [token]: token, list: [pem, `x${pin}y`], number: Number(pin), json: JSON.stringify({ token }) }",
        "return token",
        "return pem",
        "return Number(pin)",
        "return { filler: 'x'.repeat(985 - 12), token, rest: 'y'.repeat(20000) }",
        "return { filler: 'x'.repeat(985 - 20), token, rest: 'y'.repeat(20000) }",
        "return { pem, long, rest: 'y'.repeat(20000) }",
        "let deep = token; for (let n = 0; n < 3000; n++) deep = [deep]; return deep",
        "return { half: '\\ud83d', token }",
        "throw new Error('z'.repeat(8192 - 8) + token)",
        "throw new Error('z'.repeat(8192 - 12) + pem)",
        "console.log('w'.repeat(1024 * 1024 - 8) + token)",
        "const big = 'w'.repeat(1024 * 1024 - 6); console.log(big + pem)",
        "Promise.reject(new Error(token)); await new Promise((go) => setTimeout(go, 20))",
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let mut execution = run(&server, &format!("ends-{number}"), &format!("{READ} {end};"));
        if execution["output"].to_string().len() > 100_000 {
            let last = execution["output"][0]["message"].as_str().expect("a line").to_owned();
            check_hidden(&last);
            assert!(!last.ends_with("tok") && !last.contains("tok_") && !last.contains("-----"), "{end}");
            execution["output"].take();
        }
        check_hidden(&all(&server, &execution));
        let kept = format!("{}{}{}", execution["error"], execution["stack"], execution["result"]);
        assert!(
            !kept.contains("tok_") && !kept.contains("-----B"),
            "{end}: {}",
            &kept[..kept.len().min(400)]
        );
    }
}

#[test]
fn a_result_that_holds_no_value_stays_to_the_letter() {
    let server = server();
    let result =
        json!({ "a": [1, 1.5, null, true, "[secret]"], "tok": "…", "n": 123456, "nested": { "x": "é" } });
    let execution = run(&server, "plain", &format!("{READ} return {result};"));
    assert_eq!(execution["result"], result);
}
