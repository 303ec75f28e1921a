//! A driver's model of its tasks: every acknowledged change, and the unanswered request, which may
//! have taken effect or not.

use serde_json::{Value, json};

use crate::harness::field;

/// The fields of a task that users set. Only a request changes them.
const DEFINITION: [&str; 14] = [
    "_key",
    "name",
    "description",
    "handler",
    "params",
    "schedule",
    "timezone",
    "recurring",
    "maxRetries",
    "retryDelay",
    "timeout",
    "overlap",
    "keepExecutions",
    "createdAt",
];

/// A request that got no answer.
#[derive(Debug, Clone)]
pub(super) enum Unanswered {
    Create(Value),
    Edit(Value),
    /// `pause` or `resume`.
    Hold,
    Run,
    Delete,
}

/// One task.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: String,
    /// `None` until its creation is answered or found.
    pub(super) id: Option<String>,
    /// Its last document in an answer.
    pub(super) document: Value,
    /// Executions with a complete answer, because the driver waited for their end.
    pub(super) ended: Vec<Value>,
    /// Executions of which only the id is known.
    pub(super) started: Vec<String>,
    /// Unanswered requests of a run: each may have a row.
    pub(super) perhaps: usize,
    pub(super) unanswered: Option<Unanswered>,
}

impl Known {
    /// A task before its creation is requested.
    pub(super) fn new(name: String, body: Value) -> Self {
        Self {
            name,
            id: None,
            document: Value::Null,
            ended: Vec::new(),
            started: Vec::new(),
            perhaps: 0,
            unanswered: Some(Unanswered::Create(body)),
        }
    }

    /// Updates the model with the document of an answer.
    pub(super) fn take(&mut self, document: Value) {
        self.id = document["_key"].as_str().map(str::to_owned);
        self.document = document;
    }

    /// Checks that a document is the last acknowledged one, with or without the whole unanswered
    /// request.
    #[track_caller]
    pub(super) fn check(&self, found: &Value) {
        let mut edited = self.document.clone();
        let right = match &self.unanswered {
            Some(Unanswered::Create(body)) => {
                let body = body.as_object().expect("a body");
                body.iter().all(|(key, value)| &found[key] == value)
            }
            Some(Unanswered::Edit(edit)) => {
                for (key, value) in edit.as_object().expect("a body") {
                    edited[key] = value.clone();
                }
                is_same(found, &self.document) || is_same(found, &edited)
            }
            None if is_at_rest(&self.document) => found == &self.document,
            _ => is_same(found, &self.document),
        };
        assert!(
            right,
            "{} is neither as acknowledged nor as asked for (unanswered: {}):{}",
            self.name,
            self.unanswered.is_some(),
            differences(&self.document, found)
        );
    }
}

fn is_same(one: &Value, other: &Value) -> bool {
    field(one, DEFINITION) == field(other, DEFINITION)
}

/// The differences, one a line.
fn differences(before: &Value, after: &Value) -> String {
    let keys = after.as_object().into_iter().flatten().map(|(key, _)| key);
    let differing = keys.filter(|key| before[key.as_str()] != after[key.as_str()]);
    let short = |value: &Value| value.to_string().chars().take(600).collect::<String>();
    differing.map(|key| format!("\n  {key}: {} -> {}", short(&before[key]), short(&after[key]))).collect()
}

/// Whether only requests change a task.
pub(super) fn is_at_rest(document: &Value) -> bool {
    ["active", "paused", "completed", "failed"].contains(&document["status"].as_str().unwrap_or_default())
        && (document["nextRun"].is_null() || document["schedule"] == DORMANT)
}

/// A schedule that is never due while a test runs.
pub(crate) const DORMANT: &str = "0 0 29 2 *";

/// The first lines of a handler's runs; an attempt that ran twice has two.
pub(super) fn starts(row: &Value) -> Vec<&str> {
    lines(row, "start ")
}

/// The rest of the lines of a row that start with `word`.
pub(super) fn lines<'a>(row: &'a Value, word: &str) -> Vec<&'a str> {
    let lines = row["output"].as_array().map(Vec::as_slice).unwrap_or_default();
    lines.iter().filter_map(|line| line["message"].as_str()?.strip_prefix(word)).collect()
}

/// The handlers that the tasks run, by name.
pub(crate) const HANDLERS: [(&str, &str); 6] = [
    (
        "quick",
        "module.exports = (params, ctx) => {
           console.log(`start ${ctx.executionId} ${ctx.attempt}`);
           return { n: params.n };
         };",
    ),
    (
        "slow",
        "module.exports = async (params, ctx) => {
           console.log(`start ${ctx.executionId} ${ctx.attempt}`);
           await new Promise((go) => setTimeout(go, params.n % 300));
           return { n: params.n };
         };",
    ),
    (
        "chatty",
        "module.exports = (params, ctx) => {
           console.log(`start ${ctx.executionId} ${ctx.attempt}`);
           for (let n = 0; n < params.n % 40; n++) console.log(String(n).repeat(50));
           return { n: params.n };
         };",
    ),
    (
        "floods",
        "module.exports = (params, ctx) => {
           console.log(`start ${ctx.executionId} ${ctx.attempt}`);
           for (let n = 0; n < params.n; n++) console.log(String(n).repeat(300));
           return { n: params.n };
         };",
    ),
    (
        "keeps",
        "module.exports = async (params, ctx) => {
           console.log(`start ${ctx.executionId} ${ctx.attempt}`);
           const count = await ctx.step('count', () => {
             console.log('counts');
             return ctx.kv.increment('count');
           });
           await ctx.kv.set(`run/${ctx.scheduledFor}`, count);
           console.log(`kept ${count}`);
           await ctx.step('shared', () => ctx.kv.shared.increment('all'));
           ctx.progress(0.5, 'half');
           await new Promise((go) => setTimeout(go, params.n % 200));
           return { n: params.n };
         };",
    ),
    (
        "fails",
        "module.exports = (params, ctx) => {
           console.log(`start ${ctx.executionId} ${ctx.attempt}`);
           throw new Error(`no ${params.n}`);
         };",
    ),
];

/// The parameters of a task, usually small, sometimes so large that the store keeps them as overflow.
pub(crate) fn params(n: usize, filling: usize) -> Value {
    json!({ "n": n, "filling": "x".repeat(filling) })
}
