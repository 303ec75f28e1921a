//! Alerts: the channels, the messages whose occasion lasts, the deliveries, and the mute.

use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    alerts::{Mute, summarize},
    api::{
        auth::Caller,
        documents::Meta,
        error::ApiError,
        input::{Body, Fields, LATEST},
        notes,
        request::RequestInfo,
        state::Shared,
    },
    domain::{
        Millis,
        access::Grant,
        alerts::{AlertId, Attempt, Delivery, Firing, State as DeliveryState},
        audit::{Action, Audit, Target, changed},
        draft::{Problems, whole_number},
        facts::Task,
        ids::TaskId,
    },
    store::{OutboxQuery, Place},
};

/// Deliveries that one request looks at, at most.
const MOST_LOOKED_AT: usize = 5000;
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
    #[serde(flatten)]
    firing: Firing,
}

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Deliveries {
    deliveries: Vec<DeliveryDocument>,
    next_cursor: Option<AlertId>,
    /// Whether there are no further ones before `nextCursor` that the filters let through.
    complete: bool,
    meta: Meta,
}

/// A message and what has become of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeliveryDocument {
    id: AlertId,
    channel: String,
    kind: &'static str,
    reminder: bool,
    status: &'static str,
    /// Epoch milliseconds of the decision.
    time: Millis,
    next_attempt: Option<Millis>,
    task_id: Option<TaskId>,
    task_name: Option<String>,
    execution_id: Option<String>,
    summary: String,
    lines: Vec<String>,
    attempts: Vec<Attempt>,
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

impl DeliveryDocument {
    fn new(delivery: Delivery) -> Self {
        let Delivery { alert, state, attempts } = delivery;
        let next_attempt = match state {
            DeliveryState::Pending { not_before } => Some(not_before),
            _ => None,
        };
        Self {
            id: alert.id,
            kind: alert.kind.name(),
            reminder: alert.reminder,
            status: state.name(),
            time: alert.time,
            next_attempt,
            task_id: alert.task.as_ref().map(|task| task.id),
            task_name: alert.task.as_ref().map(|task| task.name.clone()),
            execution_id: alert.cause.as_ref().map(|cause| cause.execution.to_string()),
            summary: summarize(&alert),
            channel: alert.channel,
            lines: alert.lines,
            attempts,
        }
    }
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
    let firing = tasks.into_iter().filter(|task| grant.covers(&task.definition.handler)).flat_map(firing_of);
    Ok(Json(Alerts {
        channels: api.alerts.describe().await?,
        firing: firing.collect(),
        next_cursor,
        mute: api.alerts.mute().await?,
        meta: info.meta(),
    }))
}

fn firing_of(task: Task) -> Vec<FiringDocument> {
    let firing = task.facts.alarms.map(|alarms| alarms.firing).unwrap_or_default();
    let document = |firing| FiringDocument {
        task_id: task.id,
        task_name: task.definition.name.clone(),
        handler: task.definition.handler.clone(),
        firing,
    };
    firing.into_iter().map(document).collect()
}

fn cursor<T: std::str::FromStr>(fields: &mut Fields) -> Option<T> {
    let text = fields.text("cursor")?;
    let cursor = text.parse().ok();
    if cursor.is_none() {
        fields.report("cursor", "must be the nextCursor of an earlier answer");
    }
    cursor
}

/// The filters of a list of deliveries.
struct Filter {
    channel: Option<String>,
    task: Option<TaskId>,
    status: Option<&'static str>,
    grant: Grant,
}

impl Filter {
    fn lets_through(&self, delivery: &Delivery) -> bool {
        let task = delivery.alert.task.as_ref();
        let is_covered = match task {
            Some(task) => self.grant.covers(&task.handler),
            // Digests name tasks of every handler.
            None => self.grant.handlers.is_none(),
        };
        is_covered
            && self.channel.as_ref().is_none_or(|channel| *channel == delivery.alert.channel)
            && self.task.is_none_or(|wanted| task.is_some_and(|task| task.id == wanted))
            && self.status.is_none_or(|status| status == delivery.state.name())
    }
}

pub(in crate::api) async fn deliveries(
    State(api): State<Shared>,
    info: RequestInfo,
    Caller { grant, .. }: Caller,
    mut fields: Fields,
) -> Result<Json<Deliveries>, ApiError> {
    let statuses = ["pending", "held", "delivered", "given-up", "dropped"].map(|name| (name, name));
    let limit = fields.number("limit", 1, 100, 20);
    let cursor = cursor::<AlertId>(&mut fields);
    let status = fields.choice("status", &statuses);
    let channel = fields.text("channel");
    let task = fields.text("taskId").and_then(|text| match text.parse::<TaskId>() {
        Ok(task) => Some(task),
        Err(error) => {
            fields.report("taskId", error.to_string());
            None
        }
    });
    let place = match status {
        Some("pending") => Place::Pending,
        Some("held") => Place::Held,
        _ => Place::Over,
    };
    if place != Place::Over && channel.is_none() {
        fields.report("channel", "is required for deliveries that wait: they wait by channel");
    }
    fields.finish()?;
    let filter = Filter { channel: channel.clone(), task, status, grant };
    let by_channel = channel.filter(|_| place != Place::Over);
    let mut found = Vec::new();
    let (mut after, mut looked_at) = (cursor, 0);
    let complete = loop {
        let query = OutboxQuery {
            place,
            channel: by_channel.clone(),
            after,
            newest_first: place == Place::Over,
            limit,
        };
        let part = api.store.deliveries(query).await?;
        let is_last = part.len() < limit;
        looked_at += part.len();
        for delivery in part {
            after = Some(delivery.alert.id);
            if filter.lets_through(&delivery) {
                found.push(DeliveryDocument::new(delivery));
                if found.len() == limit {
                    return Ok(Json(page(found, after, true, &info)));
                }
            }
        }
        if is_last || looked_at >= MOST_LOOKED_AT {
            break is_last;
        }
    };
    let next = after.filter(|_| !complete);
    Ok(Json(page(found, next, complete, &info)))
}

fn page(
    deliveries: Vec<DeliveryDocument>,
    next_cursor: Option<AlertId>,
    complete: bool,
    info: &RequestInfo,
) -> Deliveries {
    Deliveries { deliveries, next_cursor, complete, meta: info.meta() }
}

/// Begins, changes or ends the mute: `{until, tag?, reason?}`, where an `until` of null ends it.
pub(in crate::api) async fn mute(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    fields: Fields,
    Body(body): Body,
) -> Result<Json<Muted>, ApiError> {
    fields.finish()?;
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
    fields: Fields,
    Body(body): Body,
) -> Result<Json<Tested>, ApiError> {
    fields.finish()?;
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
