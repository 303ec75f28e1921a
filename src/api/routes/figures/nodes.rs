//! The processes that have the store open.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{
        documents::Meta,
        error::ApiError,
        input::Fields,
        request::RequestInfo,
        state::{Process, Shared},
    },
    domain::{Millis, ids::NodeId},
    store,
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
    /// When it was declared gone; null while it lives.
    gone: Option<Millis>,
    /// Why it is gone.
    why: Option<String>,
}

impl From<store::Node> for Node {
    fn from(node: store::Node) -> Self {
        let store::Node { id, name, address, build, joined, seen, places, busy, gone, why, .. } = node;
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let (places, busy) = (count(places), count(busy));
        Self { id: Some(id), name, address, build, joined, seen, places, busy, gone, why }
    }
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct List {
    /// In the order in which they joined.
    nodes: Vec<Node>,
    total: usize,
    meta: Meta,
}

pub(in crate::api) async fn list(
    State(api): State<Shared>,
    info: RequestInfo,
    fields: Fields,
) -> Result<Json<List>, ApiError> {
    fields.finish()?;
    let nodes: Vec<Node> = match api.store.shared() {
        Some(store) => store.nodes().await?.into_iter().map(Node::from).collect(),
        None => vec![alone(&api)],
    };
    Ok(Json(List { total: nodes.len(), nodes, meta: info.meta() }))
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
        gone: None,
        why: None,
    }
}
