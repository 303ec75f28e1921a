//! Versions of the handlers in the store, by `isochron handlers`.

use std::fs;

use serde_json::{Value, json};

use super::{out, run};
use crate::harness::{Options, Server, field, until};

/// Waits for an entry on demand, and tells its version and that of a file that it requires late.
const JOB: &str = "module.exports = async (params, ctx) => {
    if (params.wait) {
        console.log('waits');
        while (!(await ctx.kv.get('go'))) await new Promise((done) => setTimeout(done, 20));
    }
    return ['VERSION', require('./lib/late')];
};";

/// Writes a version of the folder `project`.
fn write(server: &Server, version: &str) {
    let folder = server.home.path().join("project");
    fs::create_dir_all(folder.join("lib")).expect("a folder");
    fs::write(folder.join("job.js"), JOB.replace("VERSION", version)).expect("written");
    fs::write(folder.join("lib/late.js"), format!("module.exports = 'late {version}'")).expect("written");
    fs::write(folder.join(".env"), "TOKEN=hush").expect("written");
}

fn current(server: &Server) -> Vec<Value> {
    let list = server.client().get("/admin/bundles").expect(200);
    let bundles = list["bundles"].as_array().expect("a list").iter();
    bundles.map(|bundle| bundle["current"].clone()).collect()
}

#[test]
fn handlers_are_pushed_into_the_store_and_a_run_keeps_the_version_that_it_began_with() {
    let mut server = Options::default().set("HANDLERS__FROM", "store").start();
    let client = server.client();
    let body = json!({"name": "job", "description": "", "handler": "job", "schedule": "0 0 1 1 *", "recurring": true});
    let none = client.post("/admin/scheduler", &body).message(400);
    assert!(none.contains("isochron handlers push"), "{none}");
    write(&server, "one");
    let pushed = out(&server, &["handlers", "push", "project"]);
    assert!(pushed.starts_with("pushed ") && pushed.contains(": 2 files, "), "{pushed}");
    let id = server.create(&body);
    assert_eq!(server.run(&id)["result"], json!(["one", "late one"]));
    let started =
        client.post(&format!("/admin/scheduler/{id}/actions/run"), &json!({"params": {"wait": true}}));
    let execution = started.expect(200)["executionId"].take();
    server.until_output(&id);
    write(&server, "two");
    out(&server, &["handlers", "push", "project"]);
    client.put(&format!("/admin/scheduler/{id}/kv/go"), &json!({"value": true})).expect(200);
    let ended = until("the run ends", || {
        Some(server.execution(&id, &execution)).filter(|row| row["status"] != "running")
    });
    assert_eq!(field(&ended, ["status", "result"]), [json!("completed"), json!(["one", "late one"])]);
    assert_eq!(server.run(&id)["result"], json!(["two", "late two"]));
    assert_eq!(current(&server), [true, false]);
    server.kill();
    server.start_again();
    assert_eq!(server.run(&id)["result"], json!(["two", "late two"]), "it is unpacked again");
    let back = out(&server, &["handlers", "rollback"]);
    assert!(back.starts_with("the next runs use "), "{back}");
    assert_eq!(server.run(&id)["result"], json!(["one", "late one"]));
    assert_eq!(current(&server), [false, true]);
    let audit = server.client().get("/admin/audit").expect(200);
    let actions: Vec<_> = audit["records"].as_array().expect("a list").iter().map(|r| &r["action"]).collect();
    assert_eq!(actions.iter().filter(|action| **action == "push").count(), 2, "{actions:?}");
    assert!(actions.contains(&&json!("use")), "{actions:?}");
    assert!(!server.home.run(&["store", "verify"]).out().contains("hush"));
}

#[test]
fn a_push_or_a_rollback_that_cannot_be_is_refused_in_one_line() {
    let server = Server::start();
    for (arguments, code, says) in [
        (&["handlers", "push", "nowhere"][..], 2, "open the folder nowhere"),
        (&["handlers", "rollback"], 1, "no version was pushed before the current one"),
        (&["handlers", "rollback", "abc"], 1, "there is no version abc"),
    ] {
        let ran = run(&server, arguments);
        assert_eq!((ran.code, ran.err.lines().count()), (Some(code), 1), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
    let client = server.client();
    let hash = "0".repeat(64);
    let path = format!("/admin/bundles/chunks/{hash}");
    let other = client.put(&path, &json!({"content": "AAAA"})).message(400);
    assert!(other.contains("the chunk has the SHA-256"), "{other}");
    assert!(client.put(&path, &json!({"content": "%"})).message(400).contains("Base64"));
    let lacks = client.post("/admin/bundles", &json!({"manifest": [hash]})).expect(200);
    assert_eq!(lacks["missing"], json!([hash]));
    assert_eq!(client.action(&format!("/admin/bundles/{hash}/actions/use")).status, 404);
}
