//! Shortcuts for tasks: create, run, wait.

use serde_json::{Map, Value, json};

use super::{Answer, Server, until};

/// A body that creates a task, with `more` on top.
pub(crate) fn task(name: &str, handler: &str, schedule: &str, more: &Value) -> Value {
    let mut body = json!({ "name": name, "description": "", "handler": handler, "schedule": schedule });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        body[key] = value;
    }
    body
}

/// Some fields of a document, to compare them.
#[track_caller]
pub(crate) fn field<const N: usize>(document: &Value, names: [&str; N]) -> [Value; N] {
    names.map(|name| document.get(name).cloned().unwrap_or_else(|| panic!("no {name} in {document}")))
}

/// The id of a task's document.
#[track_caller]
pub(crate) fn id_of(task: &Value) -> String {
    task["_key"].as_str().unwrap_or_else(|| panic!("no task: {task}")).to_owned()
}

impl Server {
    /// Creates a task and returns its id.
    #[track_caller]
    pub(crate) fn create(&self, body: &Value) -> String {
        id_of(&self.client().post("/admin/scheduler", body).expect(201)["task"])
    }

    /// Creates a task with its own handler that is never due: only manual runs start it.
    #[track_caller]
    pub(crate) fn create_dormant(&self, name: &str, source: &str, more: &Value) -> String {
        self.home.write(name, source);
        let mut body = task(name, name, "0 0 1 1 *", more);
        body["recurring"] = json!(true);
        self.create(&body)
    }

    /// Sends an action on a task.
    pub(crate) fn act(&self, id: &str, action: &str) -> Answer {
        self.client().action(&format!("/admin/scheduler/{id}/actions/{action}"))
    }

    /// Starts a manual run, waits for its end, and returns the execution.
    #[track_caller]
    pub(crate) fn run(&self, id: &str) -> Value {
        self.act(id, "run?wait=true").expect(200)["execution"].take()
    }

    /// As [`Self::run`], with parameters for this run only.
    #[track_caller]
    pub(crate) fn run_with(&self, id: &str, params: &Value) -> Value {
        let path = format!("/admin/scheduler/{id}/actions/run?wait=true");
        self.client().post(&path, &json!({ "params": params })).expect(200)["execution"].take()
    }

    /// Runs a source once as a task of its own, and returns the execution.
    #[track_caller]
    pub(crate) fn run_source(&self, name: &str, source: &str, more: &Value) -> Value {
        let id = self.create_dormant(name, source, more);
        self.run(&id)
    }

    /// The task's document.
    #[track_caller]
    pub(crate) fn task(&self, id: &str) -> Value {
        self.client().get(&format!("/admin/scheduler/{id}")).expect(200)["task"].take()
    }

    /// The task's executions, newest first, as many as a page holds.
    #[track_caller]
    pub(crate) fn executions(&self, id: &str) -> Vec<Value> {
        let mut page = self.client().get(&format!("/admin/scheduler/{id}/executions?limit=50")).expect(200);
        page["executions"].as_array_mut().map(std::mem::take).unwrap_or_default()
    }

    /// One execution with its whole output.
    #[track_caller]
    pub(crate) fn execution(&self, task: &str, id: &Value) -> Value {
        let id = id.as_str().unwrap_or_default();
        self.client().get(&format!("/admin/scheduler/{task}/executions/{id}")).expect(200)["execution"].take()
    }

    /// Waits until the task shows a status, and returns its document.
    #[track_caller]
    pub(crate) fn until_status(&self, id: &str, status: &str) -> Value {
        until(&format!("{id} is {status}"), || Some(self.task(id)).filter(|task| task["status"] == status))
    }

    /// Waits until a task's run in progress has written something.
    #[track_caller]
    pub(crate) fn until_output(&self, id: &str) {
        until(&format!("{id} writes something"), || {
            let rows = self.executions(id);
            rows.iter()
                .any(|row| row["output"].as_array().is_some_and(|lines| !lines.is_empty()))
                .then_some(())
        });
    }

    /// Waits until a task has `count` executions with a status; returns them, newest first.
    #[track_caller]
    pub(crate) fn until_rows(&self, id: &str, status: &str, count: usize) -> Vec<Value> {
        until(&format!("{id} has {count} {status} executions"), || {
            let rows: Vec<_> =
                self.executions(id).into_iter().filter(|row| row["status"] == status).collect();
            (rows.len() >= count).then_some(rows)
        })
    }

    /// Checks that the server works: a task runs and its result arrives.
    #[track_caller]
    pub(crate) fn check_health(&self) {
        let execution = match self.client().get("/admin/scheduler?name=is-well").expect(200)["tasks"].get(0) {
            Some(task) => self.run(&id_of(task)),
            None => self.run_source("is-well", "module.exports = () => 6 * 7", &Value::Object(Map::new())),
        };
        assert_eq!(field(&execution, ["status", "result"]), [json!("completed"), json!(42)]);
    }
}

/// A handler that writes a line and then waits until [`Server::open_gate`].
///
/// `require` looks for a missing module anew each time, so a file can open the gate.
pub(crate) const GATED: &str = "module.exports = async () => {
  console.log('at the gate');
  for (;;) {
    try {
      return require('./gate.json');
    } catch {
      await new Promise((go) => setTimeout(go, 20));
    }
  }
};";

/// A handler that writes a line and then waits for a day.
pub(crate) const ENDLESS: &str = "module.exports = async () => {
  console.log('started');
  await new Promise((go) => setTimeout(go, 86_400_000));
};";

impl Server {
    /// Lets every [`GATED`] handler return `"through"`.
    pub(crate) fn open_gate(&self) {
        self.home.write("gate.json", "\"through\"");
    }

    /// Creates a [`GATED`] task that starts at once, and waits until it is at the gate.
    #[track_caller]
    pub(crate) fn create_at_gate(&self, name: &str) -> String {
        self.home.write(name, GATED);
        let id = self.create(&task(name, name, "now", &Value::Null));
        self.until_output(&id);
        id
    }
}
