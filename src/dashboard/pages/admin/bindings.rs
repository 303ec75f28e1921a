//! Secrets and variables: the lists, and a form that sets one. A secret's value is never shown.

use askama::Template;
use axum::{extract::Path, http::Method, response::Response};
use serde_json::{Map, Value};

use super::{patterns, refused};
use crate::{
    dashboard::{
        ask::Fault,
        documents::{Binding, BindingList},
        forms::Form,
        pages::segment,
        shown,
        visit::Visit,
    },
    domain::access::Role,
};

#[derive(Template)]
#[template(path = "bindings.html")]
struct BindingsPage {
    visit: Visit,
    /// Those of each kind that the visitor may see.
    kinds: Vec<(&'static str, &'static str, Vec<Binding>)>,
    form: Form,
    problems: Vec<String>,
}

impl BindingsPage {
    fn is_chosen(&self, kind: &str) -> bool {
        self.form.get("kind") == kind
    }

    fn delete(&self, kind: &str, binding: &Binding) -> String {
        self.visit.links.to(&format!("/secrets/{kind}/{}/delete", segment(&binding.name)))
    }
}

/// `GET /secrets`.
pub(in crate::dashboard) async fn show(visit: Visit) -> Result<Response, Fault> {
    page(visit, Form::parse(b""), Vec::new()).await
}

/// `POST /secrets`.
pub(in crate::dashboard) async fn set(visit: Visit, form: Form) -> Result<Response, Fault> {
    let kind = kind(form.get("kind"))?;
    let name = form.get("name").trim().to_owned();
    let mut body = Map::new();
    // An existing one keeps the value that the form leaves empty.
    if !form.get("value").is_empty() {
        body.insert("value".to_owned(), form.get("value").replace("\r\n", "\n").into());
    }
    body.insert("handlers".to_owned(), patterns(form.get("handlers")).into());
    body.insert("env".to_owned(), form.has("env").into());
    let address = format!("/admin/{kind}/{}", segment(&name));
    match visit.api.send(Method::PUT, &address, Some(Value::Object(body).to_string())).await {
        Ok(_) => Ok(visit.go(&visit.links.to("/secrets"), &format!("{name} is set."))),
        Err(fault) => {
            let problems = refused(fault)?;
            page(visit, form, problems).await
        }
    }
}

/// `POST /secrets/{kind}/{name}/delete`.
pub(in crate::dashboard) async fn delete(
    visit: Visit,
    Path((of, name)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let address = format!("/admin/{}/{}", kind(&of)?, segment(&name));
    visit.api.send(Method::DELETE, &address, None).await?;
    Ok(visit.go(&visit.links.to("/secrets"), &format!("{name} is deleted.")))
}

/// The kind in addresses of the API.
fn kind(name: &str) -> Result<&'static str, Fault> {
    match name {
        "secrets" => Ok("secrets"),
        "variables" => Ok("variables"),
        other => Err(Fault::not_found(&format!("There is no kind \"{other}\": it is secrets or variables"))),
    }
}

async fn page(visit: Visit, form: Form, problems: Vec<String>) -> Result<Response, Fault> {
    let mut kinds = Vec::new();
    if visit.may(Role::Admin) {
        let list: BindingList = visit.api.get("/admin/secrets").await?;
        kinds.push(("secrets", "Secrets", list.secrets));
    }
    let list: BindingList = visit.api.get("/admin/variables").await?;
    kinds.push(("variables", "Variables", list.variables));
    let page = BindingsPage { visit, kinds, form, problems };
    page.visit.show(&page)
}
