//! The processes that have the store open.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{
        auth::Caller,
        documents::Meta,
        error::ApiError,
        input::{NoBody, NoQuery},
        request::RequestInfo,
        state::{Process, Shared},
    },
    domain::{
        Millis,
        audit::{Action, Target},
        ids::NodeId,
    },
    store::{self, DRAINED, drained_key},
};

/// A process that has the store open, or had it within the last day.
#[derive(Serialize, ToSchema)]
struct Node {
    /// Null with the embedded store, which one process has alone.
    id: Option<NodeId>,
    /// For people.
    name: String,
    /// The address of its API, if it has told one.
    address: Option<String>,
    /// The version of its program.
    build: String,
    /// When it joined.
    joined: Millis,
    /// When it told last that it lives.
    seen: Millis,
    /// Runs at once at most.
    places: usize,
    /// Runs under way.
    busy: usize,
    /// Whether it takes no new runs.
    drained: bool,
    /// When it was declared gone; null while it lives.
    gone: Option<Millis>,
    /// Why it is gone.
    why: Option<String>,
}

impl Node {
    fn new(node: store::Node, drained: &[String]) -> Self {
        let store::Node { id, name, address, build, joined, seen, places, busy, gone, why, .. } = node;
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let (places, busy) = (count(places), count(busy));
        let drained = gone.is_none() && drained.contains(&drained_key(id));
        Self { id: Some(id), name, address, build, joined, seen, places, busy, drained, gone, why }
    }
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct List {
    /// In the order in which they joined.
    nodes: Vec<Node>,
    total: usize,
    meta: Meta,
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct One {
    node: Node,
    meta: Meta,
}

pub(in crate::api) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    _: NoQuery,
) -> Result<Json<List>, ApiError> {
    let nodes: Vec<Node> = match api.store.shared() {
        Some(shared) => {
            let values = api.store.values(DRAINED.to_owned()).await?;
            let drained: Vec<_> = values.into_iter().map(|(key, _)| key).collect();
            shared.nodes().await?.into_iter().map(|node| Node::new(node, &drained)).collect()
        }
        None => vec![alone(&api)],
    };
    Ok(Json(List { total: nodes.len(), nodes, meta: info.meta() }))
}

pub(in crate::api) async fn drain(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    Path(id): Path<String>,
    _: NoQuery,
    _: NoBody,
) -> Result<Json<One>, ApiError> {
    set_drained(&api, &info, &caller, (&id, true)).await
}

pub(in crate::api) async fn undrain(
    State(api): State<Shared>,
    info: RequestInfo,
    caller: Caller,
    Path(id): Path<String>,
    _: NoQuery,
    _: NoBody,
) -> Result<Json<One>, ApiError> {
    set_drained(&api, &info, &caller, (&id, false)).await
}

async fn set_drained(
    api: &Shared,
    info: &RequestInfo,
    caller: &Caller,
    (id, drained): (&str, bool),
) -> Result<Json<One>, ApiError> {
    let absent = || ApiError::not_found("Node not found");
    let (id, shared) = id.parse::<NodeId>().ok().zip(api.store.shared()).ok_or_else(absent)?;
    let node = shared.nodes().await?.into_iter().find(|node| node.id == id).ok_or_else(absent)?;
    let gone = || ApiError::conflict(format!("The node \"{}\" is gone", node.name));
    if node.gone.is_some() {
        return Err(gone());
    }
    let action = if drained { Action::Drain } else { Action::Undrain };
    let audit = caller.record(api, action).on(Target::new("node", node.name.as_str()));
    if !api.scheduler.set_drained(id, drained, audit).await? {
        return Err(gone());
    }
    let does = if drained { "takes no new runs" } else { "takes runs again" };
    let meta = info.meta_saying(format!("Node \"{}\" {does}", node.name));
    let keys = if drained { vec![drained_key(id)] } else { Vec::new() };
    Ok(Json(One { node: Node::new(node, &keys), meta }))
}

/// This process, which has the store alone.
fn alone(api: &Shared) -> Node {
    let Process { name, address, started: joined } = api.readiness.process();
    Node {
        id: None,
        name,
        address,
        build: env!("CARGO_PKG_VERSION").to_owned(),
        joined,
        seen: api.clock.now(),
        places: api.scheduler.capacity(),
        busy: api.scheduler.busy(),
        drained: false,
        gone: None,
        why: None,
    }
}
