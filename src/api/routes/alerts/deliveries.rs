//! The list of messages, newest first: those that wait among those that are over.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::cursor;
use crate::{
    alerts::summarize,
    api::{
        auth::Caller, documents::Meta, error::ApiError, input::Fields, request::RequestInfo, state::Shared,
    },
    domain::{
        Millis,
        access::Grant,
        alerts::{AlertId, Attempt, Delivery, State as DeliveryState},
        ids::TaskId,
    },
    store::{OutboxQuery, Place, StoreError},
};

/// Deliveries that one request looks at, at most.
const MOST_LOOKED_AT: usize = 5000;

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

/// The filters of a list of deliveries.
pub(super) struct Filter {
    pub(super) channel: Option<String>,
    pub(super) task: Option<TaskId>,
    pub(super) status: Option<&'static str>,
    pub(super) grant: Grant,
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

    /// The parts of the outbox with messages that it may let through, in the order in which messages move on, so
    /// that a message that moves meanwhile is found.
    async fn parts(&self, api: &Shared) -> Result<Vec<(Place, Option<String>)>, StoreError> {
        let places: &[Place] = match self.status {
            None => &[Place::Held, Place::Pending, Place::Over],
            Some("held") => &[Place::Held],
            Some("pending") => &[Place::Pending],
            Some(_) => &[Place::Over],
        };
        let mut channels: BTreeSet<String> = BTreeSet::new();
        match &self.channel {
            Some(channel) => drop(channels.insert(channel.clone())),
            None => {
                channels.extend(api.alerts.names().map(str::to_owned));
                // A channel that the settings no longer have.
                channels.extend(api.store.waiting().await?.into_keys());
            }
        }
        let mut parts = Vec::new();
        for place in places {
            match place {
                Place::Over => parts.push((Place::Over, None)),
                place => parts.extend(channels.iter().map(|channel| (*place, Some(channel.clone())))),
            }
        }
        Ok(parts)
    }
}

/// The messages that a filter lets through, newest first, and how far the look at them got.
pub(super) struct Found {
    pub(super) deliveries: Vec<Delivery>,
    /// The last message that was looked at, if there may be others beyond it.
    next: Option<AlertId>,
    /// Whether `deliveries` is all there is before `next`.
    complete: bool,
}

/// Reads the newest `limit` messages before `before` that a filter lets through.
///
/// # Errors
/// When the store fails.
pub(super) async fn read(
    api: &Shared,
    filter: &Filter,
    before: Option<AlertId>,
    limit: usize,
) -> Result<Found, StoreError> {
    let parts = filter.parts(api).await?;
    let (mut found, mut after, mut looked_at) = (Vec::new(), before, 0);
    loop {
        let part = newest(api, &parts, after, limit.min(MOST_LOOKED_AT)).await?;
        let is_last = part.len() < limit;
        looked_at += part.len();
        for delivery in part {
            after = Some(delivery.alert.id);
            if filter.lets_through(&delivery) {
                found.push(delivery);
                if found.len() == limit {
                    return Ok(Found { deliveries: found, next: after, complete: true });
                }
            }
        }
        if is_last || looked_at >= MOST_LOOKED_AT {
            return Ok(Found { deliveries: found, next: after.filter(|_| !is_last), complete: is_last });
        }
    }
}

/// The newest messages of several parts of the outbox.
async fn newest(
    api: &Shared,
    parts: &[(Place, Option<String>)],
    after: Option<AlertId>,
    limit: usize,
) -> Result<Vec<Delivery>, StoreError> {
    let mut all = BTreeMap::new();
    for (place, channel) in parts {
        let query = OutboxQuery { place: *place, channel: channel.clone(), after, newest_first: true, limit };
        let part = api.store.deliveries(query).await?;
        all.extend(part.into_iter().map(|delivery| (delivery.alert.id, delivery)));
    }
    Ok(all.into_values().rev().take(limit).collect())
}

/// Finds a message by its id; nothing if it is no longer kept, or has become a line of a digest.
///
/// # Errors
/// When the store fails.
pub(super) async fn find(api: &Shared, channel: &str, id: AlertId) -> Result<Option<Delivery>, StoreError> {
    let before = u128::from_be_bytes(id.to_bytes()).saturating_sub(1);
    let after = Some(AlertId::from_bytes(before.to_be_bytes()));
    for place in [Place::Held, Place::Pending, Place::Over] {
        let channel = Some(channel.to_owned()).filter(|_| place != Place::Over);
        let query = OutboxQuery { place, channel, after, newest_first: false, limit: 1 };
        let first = api.store.deliveries(query).await?.pop();
        if let Some(delivery) = first.filter(|delivery| delivery.alert.id == id) {
            return Ok(Some(delivery));
        }
    }
    Ok(None)
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
    fields.finish()?;
    let found = read(&api, &Filter { channel, task, status, grant }, cursor, limit).await?;
    Ok(Json(Deliveries {
        deliveries: found.deliveries.into_iter().map(DeliveryDocument::new).collect(),
        next_cursor: found.next,
        complete: found.complete,
        meta: info.meta(),
    }))
}
