//! The list of handlers.

use askama::Template;
use axum::response::Response;

use crate::dashboard::{
    ask::Fault,
    documents::{Handler, HandlerList},
    shown,
    visit::Visit,
};

#[derive(Template)]
#[template(path = "handlers.html", blocks = ["files"])]
struct HandlersPage {
    visit: Visit,
    handlers: Vec<Handler>,
}

impl HandlersPage {
    fn new_task(&self, handler: &Handler) -> String {
        self.visit.query.only(&[]).with("handler", &handler.name).after(&self.visit.links.to("/tasks/new"))
    }

    fn used_by(&self, handler: &Handler) -> String {
        self.visit.query.only(&[]).with("handler", &handler.name).after(&self.visit.links.tasks())
    }
}

/// `/handlers`. Handlers that do not load come first.
pub(in crate::dashboard) async fn show(visit: Visit) -> Result<Response, Fault> {
    let list: HandlerList = visit.api.get("/admin/handlers").await?;
    let mut handlers = list.handlers;
    handlers.sort_by_key(|handler| handler.error.is_none());
    let page = HandlersPage { visit, handlers };
    match page.visit.part() {
        "files" => page.visit.show(&page.as_files()),
        _ => page.visit.show(&page),
    }
}
