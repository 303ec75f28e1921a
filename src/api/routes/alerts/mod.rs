//! Alerts: the channels, the messages whose occasion lasts, the deliveries, and the mute.

mod deliveries;
mod own;

pub(in crate::api) use self::deliveries::{Deliveries, deliveries};
use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    alerts::Mute,
    api::{
        auth::Caller,
        documents::Meta,
        error::ApiError,
        input::{Body, Fields, LATEST, NoQuery},
        notes,
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        Millis,
        alerts::{Attempt, Firing},
        audit::{Action, Audit, Target, changed},
        draft::{Problems, whole_number},
        facts::Task,
        ids::TaskId,
    },
    store::StoreError,
};

/// Characters of a tag and of a reason.
pub(in crate::api) const LONGEST_TAG: usize = 40;
pub(in crate::api) const LONGEST_REASON: usize = 200;

/// The state of all alerts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Alerts {
    channels: Vec<Map<String, Value>>,
    /// The messages whose occasion lasts, task by task.
    firing: Vec<FiringDocument>,
    next_cursor: Option<TaskId>,
    mute: Option<Mute>,
    meta: Meta,
}

/// A message whose occasion lasts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FiringDocument {
    task_id: TaskId,
    task_name: String,
    handler: String,
    /// Where the newest message stands: `pending`, `held`, `delivered`, `given-up` or `dropped`; `null` if it is no
    /// longer kept, or has become a line of a digest.
    delivery: Option<&'static str>,
    #[serde(flatten)]
    firing: Firing,
}

/// The answer to a test of a channel.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Tested {
    #[serde(flatten)]
    attempt: Attempt,
    meta: Meta,
}

/// The mute after a change.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Muted {
    mute: Option<Mute>,
    meta: Meta,
}

pub(in crate::api) async fn read(
    State(api): State<Shared>,
    info: RequestInfo,
    Caller { grant, .. }: Caller,
    mut fields: Fields,
) -> Result<Json<Alerts>, ApiError> {
    let limit = fields.number("limit", 1, 100, 100);
    let cursor = cursor(&mut fields);
    fields.finish()?;
    let tasks = api.store.alarmed(cursor, limit).await?;
    let next_cursor = tasks.last().filter(|_| tasks.len() == limit).map(|task| task.id);
    let mut firing = Vec::new();
    for task in tasks.into_iter().filter(|task| grant.covers(&task.definition.handler)) {
        add_firing(&api, &mut firing, task).await?;
    }
    let mut channels = api.alerts.describe().await?;
    if grant.handlers.is_some() {
        own::keep(&api, grant, &mut channels).await?;
    }
    Ok(Json(Alerts { channels, firing, next_cursor, mute: api.alerts.mute().await?, meta: info.meta() }))
}

/// Adds the messages about a task whose occasion lasts.
async fn add_firing(api: &Shared, list: &mut Vec<FiringDocument>, task: Task) -> Result<(), StoreError> {
    let firing = task.facts.alarms.map(|alarms| alarms.firing).unwrap_or_default();
    for firing in firing {
        let newest = firing.last.unwrap_or(firing.alert);
        let delivery = deliveries::find(api, &firing.channel, newest).await?;
        list.push(FiringDocument {
            task_id: task.id,
            task_name: task.definition.name.clone(),
            handler: task.definition.handler.clone(),
            delivery: delivery.map(|delivery| delivery.state.name()),
            firing,
        });
    }
    Ok(())
}

fn cursor<T: std::str::FromStr>(fields: &mut Fields) -> Option<T> {
    let text = fields.text("cursor")?;
    let cursor = text.parse().ok();
    if cursor.is_none() {
        fields.report("cursor", "must be the nextCursor of an earlier answer");
    }
    cursor
}

/// Begins, changes or ends the mute: `{until, tag?, reason?}`, where an `until` of null ends it.
pub(in crate::api) async fn mute(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    _: NoQuery,
    Body(body): Body,
) -> Result<Json<Muted>, ApiError> {
    let now = api.clock.now();
    let mut problems = Problems::default();
    problems.report_unknown(body.keys().map(String::as_str), &["until", "tag", "reason"]);
    let until = match body.get("until") {
        Some(Value::Null) => None,
        Some(value) => {
            let until = whole_number(value).and_then(|until| Millis::try_from(until).ok());
            let until = until.filter(|until| (now + 1..=LATEST).contains(until));
            if until.is_none() {
                problems.report("until", "must be a time to come in milliseconds since 1970, or null");
            }
            until
        }
        None => {
            problems.report("until", "is required: a time in milliseconds since 1970, or null");
            None
        }
    };
    let mut text = |name: &str, most: usize| match body.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if (1..=most).contains(&text.chars().count()) => Some(text.clone()),
        Some(_) => {
            problems.report(name, format!("must be a string of 1 to {most} characters, or null"));
            None
        }
    };
    let (tag, reason) = (text("tag", LONGEST_TAG), text("reason", LONGEST_REASON));
    problems.finish().map_err(ApiError::invalid)?;
    let by = caller.token_name().to_owned();
    let mute = until.map(|until| Mute { until, tag, reason, by, since: now });
    let action = if mute.is_some() { Action::Mute } else { Action::Unmute };
    let record = caller.record(&api, action).on(Target::new("alerts", ""));
    let fields = mute.iter().flat_map(|mute| {
        [("until", json!(mute.until)), ("tag", json!(mute.tag)), ("reason", json!(mute.reason))]
    });
    let changes = fields.filter_map(|(field, to)| changed(field, Value::Null, to)).collect();
    api.alerts.set_mute(mute.clone()).await?;
    notes::write(&api, Audit { changes, ..record }).await;
    let message = if mute.is_some() { "Alerts are muted" } else { "Alerts are not muted" };
    Ok(Json(Muted { mute, meta: info.meta_saying(message) }))
}

/// Sends a test to a channel and answers what came back: `{channel}`.
pub(in crate::api) async fn test(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    _: NoQuery,
    Body(body): Body,
) -> Result<Json<Tested>, ApiError> {
    let mut problems = Problems::default();
    problems.report_unknown(body.keys().map(String::as_str), &["channel"]);
    let channel = body.get("channel").and_then(Value::as_str).unwrap_or_default();
    if !api.alerts.names().any(|name| name == channel) {
        problems.report("channel", unknown_channel(&api, body.get("channel").unwrap_or(&json!(null))));
    }
    problems.finish().map_err(ApiError::invalid)?;
    notes::write(&api, caller.record(&api, Action::Test).on(Target::new("channel", channel))).await;
    let attempt = api.alerts.test(channel).await;
    let attempt = attempt.ok_or_else(|| ApiError::internal("a channel has gone"))?;
    Ok(Json(Tested { attempt, meta: info.meta() }))
}

/// The problem with a name that is no channel's.
pub(super) fn unknown_channel(api: &Shared, name: &Value) -> String {
    let known: Vec<_> = api.alerts.names().collect();
    match known.as_slice() {
        [] => format!("{name} is no channel: the settings have none"),
        known => format!("{name} is no channel; known are {}", known.join(", ")),
    }
}
