//! Alerts that act: a task that is run, and a task that is paused.

use serde_json::json;

use super::{FAILS, server};
use crate::harness::until;

#[test]
fn a_failure_runs_another_task_with_the_message_and_pauses_its_own() {
    let server = server("[alerts.fix]\nkind = \"task\"\ntask = \"on-failure\"\nbatch = 0");
    let fix = "module.exports = ({ kind, task }, ctx) => ({ kind, of: task.name, trigger: ctx.trigger });";
    let fix = server.create_dormant("on-failure", fix, &json!({}));
    let rules = json!([{ "channel": "fix", "on": ["failure"], "after": 2, "autoPause": true }]);
    let task = server.create_dormant("nightly", FAILS, &json!({ "alerts": rules }));
    server.run(&task);
    server.run(&task);
    let paused = server.client().get(&format!("/admin/scheduler/{task}")).expect(200)["task"].take();
    assert_eq!((&paused["status"], &paused["pausedBy"]["by"]), (&json!("paused"), &json!("alert")));
    assert_eq!(paused["pausedBy"]["why"], "it has failed 2 times in a row");
    let run = until("the other task has run", || {
        let list =
            server.client().get(&format!("/admin/scheduler/{fix}/executions?trigger=alert")).expect(200);
        let run = list["executions"][0].clone();
        (run["status"] == "completed").then_some(run)
    });
    assert_eq!(run["result"], json!({ "kind": "failure", "of": "nightly", "trigger": "alert" }));
    server.act(&task, "resume").expect(200);
    let resumed = server.client().get(&format!("/admin/scheduler/{task}")).expect(200)["task"].take();
    assert_eq!(resumed["pausedBy"], json!(null), "the cause goes with the pause");
}
