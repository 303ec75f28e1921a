//! Post: requests to the host that a channel's settings name, through the server's own client.

use std::time::Duration;

use tokio::time::timeout;
use url::Url;

use crate::{
    clock::Stopwatch,
    domain::{
        Millis,
        alerts::{Attempt, cut},
        network::NetPolicy,
    },
    network::{Client, Failure, Limits, Redirect, Request, Session, Upload},
};

/// The whole exchange takes no longer.
const WITHIN: Duration = Duration::from_secs(20);
/// The answer is read up to this many bytes.
const ANSWER: u64 = 64 * 1024;
/// Bytes of the answer that are kept.
const KEPT: usize = 500;

/// A request to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) url: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    /// None: a `GET`.
    pub(super) body: Option<Vec<u8>>,
}

/// Makes requests to one host.
pub(super) struct Post {
    client: Client,
    host: String,
    place: crate::domain::network::NetRule,
}

impl Post {
    /// The host of `url` may be reached whatever class its addresses have, unless `net.deny` has it.
    ///
    /// # Errors
    /// A sentence that does not repeat the address.
    pub(super) fn open(url: &str, net: &NetPolicy) -> Result<Self, String> {
        let wrong = || "url is no http: or https: URL".to_owned();
        let url = Url::parse(url).map_err(|_| wrong())?;
        let host = url.host_str().filter(|_| ["http", "https"].contains(&url.scheme())).ok_or_else(wrong)?;
        let port = url.port_or_known_default().ok_or_else(wrong)?;
        let place = format!("{host}:{port}").parse().map_err(|()| wrong())?;
        // One request a session: each has a connection of its own.
        let client = Client::new(net.clone(), Limits { body: ANSWER, requests: 1 });
        Ok(Self { client, host: host.to_owned(), place })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Makes a request that begins at `now`. A redirect is not followed: the settings name the place.
    pub(super) async fn send(&self, outgoing: Outgoing, now: Millis) -> Attempt {
        let stopwatch = Stopwatch::start();
        let session = self.client.session_to(self.place.clone());
        let answered = timeout(WITHIN, exchange(&session, outgoing)).await;
        let (status, answer) = match answered {
            Ok(Ok((status, answer))) => (Some(status), answer),
            Ok(Err(failure)) => (None, failure.message),
            Err(_) => (None, format!("{} did not answer within {} s", self.host, WITHIN.as_secs())),
        };
        let ok = status.is_some_and(|status| (200..300).contains(&status));
        Attempt { time: now, took: stopwatch.millis(), status, answer: cut(&answer, KEPT), ok }
    }
}

async fn exchange(session: &Session, outgoing: Outgoing) -> Result<(u16, String), Failure> {
    let Outgoing { url, headers, body } = outgoing;
    let (method, body) = match body {
        Some(body) => ("POST", Upload::Bytes(body.into())),
        None => ("GET", Upload::None),
    };
    let mut response = session.send(Request::new(method, &url, &headers, Redirect::Manual, body)?).await?;
    if (300..400).contains(&response.status) {
        let text = "the address redirects, which is not followed: name the address that it leads to";
        return Ok((response.status, text.to_owned()));
    }
    let mut answer = Vec::new();
    while answer.len() < KEPT * 4 {
        match response.body.next().await {
            Ok(Some(part)) => answer.extend_from_slice(&part),
            // The status is known, which is what counts.
            Ok(None) | Err(_) => break,
        }
    }
    Ok((response.status, String::from_utf8_lossy(&answer).into_owned()))
}
