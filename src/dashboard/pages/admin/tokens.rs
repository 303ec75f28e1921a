//! Tokens: the list, a form for a new one, and its text, which is shown once.

use askama::Template;
use axum::{extract::Path, http::Method, response::Response};
use serde_json::{Value, json};

use super::{patterns, refused};
use crate::{
    dashboard::{
        ask::Fault,
        documents::{Token, TokenList},
        forms::Form,
        pages::segment,
        shown,
        visit::Visit,
    },
    domain::{Millis, access::Role, time::DAY},
};

/// The lives to choose from, in days; 0 is without end.
const LIVES: [(Millis, &str); 5] =
    [(30, "30 days"), (90, "90 days"), (365, "a year"), (7, "a week"), (0, "without end")];

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    visit: Visit,
    list: TokenList,
    /// The name and the text of a token that has just been made.
    made: Option<(String, String)>,
    form: Form,
    problems: Vec<String>,
}

impl TokensPage {
    fn roles(&self) -> [Role; 4] {
        Role::ALL
    }

    fn lives(&self) -> [(Millis, &'static str); 5] {
        LIVES
    }

    fn act(&self, token: &Token, action: &str) -> String {
        self.visit.links.to(&format!("/tokens/{}/{action}", token.id))
    }

    /// Whether a token ends within 30 days, or has ended.
    fn ends_soon(&self, token: &Token) -> bool {
        token.expires_at.is_some_and(|end| end < self.visit.at.now + 30 * DAY)
    }
}

/// `GET /tokens`.
pub(in crate::dashboard) async fn show(visit: Visit) -> Result<Response, Fault> {
    page(visit, None, Form::parse(b""), Vec::new()).await
}

/// `POST /tokens`.
pub(in crate::dashboard) async fn create(visit: Visit, form: Form) -> Result<Response, Fault> {
    let life: Millis = form.get("life").parse().unwrap_or(0);
    let handlers = patterns(form.get("handlers"));
    let body = json!({
        "name": form.get("name").trim(),
        "role": form.get("role"),
        "expiresAt": (life > 0).then(|| visit.at.now + life.min(3650) * DAY),
        "handlers": if handlers.is_empty() { Value::Null } else { handlers.into() },
    });
    match visit.api.send(Method::POST, "/admin/tokens", Some(body.to_string())).await {
        Ok(answer) => page(visit, made(&answer), Form::parse(b""), Vec::new()).await,
        Err(fault) => page(visit, None, form, refused(fault)?).await,
    }
}

/// `POST /tokens/{id}/{action}`: `rotate` or `delete`.
pub(in crate::dashboard) async fn act(
    visit: Visit,
    Path((id, action)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let address = format!("/admin/tokens/{}", segment(&id));
    match action.as_str() {
        "rotate" => {
            let answer = visit.api.send(Method::POST, &format!("{address}/actions/rotate"), None).await?;
            page(visit, made(&answer), Form::parse(b""), Vec::new()).await
        }
        "delete" => {
            visit.api.send(Method::DELETE, &address, None).await?;
            Ok(visit.go(&visit.links.to("/tokens"), "The token is taken back. Its sessions have ended."))
        }
        _ => Err(Fault::not_found(&format!("There is no action \"{action}\" on a token"))),
    }
}

fn made(answer: &Value) -> Option<(String, String)> {
    let name = answer.pointer("/record/name")?.as_str()?;
    Some((name.to_owned(), answer.get("token")?.as_str()?.to_owned()))
}

async fn page(
    visit: Visit,
    made: Option<(String, String)>,
    form: Form,
    problems: Vec<String>,
) -> Result<Response, Fault> {
    let list = visit.api.get("/admin/tokens").await?;
    let page = TokensPage { visit, list, made, form, problems };
    page.visit.show(&page)
}
