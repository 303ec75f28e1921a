//! The routes of tasks, their runs and their entries.

use serde_json::{Value, json};

use super::spec::{Spec, delete, form, get, number, post, preset, put, text, typed, word, words};
use crate::{
    api::{
        documents::Deleted,
        input::LARGEST_SKIP,
        routes::{actions, bulk, executions, history, kv, tasks},
    },
    domain::{
        draft::schema,
        execution::{ExecutionStatus, Level, Reason, Trigger},
        facts::TaskStatus,
        ids::TaskId,
    },
    store::{LONGEST_KEY, LONGEST_TTL},
};

pub(super) fn specs() -> Vec<Spec> {
    [of_tasks(), actions(), runs(), entries()].into_iter().flatten().collect()
}

fn of_tasks() -> Vec<Spec> {
    let change =
        || put("/admin/scheduler/{id}").body(schema::changed_task()).conflicts().ok::<tasks::Changed>();
    vec![
        get("/admin/scheduler")
            .query([
                preset("skip", 0, LARGEST_SKIP as u64, 0),
                preset("limit", 1, 100, 20),
                word("status", TaskStatus::ALL.map(TaskStatus::name)),
                text("handler"),
                text("tag"),
                text("name"),
                word("sortBy", ["name", "nextRun", "createdAt", "updatedAt"]),
                word("sortOrder", ["asc", "desc"]),
                word("fields", ["list"]),
            ])
            .ok::<tasks::List>(),
        post("/admin/scheduler")
            .body(schema::new_task())
            .conflicts()
            .answer::<tasks::Changed>(201, "The task is created"),
        post("/admin/scheduler/bulk").body(bulk_body()).conflicts().ok::<bulk::Done>(),
        get("/admin/scheduler/{id}").ok::<tasks::Found>(),
        change(),
        change().method("PATCH"),
        delete("/admin/scheduler/{id}").conflicts().ok::<Deleted>(),
    ]
}

fn actions() -> Vec<Spec> {
    let act = |path| post(path).no_body().conflicts().ok::<actions::Acted>();
    vec![
        post("/admin/scheduler/{id}/actions/run")
            .query([word("wait", ["true", "false"])])
            .optional_body(schema::run())
            .conflicts()
            .ok::<actions::Started>(),
        act("/admin/scheduler/{id}/actions/pause"),
        act("/admin/scheduler/{id}/actions/resume"),
        act("/admin/scheduler/{id}/actions/reset-retries"),
        post("/admin/scheduler/{id}/actions/cancel").no_body().conflicts().ok::<actions::Cancelled>(),
        post("/admin/scheduler/{id}/actions/backfill")
            .body(schema::backfill())
            .conflicts()
            .ok::<actions::Backfilled>(),
    ]
}

fn runs() -> Vec<Spec> {
    let triggers: Vec<_> = Trigger::ALL.iter().map(|trigger| trigger.name()).collect();
    let statuses: Vec<_> = ExecutionStatus::ALL.iter().map(|status| status.name()).collect();
    let reasons: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    let levels = [Level::Debug, Level::Log, Level::Info, Level::Warn, Level::Error].map(Level::name);
    vec![
        get("/admin/scheduler/{id}/executions")
            .query([
                preset("skip", 0, LARGEST_SKIP as u64, 0),
                preset("limit", 1, 50, 10),
                word("status", ExecutionStatus::ALL.map(ExecutionStatus::name)),
                word("trigger", Trigger::ALL.map(Trigger::name)),
            ])
            .ok::<executions::History>(),
        get("/admin/scheduler/{id}/executions/{execution}").ok::<executions::Found>(),
        get("/admin/executions")
            .query([
                words("status", &statuses),
                words("reason", &reasons),
                words("trigger", &triggers),
                text("handler"),
                typed::<TaskId>("taskId"),
                text("tag"),
                number("scheduledFor", 0, i64::MAX),
                number("from", 0, i64::MAX),
                number("to", 0, i64::MAX),
                word("order", ["desc", "asc"]),
                preset("limit", 1, 100, 20),
                form("cursor", "cursor"),
            ])
            .ok::<history::list::List>(),
        get("/admin/executions/{id}").ok::<history::execution::Found>(),
        get("/admin/executions/{id}/output")
            .query([
                number("after", 0, 1_000_000_000),
                preset("limit", 1, 10_000, 1000),
                word("level", levels),
                word("format", ["json", "text", "ndjson"]),
            ])
            .ok::<history::execution::Part>()
            .text(200, "The output", "text/plain; charset=utf-8")
            .text(200, "The output", "application/x-ndjson"),
        post("/admin/executions/{id}/actions/rerun")
            .optional_body(schema::run())
            .conflicts()
            .ok::<history::execution::Rerun>(),
        post("/admin/executions/{id}/actions/cancel")
            .no_body()
            .conflicts()
            .ok::<history::execution::Cancelled>(),
        get("/admin/executions/{id}/stream")
            .query([word("batch", ["1", "0"]), form("lastEventId", "line-id")])
            .header("Last-Event-ID")
            .text(
                200,
                "Events `lines` (or `line`), `progress`, news of the task, and `end`",
                "text/event-stream",
            )
            .empty(204, "Nothing comes after the event `end`"),
    ]
}

fn entries() -> Vec<Spec> {
    let list = |path| {
        let key = |name| super::spec::parameter(name, json!({"type": "string", "maxLength": LONGEST_KEY}));
        get(path).query([key("prefix"), key("cursor"), preset("limit", 1, 1000, 100)]).ok::<kv::List>()
    };
    let of = |path| {
        vec![
            get(path).ok::<kv::Found>(),
            put(path).body(entry()).conflicts().ok::<kv::Found>(),
            delete(path).query([number("version", 0, u64::MAX)]).conflicts().ok::<Deleted>(),
        ]
    };
    let mut specs = vec![list("/admin/scheduler/{id}/kv"), list("/admin/kv")];
    specs.extend(of("/admin/scheduler/{id}/kv/{*key}"));
    specs.extend(of("/admin/kv/{*key}"));
    specs
}

fn entry() -> Value {
    json!({
        "type": "object",
        "properties": {
            "value": {"description": "any JSON of at most 64 KiB"},
            "ttl": {
                "type": ["integer", "null"], "minimum": 1, "maximum": LONGEST_TTL,
                "description": "milliseconds that it lasts",
            },
            "version": {
                "type": ["integer", "null"], "minimum": 0, "maximum": u64::MAX,
                "description": "the version that the entry must have; null: there must be none",
            },
        },
        "required": ["value"],
        "additionalProperties": false,
    })
}

fn bulk_body() -> Value {
    let filter = json!({
        "type": "object",
        "properties": {
            "status": {"type": "string", "enum": TaskStatus::ALL.map(TaskStatus::name)},
            "handler": {"type": "string"},
            "tag": {"type": "string"},
            "name": {"type": "string"},
        },
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "properties": {
            "action": {
                "type": "string", "enum": ["pause", "resume", "run", "cancel", "reset-retries", "delete"],
            },
            "ids": {
                "type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1000, "uniqueItems": true,
                "description": "the tasks, or `filter`: one of the two",
            },
            "filter": filter,
            "dryRun": {"type": "boolean", "default": false},
            "params": {
                "description": "the parameters of `run`", "allOf": [schema::run()["properties"]["params"]],
            },
            "confirm": {
                "type": "integer", "minimum": 0, "maximum": u64::MAX,
                "description": "with `filter`: the number of tasks that a dry run has told",
            },
            "cursor": {
                "type": ["string", "null"], "format": "cursor", "description": "with `filter`: where to go on",
            },
        },
        "required": ["action"],
        "oneOf": [{"required": ["ids"]}, {"required": ["filter"]}],
        "additionalProperties": false,
    })
}
