//! The reference of the API: `/openapi.json` as a page, for everybody.

mod operation;
mod schema;

use askama::Template;
use axum::{
    extract::{FromRequestParts, Request, State},
    http::header,
    response::{Html, IntoResponse, Response},
};
use serde_json::Value;

use self::operation::{Operation, Room};
use self::schema::{Document, Schemas};
use crate::dashboard::{
    Shared,
    ask::{Ask, Fault},
    shown,
    visit::{Bare, Preferences, Visit},
};

/// The parts of the document that the page shows.
struct Reference {
    rooms: Vec<Room>,
    documents: Vec<Document>,
}

#[derive(Template)]
#[template(path = "reference.html")]
struct ReferencePage {
    visit: Visit,
    reference: Reference,
    source: String,
}

#[derive(Template)]
#[template(path = "reference_bare.html")]
struct BareReferencePage<'a> {
    bare: Bare<'a>,
    reference: Reference,
    source: String,
}

impl Reference {
    fn read(document: &Value) -> Self {
        let schemas = Schemas(&document["components"]["schemas"]);
        let mut rooms: Vec<_> = names(&document["tags"]).map(Room::new).collect();
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            for (method, about) in methods.as_object().into_iter().flatten() {
                let operation = Operation::read(schemas, path, method, about);
                let room = rooms.iter_mut().find(|room| about["tags"][0] == room.name.as_str());
                room.into_iter().for_each(|room| room.operations.push(operation.clone()));
            }
        }
        Self { rooms, documents: schemas.documents() }
    }
}

fn names(tags: &Value) -> impl Iterator<Item = &str> {
    tags.as_array().into_iter().flatten().filter_map(|tag| tag["name"].as_str())
}

/// `/docs`.
pub(in crate::dashboard) async fn show(
    State(dashboard): State<Shared>,
    request: Request,
) -> Result<Response, Fault> {
    let (mut parts, _) = request.into_parts();
    let document: Value = Ask::like(dashboard.api.clone(), &parts).get("/openapi.json").await?;
    let reference = Reference::read(&document);
    let source = dashboard.links.to("/openapi.json");
    match Visit::from_request_parts(&mut parts, &dashboard).await {
        Ok(visit) => {
            let page = ReferencePage { visit, reference, source };
            page.visit.show(&page)
        }
        // The reference needs no token.
        Err(Fault::NoSession) => {
            let bare = Bare { links: &dashboard.links, preferences: Preferences::read(&parts.headers) };
            let page = BareReferencePage { bare, reference, source };
            Ok(([(header::CACHE_CONTROL, "no-store")], Html(page.render()?)).into_response())
        }
        Err(fault) => Err(fault),
    }
}
