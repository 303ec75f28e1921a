//! Requests and answers.

use serde_json::Value;
use ureq::{
    Agent, Body,
    http::{HeaderMap, Request, Response, request::Builder},
};

use super::{PATIENCE, stream::Stream};

/// A client of one server, with the administrator's token.
pub(crate) struct Client {
    agent: Agent,
    url: String,
    token: String,
}

impl Client {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            // Each request has its own connection, so that no request is affected by another.
            .max_idle_connections(0)
            .timeout_global(Some(PATIENCE));
        Self { agent: config.build().into(), url: url.to_owned(), token: token.to_owned() }
    }

    /// A client of the same server with another token.
    pub(crate) fn with(&self, token: &str) -> Self {
        Self::new(&self.url, token)
    }

    /// A request with the token, without a body yet.
    pub(crate) fn request(&self, method: &str, path: &str) -> Builder {
        self.anonymous(method, path).header("authorization", format!("Bearer {}", self.token))
    }

    /// A request without token.
    pub(crate) fn anonymous(&self, method: &str, path: &str) -> Builder {
        Request::builder().method(method).uri(format!("{}{path}", self.url))
    }

    /// Sends a request with any bytes as its body.
    pub(crate) fn send(&self, request: Builder, body: impl Into<Vec<u8>>) -> Answer {
        let body: Vec<u8> = body.into();
        let request = request.body(body).expect("a request");
        let shown = format!("{} {}", request.method(), request.uri());
        let response = if request.body().is_empty() {
            self.agent.run(request.map(|_| ()))
        } else {
            self.agent.run(request)
        };
        Answer::new(response.unwrap_or_else(|error| panic!("{shown}: {error}")))
    }

    /// Sends a request whose answer is a text; fails the test unless it is 200.
    #[track_caller]
    pub(crate) fn text(&self, request: Builder) -> String {
        let request = request.body(()).expect("a request");
        let mut response = self.agent.run(request).expect("an answer");
        let text = response.body_mut().read_to_string().expect("a text");
        assert_eq!(response.status().as_u16(), 200, "{text}");
        text
    }

    /// Sends a request whose answer is a page: its status, and its text.
    pub(crate) fn page(&self, request: Builder, body: &str) -> (u16, String) {
        let sent = match body {
            "" => self.agent.run(request.body(()).expect("a request")),
            body => self.agent.run(request.body(body.to_owned()).expect("a request")),
        };
        let mut response = sent.expect("an answer");
        (response.status().as_u16(), response.body_mut().read_to_string().expect("a text"))
    }

    /// Like [`Self::send`], for a connection that may fail: `None` if it does.
    pub(crate) fn try_send(&self, request: Builder) -> Option<Answer> {
        self.agent.run(request.body(()).expect("a request")).ok().map(Answer::new)
    }

    /// Opens a stream of events; fails the test unless the answer is 200.
    #[track_caller]
    pub(crate) fn open(&self, path: &str) -> Stream {
        self.open_after(path, None)
    }

    /// As [`Self::open`], like a browser that comes back after an event.
    #[track_caller]
    pub(crate) fn open_after(&self, path: &str, last: Option<&str>) -> Stream {
        let mut request = self.request("GET", path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = self.agent.run(request.body(()).expect("a request")).expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Stream::new(answer.into_body())
    }

    /// The status of an answer whose body is not read; `None` if there is no answer.
    pub(crate) fn status(&self, request: Builder) -> Option<u16> {
        let answer = self.agent.run(request.body(()).expect("a request"));
        answer.ok().map(|answer| answer.status().as_u16())
    }

    /// Sends a request that the server may not survive; `None` if the answer is not complete.
    pub(crate) fn attempt(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Answer> {
        let request = self.request(method, path);
        let sent = match body {
            None => self.agent.run(request.body(()).expect("a request")),
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(body.to_string()).expect("a request"))
            }
        };
        Answer::read(sent.ok()?)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path), "")
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path), "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send_json("POST", path, body)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.send_json("PUT", path, body)
    }

    /// The server's address, for requests that no client would make.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").expect("an address")
    }

    /// The administrator's token, for such requests.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// A POST without body.
    pub(crate) fn action(&self, path: &str) -> Answer {
        self.send(self.request("POST", path), "")
    }

    fn send_json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).header("content-type", "application/json");
        self.send(request, body.to_string())
    }
}

/// An answer; its body is JSON, or null if it is empty.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    fn new(response: Response<Body>) -> Self {
        Self::read(response).expect("a body that can be read")
    }

    /// `None` if the end of the body is missing.
    fn read(mut response: Response<Body>) -> Option<Self> {
        let text = response.body_mut().read_to_string().ok()?;
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
        };
        Some(Self { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    /// The body; fails the test if the status is another.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// An error's message; fails the test if the status is another.
    #[track_caller]
    pub(crate) fn message(self, status: u16) -> String {
        let body = self.expect(status);
        body["message"].as_str().unwrap_or_else(|| panic!("no message: {body}")).to_owned()
    }

    /// A header's value; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
