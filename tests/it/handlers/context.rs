//! The arguments of a handler.

use serde_json::json;

use crate::harness::{Server, field, task};

#[test]
fn params_are_a_fresh_ordinary_object_of_the_handlers_own_realm() {
    let server = Server::start();
    let source = "module.exports = (params, ...rest) => {
        const facts = {
          count: 1 + rest.length,
          own: params.hasOwnProperty('n'),
          plain: Object.getPrototypeOf(params) === Object.prototype,
          instance: params instanceof Object && params.list instanceof Array,
          array: Array.isArray(params.list),
          types: [typeof params.n, typeof params.big, typeof params.text, typeof params.yes, params.none],
          big: params.big === 2 ** 53 - 1,
          huge: params.huge,
          sum: params.n + 0.5,
          text: params.text,
          keys: Object.keys(params),
          frozen: Object.isFrozen(params),
        };
        params.n = 'changed';
        params.list.push('changed');
        delete params.text;
        return facts;
    };";
    let params = json!({
        "n": 1.25, "big": 9_007_199_254_740_991_u64, "huge": 12_345_678_901_234_567_890_u64,
        "text": "„ü\u{1f4a5}\u{2028}\u{0}\"", "yes": true, "none": null, "list": [1, [2]], "10": "ten"
    });
    let id = server.create_dormant("looks", source, &json!({ "params": params }));
    let expected = json!({
        "count": 2, "own": true, "plain": true, "instance": true, "array": true,
        "types": ["number", "number", "string", "boolean", null],
        "big": true, "huge": 12_345_678_901_234_567_000_u64 as f64, "sum": 1.75,
        "text": "„ü\u{1f4a5}\u{2028}\u{0}\"",
        "keys": ["10", "n", "big", "huge", "text", "yes", "none", "list"],
        "frozen": false
    });
    for _ in 0..2 {
        // The next run does not see a change that a run makes to its parameters.
        let result = server.run(&id)["result"].take();
        for (key, value) in expected.as_object().expect("an object") {
            if key == "huge" {
                assert_eq!(result[key].as_f64(), value.as_f64());
            } else {
                assert_eq!(&result[key], value, "{key}");
            }
        }
    }
    assert_eq!(server.task(&id)["params"], params);
    let none =
        server.create_dormant("none", "module.exports = (params) => [params, typeof params]", &json!({}));
    assert_eq!(server.run(&none)["result"], json!([{}, "object"]));
}

#[test]
fn large_params_arrive_whole() {
    let server = Server::start();
    let id = server.create_dormant(
        "counts",
        "module.exports = ({ text }) => [text.length, text.at(-1)]",
        &json!({}),
    );
    let text = format!("{}ü", "x".repeat(250 * 1024));
    assert_eq!(server.run_with(&id, &json!({ "text": text }))["result"], json!([250 * 1024 + 1, "ü"]));
}

#[test]
fn ctx_tells_a_run_about_itself_and_cannot_be_changed() {
    let server = Server::start();
    let source = "'use strict';
        module.exports = (params, ctx) => {
          const { signal, kv, secrets, step, progress, ...told } = ctx;
          const refusals = [
            () => { ctx.attempt = 7 }, () => { ctx.more = 1 }, () => { delete ctx.taskId }, () => { ctx.signal = 1 },
            () => Object.defineProperty(ctx, 'trigger', { value: 'x' }),
          ].map((change) => { try { change(); return 'changed' } catch (error) { return error.name } });
          return {
            told, refusals, keys: Object.keys(ctx), frozen: Object.isFrozen(ctx),
            signal: [signal instanceof AbortSignal, signal.aborted, signal === ctx.signal],
            plain: Object.getPrototypeOf(ctx) === Object.prototype,
          };
        };";
    server.home.write("looks", source);
    let id =
        server.create(&task("by hand", "looks", "@daily", &json!({ "recurring": true, "maxRetries": 4 })));
    let execution = server.run(&id);
    let result = &execution["result"];
    assert_eq!(
        result["told"],
        json!({
            "taskId": id, "taskName": "by hand", "executionId": execution["id"], "attempt": 1,
            "maxAttempts": 5, "trigger": "manual", "scheduledFor": execution["scheduledFor"],
            "after": null,
            "idempotencyKey": format!("{id}/{}", execution["scheduledFor"]), "traceparent": null
        })
    );
    assert_eq!(
        result["keys"],
        json!([
            "taskId",
            "taskName",
            "executionId",
            "attempt",
            "maxAttempts",
            "trigger",
            "scheduledFor",
            "after",
            "idempotencyKey",
            "traceparent",
            "signal",
            "kv",
            "secrets",
            "step",
            "progress"
        ])
    );
    assert_eq!(result["refusals"], json!(vec!["TypeError"; 5]));
    assert_eq!(
        field(result, ["frozen", "plain", "signal"]),
        [json!(true), json!(true), json!([true, false, true])]
    );

    let id = server.create(&task("at once", "looks", "now", &json!({})));
    server.until_status(&id, "completed");
    let row = server.executions(&id).remove(0);
    assert_eq!(row["result"]["told"]["trigger"], "immediate");
    assert_eq!(row["result"]["told"]["scheduledFor"], row["scheduledFor"]);
    let id = server.create(&task("in time", "looks", "every 300ms", &json!({ "recurring": true })));
    let row = server.until_rows(&id, "completed", 1).remove(0);
    assert_eq!(row["result"]["told"]["trigger"], "schedule");
    let created = server.task(&id)["createdAt"].as_i64().expect("a time");
    assert_eq!((row["scheduledFor"].as_i64().expect("a time") - created) % 300, 0, "anchored at creation");
}
