//! Traces, as a collector gets them: the spans of a request and of the run that it asked for.

use serde_json::{Value, json};

use crate::harness::{Options, Server, Web, task, until};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const CALLS: &str = "module.exports = async ({ url }, ctx) => { await fetch(url); return ctx.traceparent; };";

fn collector() -> Web {
    Web::start(|_| (200, "content-type: application/json\r\n", "{}".to_owned()))
}

fn start(endpoint: &str) -> Server {
    let server = Options::default().set("OTEL__ENDPOINT", endpoint).set("NET__ALLOW", "127.0.0.1").start();
    server.home.write("calls", CALLS);
    server
}

/// Every span that the collector has got.
fn spans(web: &Web) -> Vec<Value> {
    let requests = web.seen().into_iter().filter(|request| request.path == "/v1/traces");
    let bodies = requests.map(|request| serde_json::from_str::<Value>(&request.body).expect("JSON"));
    let spans =
        bodies.flat_map(|body| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().cloned());
    spans.flatten().collect()
}

/// Waits for a span with this name and parent.
#[track_caller]
fn span(web: &Web, name: &str, parent: &Value) -> Value {
    until(&format!("a span {name}"), || {
        spans(web).into_iter().find(|span| span["name"] == name && span["parentSpanId"] == *parent)
    })
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let attributes = span["attributes"].as_array().expect("attributes");
    attributes.iter().find(|one| one["key"] == key).map_or(&Value::Null, |one| &one["value"]["stringValue"])
}

#[test]
fn a_run_by_hand_is_in_the_trace_of_its_caller_and_so_are_its_requests() {
    let web = collector();
    let server = start(&web.url(""));
    let body = task(
        "traced",
        "calls",
        "@daily",
        &json!({ "recurring": true, "params": { "url": web.url("/called") } }),
    );
    let id = server.create(&body);
    let path = format!("/admin/scheduler/{id}/actions/run?wait=true");
    let request = server.client().request("POST", &path).header("traceparent", CALLER);
    let execution = server.client().send(request, "").expect(200)["execution"].take();
    assert_eq!(execution["status"], "completed", "{execution}");

    let request = span(&web, "POST /admin/scheduler/{id}/actions/run", &json!("b7ad6b7169203331"));
    assert_eq!(request["traceId"], "0af7651916cd43dd8448eb211c80319c");
    let claim = span(&web, "claim", &request["spanId"]);
    let run = span(&web, "run", &claim["spanId"]);
    let record = span(&web, "record", &run["spanId"]);
    assert_eq!(record["traceId"], request["traceId"]);
    assert_eq!(attribute(&run, "isochron.task"), "traced");
    assert_eq!(attribute(&run, "isochron.handler"), "calls");
    assert_eq!(attribute(&run, "isochron.status"), "completed");

    // The handler knows its span, and tells it to the service that it calls.
    let own = format!(
        "00-{}-{}-01",
        run["traceId"].as_str().expect("a trace"),
        run["spanId"].as_str().expect("a span")
    );
    assert_eq!(execution["result"], json!(own));
    let called = web.seen().into_iter().find(|request| request.path == "/called").expect("it is called");
    assert_eq!(called.header("traceparent"), own);
}

#[test]
fn a_run_by_schedule_is_a_trace_of_its_own_and_a_failure_shows() {
    let web = collector();
    let server = start(&web.url("/"));
    server.home.write("fails", "module.exports = () => { throw new Error('the secret reason'); };");
    server.create(&task("fails", "fails", "now", &json!({})));
    let claim = span(&web, "claim", &json!(""));
    let request = span(&web, "POST /admin/scheduler", &json!(""));
    assert_ne!(claim["traceId"], request["traceId"]);
    let link = json!([{ "traceId": request["traceId"], "spanId": request["spanId"] }]);
    assert_eq!(claim["links"], link, "it leads to the request that made the task");
    let run = span(&web, "run", &claim["spanId"]);
    assert_eq!(run["status"], json!({ "code": 2, "message": "exception" }));
    assert_eq!(attribute(&run, "isochron.trigger"), "immediate");
    let sent: String = web.seen().into_iter().map(|request| request.body).collect();
    assert!(!sent.contains("secret reason"), "errors may hold secrets: {sent}");
}

#[test]
fn a_collector_that_is_not_there_holds_nothing_up() {
    let server = start("http://127.0.0.1:9");
    let web = collector();
    let body = task(
        "goes on",
        "calls",
        "@daily",
        &json!({ "recurring": true, "params": { "url": web.url("/called") } }),
    );
    let id = server.create(&body);
    assert_eq!(server.run(&id)["status"], "completed");
}

#[test]
fn without_a_collector_no_trace_is_made() {
    let web = collector();
    let server = Options::default().set("NET__ALLOW", "127.0.0.1").start();
    server.home.write("calls", CALLS);
    let body = task(
        "plain",
        "calls",
        "@daily",
        &json!({ "recurring": true, "params": { "url": web.url("/called") } }),
    );
    let id = server.create(&body);
    let path = format!("/admin/scheduler/{id}/actions/run?wait=true");
    let request = server.client().request("POST", &path).header("traceparent", CALLER);
    assert_eq!(server.client().send(request, "").expect(200)["execution"]["result"], Value::Null);
    assert_eq!(web.seen()[0].header("traceparent"), "");
}
