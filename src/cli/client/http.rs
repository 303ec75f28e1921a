//! Requests to a server: where it is, the token, and its answers.

use std::{env, fs, net::IpAddr, path::Path, time::Duration};

use anyhow::{Context, anyhow};
use isochron::{
    config::Config,
    domain::access::secret::{Form, form_of},
};
use serde_json::Value;
use ureq::{
    Agent, Body,
    http::{Request, Response},
};
use url::Url;

use super::{Done, Failure, Remote};
use crate::cli::Settings;

/// The time that an ordinary answer takes at most. A cancel waits for the end of the run.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
/// The time to reach a server.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);

/// A client of one server.
pub(in crate::cli) struct Client {
    agent: Agent,
    /// For answers that go on.
    patient: Agent,
    url: String,
    token: Option<String>,
    /// Whether documents are printed instead of tables.
    pub(super) json: bool,
}

impl Client {
    /// Finds the server and the token; sends nothing.
    pub(in crate::cli) fn new(remote: &Remote) -> Done<Self> {
        let config = settings(remote).load().map_err(Failure::Usage)?;
        let url = address(remote, &config).map_err(Failure::Usage)?;
        let token = token(remote, &config, &url).map_err(Failure::Usage)?;
        let agent = |limit| {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .allow_non_standard_methods(true)
                .timeout_connect(Some(CONNECTED_WITHIN))
                .timeout_global(limit)
                .max_redirects(0)
                .user_agent(concat!("isochron/", env!("CARGO_PKG_VERSION")));
            Agent::from(config.build())
        };
        let url = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { agent: agent(Some(ANSWERED_WITHIN)), patient: agent(None), url, token, json: remote.json })
    }

    /// Asks for a document.
    pub(in crate::cli) fn get(&self, path: &str) -> Done<Value> {
        self.ask("GET", path, None)
    }

    /// Sends a change.
    pub(in crate::cli) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Done<Value> {
        let request = self.request(method, path).header("content-type", "application/json");
        let text = body.map(Value::to_string);
        let sent = match text {
            Some(text) => request.body(text).map(|request| self.agent.run(request)),
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        read(self.answered(sent.context("make the request")?)?)
    }

    /// Opens an answer that goes on; `last` is the id of the last event that was seen.
    pub(super) fn open(&self, path: &str, last: Option<&str>) -> Done<Response<Body>> {
        let mut request = self.request("GET", path).header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(()).context("make the request")?;
        let answer = self.answered(self.patient.run(request))?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            read(answer).and(Err(super::failure("no stream")))
        }
    }

    fn request(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn answered(&self, answer: Result<Response<Body>, ureq::Error>) -> Done<Response<Body>> {
        Ok(answer.map_err(|error| match error {
            ureq::Error::Io(_) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => anyhow!(
                "no server answers at {} ({error}): start one with `isochron serve`, or name one with --server",
                self.url
            ),
            error => anyhow!("ask {}: {error}", self.url),
        })?)
    }
}

/// The body of an answer that is no error.
fn read(mut answer: Response<Body>) -> Done<Value> {
    let status = answer.status();
    let text = answer
        .body_mut()
        .with_config()
        .limit(64 * 1024 * 1024)
        .read_to_string()
        .context("read the answer")?;
    let body: Value = if text.is_empty() {
        Value::Null
    } else {
        match serde_json::from_str(&text) {
            Ok(body) => body,
            Err(_) => {
                return Err(super::failure(format!("the answer is not of an isochron server ({status})")));
            }
        }
    };
    if status.is_success() { Ok(body) } else { Err(Failure::Refused(status.as_u16(), body)) }
}

/// The settings that tell where this machine's server is.
fn settings(remote: &Remote) -> Settings {
    Settings {
        listen: None,
        tasks: None,
        data: remote.data.clone(),
        log_format: None,
        log: None,
        config: remote.config.clone(),
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn address(remote: &Remote, config: &Config) -> anyhow::Result<Url> {
    let named = remote.server.clone().or_else(|| variable("ISOCHRON_SERVER"));
    let Some(named) = named else {
        anyhow::ensure!(
            config.listen.port() != 0,
            "the server listens on a port of its own choice: name it with --server"
        );
        let address = match config.listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
            IpAddr::V6(ip) if ip.is_unspecified() => "[::1]".to_owned(),
            IpAddr::V6(ip) => format!("[{ip}]"),
            IpAddr::V4(ip) => ip.to_string(),
        };
        return Ok(Url::parse(&format!("http://{address}:{}", config.listen.port()))?);
    };
    let whole = if named.contains("://") { named.clone() } else { format!("http://{named}") };
    let url = Url::parse(&whole).with_context(|| format!("--server {named}"))?;
    anyhow::ensure!(
        ["http", "https"].contains(&url.scheme()) && url.has_host() && url.query().is_none(),
        "--server {named}: must be an address such as https://isochron.example or 127.0.0.1:8686"
    );
    Ok(url)
}

/// The token. That of the data folder goes to a server of this machine only.
fn token(remote: &Remote, config: &Config, url: &Url) -> anyhow::Result<Option<String>> {
    let given = remote.token.clone().or_else(|| variable("ISOCHRON_TOKEN"));
    if let Some(token) = given {
        let token = token.trim().to_owned();
        anyhow::ensure!(
            form_of(&token) != Form::Mistyped,
            "the token is mistyped: its last characters do not fit the others"
        );
        return Ok(Some(token));
    }
    let is_here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    anyhow::ensure!(is_here, "a token is needed: set ISOCHRON_TOKEN");
    if let Some(token) = &config.admin_token {
        return Ok(Some(token.expose().to_owned()));
    }
    read_token(&config.data.join("admin-token"))
}

/// The token in the data folder; none if there is no such file: then the server says that one is needed.
fn read_token(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}
