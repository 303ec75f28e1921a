//! The drivers' requests to a server, until it stops answering.

use serde_json::{Value, json};

use super::model::{DORMANT, Known, Unanswered, params};
use crate::harness::{Answer, Chance, Client, task};

/// Most tasks of a driver.
const TASKS: usize = 6;

/// A driver. No other driver uses its tasks.
pub(super) struct Driver {
    pub(super) name: usize,
    pub(super) chance: Chance,
    pub(super) tasks: Vec<Known>,
    /// The ids of deleted tasks.
    pub(super) deleted: Vec<String>,
    made: usize,
    /// Number of answered requests that changed something.
    pub(super) acknowledged: usize,
}

/// The server is gone.
struct Gone;

impl Driver {
    pub(super) fn new(name: usize, chance: Chance) -> Self {
        Self { name, chance, tasks: Vec::new(), deleted: Vec::new(), made: 0, acknowledged: 0 }
    }

    /// Sends random requests until one is not answered.
    pub(super) fn work(&mut self, client: &Client) {
        while self.do_something(client).is_ok() {}
    }

    fn do_something(&mut self, client: &Client) -> Result<(), Gone> {
        if self.tasks.len() < TASKS && (self.tasks.len() < 2 || self.chance.once_in(4)) {
            return self.create(client);
        }
        let at = self.chance.below(self.tasks.len());
        match self.chance.below(20) {
            0..5 => self.run(client, at, true),
            5..9 => self.run(client, at, false),
            9..14 => self.edit(client, at),
            14..17 => self.hold(client, at),
            17 => self.delete(client, at),
            _ => self.look(client, at),
        }
    }

    fn create(&mut self, client: &Client) -> Result<(), Gone> {
        self.made += 1;
        let name = format!("driven-{}-{:06}", self.name, self.made);
        let schedule = if self.chance.once_in(4) { "now" } else { DORMANT };
        let body = json!({
            "recurring": schedule == DORMANT,
            "params": self.params(),
            "maxRetries": self.chance.below(2),
            "retryDelay": 1000,
            "keepExecutions": 1000,
            "overlap": self.chance.of(&["skip", "allow"]),
        });
        let body = task(&name, self.handler(), schedule, &body);
        self.tasks.push(Known::new(name, body.clone()));
        let answer = client.attempt("POST", "/admin/scheduler", Some(&body)).ok_or(Gone)?;
        let known = self.tasks.last_mut().expect("just pushed");
        known.take(answer.expect(201)["task"].take());
        known.unanswered = None;
        self.acknowledged += 1;
        Ok(())
    }

    fn edit(&mut self, client: &Client, at: usize) -> Result<(), Gone> {
        let number = self.chance.below(1_000_000);
        let mut edit = json!({ "description": format!("edit {number}"), "timeout": 10_000 + number });
        if self.chance.once_in(2) {
            edit["params"] = self.params();
            edit["handler"] = json!(self.handler());
        }
        let known = &mut self.tasks[at];
        known.unanswered = Some(Unanswered::Edit(edit.clone()));
        let answer = client.attempt("PUT", &known.path(""), Some(&edit)).ok_or(Gone)?;
        self.changed(at, answer);
        Ok(())
    }

    fn hold(&mut self, client: &Client, at: usize) -> Result<(), Gone> {
        let known = &mut self.tasks[at];
        let action = if known.document["status"] == "paused" { "resume" } else { "pause" };
        known.unanswered = Some(Unanswered::Hold);
        let answer = client.attempt("POST", &known.path(&format!("/actions/{action}")), None).ok_or(Gone)?;
        self.changed(at, answer);
        Ok(())
    }

    /// Updates the model from an answer. A refusal changes nothing.
    fn changed(&mut self, at: usize, mut answer: Answer) {
        let known = &mut self.tasks[at];
        known.unanswered = None;
        match answer.status {
            200 => {
                known.take(answer.body["task"].take());
                self.acknowledged += 1;
            }
            409 => {}
            other => panic!("{}: {other}: {}", known.name, answer.body),
        }
    }

    fn run(&mut self, client: &Client, at: usize, wait: bool) -> Result<(), Gone> {
        let known = &mut self.tasks[at];
        known.unanswered = Some(Unanswered::Run);
        let path = known.path(if wait { "/actions/run?wait=true" } else { "/actions/run" });
        let mut answer = client.attempt("POST", &path, None).ok_or(Gone)?;
        known.unanswered = None;
        match answer.status {
            200 if wait => known.ended.push(answer.body["execution"].take()),
            200 => known.started.push(answer.body["executionId"].as_str().expect("an id").to_owned()),
            409 => return Ok(()),
            other => panic!("{}: {other}: {}", known.name, answer.body),
        }
        self.acknowledged += 1;
        self.look(client, at)
    }

    fn delete(&mut self, client: &Client, at: usize) -> Result<(), Gone> {
        let known = &mut self.tasks[at];
        known.unanswered = Some(Unanswered::Delete);
        let answer = client.attempt("DELETE", &known.path(""), None).ok_or(Gone)?;
        answer.expect(200);
        let known = self.tasks.swap_remove(at);
        self.deleted.extend(known.id);
        self.acknowledged += 1;
        Ok(())
    }

    /// A read acknowledges the state that it shows.
    fn look(&mut self, client: &Client, at: usize) -> Result<(), Gone> {
        let known = &mut self.tasks[at];
        // While a request is unanswered, the state is unknown.
        known.document["status"] = Value::Null;
        let answer = client.attempt("GET", &known.path(""), None);
        known.take(answer.ok_or(Gone)?.expect(200)["task"].take());
        Ok(())
    }

    fn handler(&mut self) -> &'static str {
        self.chance.of(&["quick", "quick", "slow", "chatty", "keeps", "keeps", "fails"])
    }

    fn params(&mut self) -> Value {
        let filling = self.chance.of(&[0, 0, 0, 100, 5_000, 60_000, 200_000]);
        params(self.chance.below(1000), filling)
    }
}

impl Known {
    pub(super) fn path(&self, more: &str) -> String {
        format!("/admin/scheduler/{}{more}", self.id.as_deref().expect("a task that is there"))
    }
}
