//! The limits of requests, and their end.

use serde_json::{Value, json};

use super::origin::Origin;
use crate::harness::{Options, Server, until};

fn start(more: &[(&str, &str)]) -> Server {
    let options = Options::default().set("NET__ALLOW", "127.0.0.1");
    more.iter().fold(options, |options, (name, value)| options.set(name, value)).start()
}

fn run(server: &Server, url: &str, body: &str) -> Value {
    let source = format!("module.exports = async ({{ url }}) => {{ {body} }};");
    server.run_source("fetches", &source, &json!({ "params": { "url": url } }))
}

#[test]
fn many_requests_at_once_all_get_their_turn() {
    let origin = Origin::answering("it");
    let server = start(&[]);
    let body = "const all = Array.from({ length: 100 }, () => fetch(url).then((r) => r.text()));
        return (await Promise.all(all)).filter((text) => text === 'it').length;";
    let execution = run(&server, &origin.url(), body);
    assert_eq!(execution["result"], 100, "{execution}");
    assert_eq!(execution["usage"]["requests"], 100);
    assert!(origin.opened() <= 32, "{}", origin.opened());
}

#[test]
fn bodies_beyond_those_that_may_be_open_wait_for_the_others() {
    let origin = Origin::answering(&"x".repeat(40_000));
    let server = start(&[]);
    let body = "const open = await Promise.all(Array.from({ length: 256 }, () => fetch(url)));
        const lengthOf = async (response) => (await (await response).text()).length;
        const more = Array.from({ length: 50 }, () => lengthOf(fetch(url)));
        const lengths = await Promise.all([...open.map(lengthOf), ...more]);
        return lengths.filter((length) => length === 40_000).length;";
    let execution = run(&server, &origin.url(), body);
    assert_eq!(execution["result"], 306, "{execution}");
}

#[test]
fn a_request_beyond_open_ones_that_nobody_reads_is_an_error_that_says_so() {
    let origin = Origin::answering(&"x".repeat(80_000));
    let server = start(&[]);
    let body = "const open = await Promise.all(Array.from({ length: 256 }, () => fetch(url)));
        try { await fetch(url) } catch (error) { return [open.length, error.message] }";
    let execution = run(&server, &origin.url(), body);
    let text = execution["result"][1].as_str().unwrap_or_default();
    assert!(text.contains("256 requests are open") && text.contains("read the bodies"), "{execution}");
}

#[test]
fn the_end_of_a_run_closes_its_connections() {
    // Says that more is to come, and says nothing more.
    let origin = Origin::sending("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n");
    let server = start(&[]);
    let execution = run(&server, &origin.url(), "await fetch(url); fetch(url).catch(() => {}); return 1;");
    assert_eq!(execution["result"], 1, "{execution}");
    until("the connections are closed", || (origin.closed() == origin.opened()).then_some(()));
    assert!(origin.opened() >= 1);
}

#[test]
fn a_body_beyond_the_limit_is_an_error_and_not_cut() {
    let origin = Origin::answering(&"x".repeat(2000));
    let server = start(&[("LIMITS__FETCH_BODY", "1999")]);
    let body = "try { return await (await fetch(url)).text(); } catch (error) {
        return `${error.name}: ${error.message} ${error.cause?.message}`;
    }";
    let execution = run(&server, &origin.url(), body);
    let text = execution["result"].as_str().unwrap_or_default();
    assert!(text.contains("TypeError") && text.contains("limits.fetchBody"), "{execution}");
}

#[test]
fn requests_beyond_the_limit_of_a_run_are_refused() {
    let origin = Origin::answering("it");
    let server = start(&[("LIMITS__FETCHES", "3")]);
    let body = "let done = 0;
        try { for (;;) { await (await fetch(url)).text(); done++; } } catch (error) {
            return [done, error.cause.message];
        }";
    let execution = run(&server, &origin.url(), body);
    assert_eq!(execution["result"][0], 3, "{execution}");
    assert!(execution["result"][1].as_str().unwrap_or_default().contains("limits.fetches"), "{execution}");
    assert_eq!(execution["usage"]["requests"], 3);
}

#[test]
fn an_aborted_request_ends_and_the_run_goes_on() {
    let origin = Origin::sending("");
    let server = start(&[]);
    let body = "const started = Date.now();
        try { await fetch(url, { signal: AbortSignal.timeout(50) }); } catch (error) {
            return [error.name, Date.now() - started < 20000];
        }";
    let source = format!("module.exports = async ({{ url }}) => {{ {body} }};");
    let id = server.create_dormant("aborts", &source, &json!({ "params": { "url": origin.url() } }));
    until("a request is under way when its time is up", || {
        assert_eq!(server.run(&id)["result"], json!(["TimeoutError", true]));
        (origin.opened() > 0).then_some(())
    });
    until("the connections are closed", || (origin.closed() == origin.opened()).then_some(()));
}
