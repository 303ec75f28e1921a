//! Pages of the dashboard as HTML: what they show to whom, and which forms they refuse. No browser is needed.

mod contents;
mod forms;

use serde_json::{Value, json};

use crate::harness::{Client, Server};

/// A visitor with a session.
struct Visitor<'a> {
    client: &'a Client,
    cookie: String,
}

impl<'a> Visitor<'a> {
    /// Opens a session with a token.
    fn log_in(server: &'a Server, token: &str) -> Self {
        let opened = server.client().with(token).post("/admin/sessions", &json!({}));
        let cookie = opened.header("set-cookie").split(';').next().expect("a pair").to_owned();
        Self { client: server.client(), cookie }
    }

    /// Opens a session with a new token of a role, for some handlers or all.
    fn with_role(server: &'a Server, role: &str, handlers: &Value) -> Self {
        let body = json!({ "name": format!("the {role}"), "role": role, "handlers": handlers });
        let made = server.client().post("/admin/tokens", &body).expect(201);
        Self::log_in(server, made["token"].as_str().expect("a token"))
    }

    /// The status and the HTML of a page.
    fn get(&self, path: &str) -> (u16, String) {
        let request = self.client.anonymous("GET", path).header("cookie", &self.cookie);
        self.client.page(request, "")
    }

    /// The status of the answer to a form.
    fn send(&self, path: &str, fields: &str) -> u16 {
        let request = self
            .client
            .anonymous("POST", path)
            .header("cookie", &self.cookie)
            .header("origin", format!("http://{}", self.client.address()))
            .header("content-type", "application/x-www-form-urlencoded");
        self.client.page(request, fields).0
    }
}

/// The text of a part of a page, from a mark to the next one, without tags and with single spaces.
fn text_of(html: &str) -> String {
    let mut text = String::new();
    let mut is_text = true;
    for c in html.chars() {
        match c {
            '<' => is_text = false,
            '>' => {
                is_text = true;
                text.push(' ');
            }
            c if is_text => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
