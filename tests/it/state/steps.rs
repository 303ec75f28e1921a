//! `ctx.step` and `ctx.progress`.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Server, field, until};

fn retried(server: &Server, name: &str, source: &str) -> String {
    server.create_dormant(name, source, &json!({ "maxRetries": 3, "retryDelay": 1000 }))
}

/// Name, status and attempt of each step of an execution.
fn told(execution: &Value) -> Value {
    let steps = execution["steps"].as_array().expect("steps").iter();
    steps.map(|step| json!([step["name"], step["status"], step["attempt"]])).collect()
}

#[test]
fn a_finished_step_is_handed_back_to_the_next_attempt_and_one_that_threw_runs_again() {
    let server = Server::start();
    let source = "module.exports = async (params, ctx) => {
        const ran = [];
        const first = await ctx.step('first', async () => { ran.push('first'); return { at: new Date(0) } });
        const [a, b] = await Promise.all([
            ctx.step('a', () => { ran.push('a'); return ctx.step('inner', () => { ran.push('inner'); return 1 }) }),
            ctx.step('b', () => { ran.push('b') }),
        ]);
        const third = await ctx.step('third', () => {
            ran.push('third');
            if (ctx.attempt < 2) throw new Error('not yet');
            return 3;
        });
        return { first, a, b, third, ran };
    };";
    let id = retried(&server, "steps", source);
    server.act(&id, "run").expect(200);
    let last = server.until_rows(&id, "completed", 1).remove(0);
    assert_eq!(
        last["result"],
        json!({ "first": { "at": "1970-01-01T00:00:00.000Z" }, "a": 1, "b": null, "third": 3, "ran": ["third"] })
    );
    // Steps that run side by side are recorded in either order.
    let mut steps = told(&last);
    steps.as_array_mut().expect("a list")[1..3].sort_by_key(ToString::to_string);
    assert_eq!(
        steps,
        json!([
            ["first", "completed", 1],
            ["a", "completed", 1],
            ["b", "completed", 1],
            ["third", "completed", 2]
        ])
    );
    let first = server.until_rows(&id, "failed", 1).remove(0);
    assert_eq!(first["error"], "not yet");
    let steps = told(&first);
    assert_eq!(steps.as_array().map(Vec::len), Some(5), "{steps}");
    assert_eq!(steps[4], json!(["third", "failed", 1]));
    assert!(first["steps"][0]["duration"].is_number(), "{first}");
    // The next occurrence begins afresh.
    server.act(&id, "run").expect(200);
    let afresh = server.until_rows(&id, "completed", 2).remove(0);
    assert_eq!(afresh["result"]["ran"], json!(["third"]), "its own second attempt");
}

#[test]
fn a_job_that_is_killed_with_its_server_goes_on_at_the_step_it_had_reached() {
    let mut server = Server::start();
    let source = "module.exports = async (params, ctx) => {
        const ran = [];
        for (let n = 1; n <= 10; n++) {
            await ctx.step(`part ${n}`, async () => {
                ran.push(n);
                if (n === 6 && ctx.attempt === 1) { console.log('stuck'); await new Promise(() => setInterval(() => {}, 1000)) }
                return n;
            });
            ctx.progress(n / 10, `part ${n}`);
        }
        return ran;
    };";
    let id = retried(&server, "ten", source);
    server.act(&id, "run").expect(200);
    server.until_output(&id);
    let path = format!("/admin/scheduler/{id}/executions");
    let row = until("the progress shows", || {
        let row = server.client().get(&path).expect(200)["executions"][0].take();
        (row["progress"]["fraction"] == 0.5).then_some(row)
    });
    assert_eq!(row["progress"], json!({ "fraction": 0.5, "text": "part 5" }));
    assert_eq!(told(&row)[5], json!(["part 6", "running", 1]));
    let hash = server.client().get("/admin/handlers").expect(200)["handlers"]
        .as_array()
        .and_then(|list| list.iter().find(|handler| handler["name"] == "ten"))
        .expect("it is listed")["hash"]
        .clone();
    assert_eq!(row["handlerHash"], hash, "a run in progress shows its source");
    let copied = until("the hashes are kept", || {
        // Only the store's own row is in a list of tasks.
        let row = server.client().get(&format!("/admin/scheduler/{id}")).expect(200)["task"]["executions"][0]
            .take();
        row["filesHash"].is_string().then_some(row)
    });
    assert_eq!(copied["handlerHash"], hash);
    server.signal(Signal::KILL);
    server.exit();
    server.start_again();
    let done = server.until_rows(&id, "completed", 1).remove(0);
    assert_eq!((&done["result"], &done["attempt"]), (&json!([6, 7, 8, 9, 10]), &json!(2)));
    assert_eq!(done["progress"], json!({ "fraction": 1.0, "text": "part 10" }));
    let lost = server.until_rows(&id, "failed", 1).remove(0);
    assert_eq!((&lost["reason"], told(&lost).as_array().map(Vec::len)), (&json!("lost"), Some(5)));
    assert_eq!(field(&lost, ["handlerHash", "filesHash"]), field(&copied, ["handlerHash", "filesHash"]));
}

#[test]
fn a_wrong_use_of_steps_and_progress_is_an_error_that_says_so() {
    let server = Server::start();
    let source = "module.exports = async (params, ctx) => {
        const told = async (call) => { try { return await call() } catch (error) { return error.message } };
        const calls = [
            () => ctx.step('same', () => 1), () => ctx.step('same', () => 2), () => ctx.step('', () => 1),
            () => ctx.step('x'.repeat(201), () => 1), () => ctx.step('no function'), () => ctx.step(7, () => 1),
            () => ctx.step('large', () => 'x'.repeat(65536)), () => ctx.step('symbol', () => Symbol('s')),
            () => ctx.progress(1.5), () => ctx.progress('half'), () => ctx.progress(1, 7), () => ctx.progress(0.25),
        ];
        const all = [];
        for (const call of calls) all.push(await told(call));
        return all;
    };";
    let execution = server.run_source("wrong", source, &json!({}));
    assert_eq!(
        execution["result"],
        json!([
            1,
            "the step \"same\" has been used in this run: each step has its own name",
            "the name of a step has 1 to 200 characters, not 0",
            "the name of a step has 1 to 200 characters, not 201",
            "ctx.step(\"no function\", \u{2026}) needs a function as its second argument, not undefined",
            "the name of a step is a string, not 7",
            "the result of the step \"large\" has 65538 bytes as JSON; 65536 are the most",
            "the result of the step \"symbol\" is a symbol, which has no JSON form",
            "progress is a number from 0 to 1, not 1.5",
            "progress is a number from 0 to 1, not \"half\"",
            "the text of a progress is a string, not 7",
            null
        ])
    );
    assert_eq!(execution["progress"], json!({ "fraction": 0.25, "text": null }));
    assert_eq!(
        told(&execution),
        json!([["same", "completed", 1], ["large", "failed", 1], ["symbol", "failed", 1]])
    );
}

#[test]
fn the_last_of_many_reports_of_progress_is_kept_and_they_cost_no_calls() {
    let server = Server::start();
    let source = "module.exports = async (params, ctx) => {
        for (let n = 0; n <= 50_000; n++) ctx.progress(n / 50_000, `row ${n}`);
        return await ctx.kv.increment('n');
    };";
    let execution = server.run_source("reports", source, &json!({}));
    assert_eq!((&execution["status"], &execution["result"]), (&json!("completed"), &json!(1)));
    assert_eq!(execution["progress"], json!({ "fraction": 1.0, "text": "row 50000" }));
    assert_eq!(execution["steps"], json!([]));
}
