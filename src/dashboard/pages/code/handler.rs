//! A handler: its source, the tasks that use it, its versions.

use askama::Template;
use axum::{extract::Path, response::Response};

use crate::dashboard::{
    ask::Fault,
    documents::{HandlerFound, Version},
    pages::segment,
    shown,
    visit::Visit,
};

#[derive(Template)]
#[template(path = "handler.html")]
struct HandlerPage {
    visit: Visit,
    found: HandlerFound,
}

impl HandlerPage {
    fn lines(&self) -> Vec<&str> {
        self.found.source.as_deref().unwrap_or_default().lines().collect()
    }

    /// The number of the line that the error names.
    fn wrong_line(&self) -> Option<usize> {
        let error = self.found.handler.error.as_deref()?;
        let (_, rest) = error.split_once(&format!("{}:", self.found.handler.file))?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..digits)?.parse().ok()
    }

    fn is_wrong(&self, line: &usize) -> bool {
        self.wrong_line() == Some(*line)
    }

    fn new_task(&self) -> String {
        let query = self.visit.query.only(&[]).with("handler", &self.found.handler.name);
        query.after(&self.visit.links.to("/tasks/new"))
    }

    /// Each version with the address of its difference from the one before, newest first.
    fn versions(&self) -> Vec<(&Version, Option<String>)> {
        let older = self.found.versions.iter().skip(1).map(Some).chain([None]);
        let link = |(new, old): (&'_ Version, Option<&Version>)| {
            old.map(|old| self.visit.links.difference(&old.hash, &new.hash))
        };
        self.found.versions.iter().zip(older).map(|pair| (pair.0, link(pair))).collect()
    }

    fn is_current(&self, version: &Version) -> bool {
        version.hash == self.found.handler.hash
    }

    fn short(&self, hash: &str) -> String {
        hash.chars().take(10).collect()
    }
}

/// `/handlers/{name}`.
pub(in crate::dashboard) async fn show(visit: Visit, Path(name): Path<String>) -> Result<Response, Fault> {
    let found = visit.api.get(&format!("/admin/handlers/{}", segment(&name))).await?;
    let page = HandlerPage { visit, found };
    page.visit.show(&page)
}
