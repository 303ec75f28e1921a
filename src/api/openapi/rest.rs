//! The routes of everything but tasks and their runs.

use serde_json::{Value, json};

use super::spec::{Spec, delete, form, get, number, parameter, post, preset, put, text, typed, word, words};
use crate::{
    api::{
        documents::Deleted,
        input::{LARGEST_SKIP, LATEST},
        routes::{
            alerts, audit, figures,
            handlers::{self, bundles},
            health, history,
            outlook::{conflicts, explain, forecast, simulate, timeline, upcoming},
            schedule, secrets, sessions, tokens,
        },
    },
    bundles::bundle::MOST_PARTS,
    domain::{
        access::{Role, pattern::Pattern},
        activity::Size,
        alerts::AlertId,
        audit::Action,
        binding::MOST_PATTERNS,
        ids::TaskId,
        step::News,
    },
};

pub(super) fn specs() -> Vec<Spec> {
    [of_handlers(), bindings(), of_alerts(), outlook(), of_figures(), access(), server()]
        .into_iter()
        .flatten()
        .collect()
}

fn of_handlers() -> Vec<Spec> {
    let manifest = json!({
        "type": "object",
        "properties": {
            "manifest": {
                "type": "array", "minItems": 1, "maxItems": MOST_PARTS,
                "items": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "description": "the chunks of the JSON object that has each file's `size` and `chunks` by its path",
            },
        },
        "required": ["manifest"],
        "additionalProperties": false,
    });
    let chunk = json!({
        "type": "object",
        "properties": {"content": {"type": "string", "contentEncoding": "base64", "minLength": 4, "format": "base64"}},
        "required": ["content"],
        "additionalProperties": false,
    });
    let query = json!({"type": "string", "minLength": 1, "maxLength": 100, "pattern": r"\S"});
    vec![
        get("/admin/handlers").ok::<handlers::List>(),
        get("/admin/handlers/{*name}").ok::<history::sources::Found>(),
        get("/admin/bundles").ok::<bundles::List>(),
        post("/admin/bundles")
            .body(manifest)
            .conflicts()
            .answer::<bundles::One>(201, "The bundle is there, and is used")
            .ok::<bundles::Lacks>(),
        put("/admin/bundles/chunks/{hash}").body(chunk).ok::<bundles::Kept>(),
        post("/admin/bundles/{id}/actions/use").no_body().conflicts().ok::<bundles::One>(),
        get("/admin/sources/{hash}").ok::<history::sources::SourceFound>(),
        get("/admin/sources/{hash}/diff/{other}").ok::<history::sources::Difference>(),
        get("/admin/search").query([parameter("q", query).required()]).ok::<history::search::Found>(),
    ]
}

fn patterns() -> Value {
    let pattern = serde_json::to_value(<Pattern as utoipa::PartialSchema>::schema()).unwrap_or_default();
    json!({"type": "array", "items": pattern, "maxItems": MOST_PATTERNS})
}

fn bindings() -> Vec<Spec> {
    let body = || {
        json!({
            "type": "object",
            "properties": {
                "value": {
                    "type": "string", "minLength": 1, "description": "at most 64 KiB; a new one needs it",
                },
                "handlers": patterns(),
                "env": {"type": "boolean", "description": "whether it is in `process.env` of these handlers"},
            },
            "additionalProperties": false,
        })
    };
    let of = |list, one| {
        [
            get(list).ok::<secrets::List>(),
            get(one).ok::<secrets::One>(),
            put(one).body(body()).conflicts().ok::<secrets::One>().answer::<secrets::One>(201, "It is new"),
            delete(one).conflicts().ok::<Deleted>(),
        ]
    };
    let mut specs = Vec::from(of("/admin/secrets", "/admin/secrets/{name}"));
    specs.extend(of("/admin/variables", "/admin/variables/{name}"));
    specs
}

fn of_alerts() -> Vec<Spec> {
    let mute = json!({
        "type": "object",
        "properties": {
            "until": {
                "type": ["integer", "null"], "maximum": LATEST, "format": "future",
                "description": "epoch milliseconds to come; null ends the mute",
            },
            "tag": {"type": ["string", "null"], "minLength": 1, "maxLength": alerts::LONGEST_TAG},
            "reason": {"type": ["string", "null"], "minLength": 1, "maxLength": alerts::LONGEST_REASON},
        },
        "required": ["until"],
        "additionalProperties": false,
    });
    let test = json!({
        "type": "object",
        "properties": {"channel": {"type": "string", "format": "channel"}},
        "required": ["channel"],
        "additionalProperties": false,
    });
    vec![
        get("/admin/alerts")
            .query([preset("limit", 1, 100, 100), typed::<TaskId>("cursor")])
            .ok::<alerts::Alerts>(),
        get("/admin/alerts/deliveries")
            .query([
                preset("limit", 1, 100, 20),
                typed::<AlertId>("cursor"),
                word("status", ["pending", "held", "delivered", "given-up", "dropped"]),
                text("channel"),
                typed::<TaskId>("taskId"),
            ])
            .ok::<alerts::Deliveries>(),
        put("/admin/alerts/mute").body(mute).ok::<alerts::Muted>(),
        post("/admin/alerts/test").body(test).ok::<alerts::Tested>(),
    ]
}

fn outlook() -> Vec<Spec> {
    let span = || [number("from", 0, LATEST), number("to", 0, LATEST)];
    vec![
        get("/admin/schedule/preview")
            .query([
                form("schedule", "schedule").required(),
                form("timezone", "timezone"),
                number("after", 0, LATEST),
                preset("count", 1, 100, 5),
                number("startAt", 0, LATEST),
                number("endAt", 0, LATEST),
                preset("jitter", 0, 3_600_000, 0),
            ])
            .ok::<schedule::PreviewDocument>(),
        get("/admin/upcoming")
            .query(span())
            .query([text("handler"), text("tag"), typed::<TaskId>("taskId"), preset("limit", 1, 1000, 100)])
            .ok::<upcoming::Upcoming>(),
        get("/admin/forecast")
            .query(span())
            .query([word("bucket", ["hour", "day"])])
            .ok::<forecast::Document>(),
        get("/admin/simulate").query(span()).ok::<simulate::Simulation>(),
        get("/admin/scheduler/conflicts")
            .query([
                form("schedule", "schedule").required(),
                form("timezone", "timezone"),
                number("duration", 0, conflicts::LONGEST_RUN),
                typed::<TaskId>("excludeId"),
            ])
            .ok::<conflicts::Conflicts>(),
        get("/admin/scheduler/{id}/explain")
            .query(span())
            .query([form("timezone", "timezone")])
            .ok::<explain::Explanation>(),
        get("/admin/timeline")
            .query(span())
            .query([
                text("handler"),
                text("tag"),
                text("name"),
                preset("lanes", 1, 50, 20),
                number("cursor", 0, LARGEST_SKIP),
            ])
            .ok::<timeline::Timeline>(),
    ]
}

fn of_figures() -> Vec<Spec> {
    vec![
        get("/admin/overview").ok::<figures::overview::Overview>(),
        get("/admin/activity")
            .query([
                word("bucket", Size::ALL.map(Size::name)),
                number("from", 0, LATEST),
                number("to", 0, LATEST),
                typed::<TaskId>("taskId"),
            ])
            .ok::<figures::activity::Activity>(),
        get("/metrics").text(200, "The figures", "text/plain; version=0.0.4; charset=utf-8").text(
            200,
            "The figures",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        get("/admin/events")
            .query([
                typed::<TaskId>("taskId"),
                words("type", &News::NAMES),
                preset("coalesce", 0, 10_000, 0),
                form("lastEventId", "event-id"),
            ])
            .header("Last-Event-ID")
            .text(200, "Events, each with a JSON document", "text/event-stream"),
    ]
}

fn access() -> Vec<Spec> {
    let token = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 50, "format": "name"},
            "role": {"type": "string", "enum": Role::ALL.map(Role::name)},
            "expiresAt": {
                "type": ["integer", "null"], "minimum": 0, "maximum": i64::MAX, "format": "future",
                "description": "epoch milliseconds to come",
            },
            "handlers": {"anyOf": [patterns(), {"type": "null"}]},
        },
        "required": ["name", "role"],
        "additionalProperties": false,
    });
    let rotation = json!({
        "type": "object",
        "properties": {
            "overlap": {
                "type": "integer", "minimum": 0, "maximum": tokens::LONGEST_OVERLAP,
                "description": "milliseconds for which the old text still works",
            },
        },
        "additionalProperties": false,
    });
    vec![
        get("/admin/me").ok::<sessions::Me>(),
        get("/admin/sessions").ok::<sessions::List>(),
        post("/admin/sessions")
            .no_body()
            .conflicts()
            .answer::<sessions::Opened>(201, "The session is open, its cookie is set"),
        delete("/admin/sessions").ok::<sessions::Ended>(),
        delete("/admin/sessions/{id}").ok::<sessions::Ended>(),
        get("/admin/audit")
            .query([
                typed::<TaskId>("taskId"),
                text("actor"),
                word("action", Action::ALL.map(Action::name)),
                number("from", 0, LATEST),
                number("to", 0, LATEST),
                preset("limit", 1, 1000, 100),
                form("cursor", "cursor"),
                word("format", ["json", "ndjson"]),
            ])
            .ok::<audit::List>()
            .text(200, "The records", "application/x-ndjson"),
        get("/admin/tokens").ok::<tokens::List>(),
        post("/admin/tokens").body(token).conflicts().answer::<tokens::Given>(201, "The token is made"),
        delete("/admin/tokens/{id}").conflicts().ok::<Deleted>(),
        post("/admin/tokens/{id}/actions/rotate").optional_body(rotation).conflicts().ok::<tokens::Given>(),
    ]
}

fn server() -> Vec<Spec> {
    vec![
        get("/admin/nodes").ok::<figures::nodes::List>(),
        post("/admin/nodes/{id}/actions/drain").no_body().conflicts().ok::<figures::nodes::One>(),
        post("/admin/nodes/{id}/actions/undrain").no_body().conflicts().ok::<figures::nodes::One>(),
        get("/health").ok::<health::Health>(),
        get("/ready").ok::<health::Ready>().answer::<health::Ready>(503, "The server cannot do its work"),
        get("/openapi.json").text(200, "This document", "application/json"),
    ]
}
