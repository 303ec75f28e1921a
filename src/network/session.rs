//! One request from its start to the head of its response, redirects included.

use std::{sync::Arc, time::Duration};

use hyper::{
    HeaderMap, Method, StatusCode, Version,
    body::Body,
    ext::ReasonPhrase,
    header::{self, HeaderValue},
    http::uri::{Authority, PathAndQuery, Scheme, Uri},
};
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::{
    Client, Failure, Redirect, Request, Response,
    connect::Endpoint,
    connections::{Connection, Connections, Exchange, Unanswered},
    decode::{Raw, codings, decode},
    failure::Kind,
    redirect::{self, Replay},
    request::{Progress, Sending, Upload},
    resolve::Turns,
    response::Download,
    stream::Counters,
};
use crate::domain::{execution::Traffic, network::Reach};

/// From the last byte of the request to the head of the response.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// The requests of one run, or of one other sender. Its connections end when it is dropped.
pub struct Session {
    client: Client,
    reach: Reach,
    turns: Turns,
    connections: Arc<Connections>,
    counters: Arc<Counters>,
}

/// One hop of a request.
struct Hop<'a> {
    method: &'a Method,
    url: &'a Url,
    headers: &'a HeaderMap,
    endpoint: &'a Endpoint,
}

impl Session {
    pub(super) fn new(client: Client, reach: Reach) -> Self {
        Self { client, reach, turns: Turns::default(), connections: Arc::default(), counters: Arc::default() }
    }

    /// The requests so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.counters.traffic()
    }

    /// Sends a request and waits for the head of its response. Dropping the future ends the request.
    ///
    /// # Errors
    /// See [`Kind`].
    pub async fn send(&self, request: Request) -> Result<Response, Failure> {
        let Request { mut method, mut url, mut headers, redirect, body } = request;
        let mut replay = Replay::of(&body);
        let mut upload = Some(body);
        for hop in 0..=redirect::MOST {
            let endpoint = Endpoint::of(&url)?;
            self.count()?;
            let body = upload.take().unwrap_or_else(|| replay.upload());
            let this = Hop { method: &method, url: &url, headers: &headers, endpoint: &endpoint };
            let exchange = self.exchange(&this, body).await?;
            let (status, given) = (exchange.response.status(), exchange.response.headers());
            match redirect::target(&url, status, given).or_else(|e| keep_unless(redirect, e))? {
                Some(to) if redirect == Redirect::Follow => {
                    self.release(exchange, endpoint);
                    redirect::follow(status, (&url, &to), (&mut method, &mut headers), &mut replay)?;
                    url = to;
                }
                Some(to) if redirect == Redirect::Error => {
                    return Err(Failure::new(Kind::Redirect, format!("{url} redirects to {to}")));
                }
                _ => return Ok(self.respond(exchange, url.clone(), endpoint, &method, hop > 0)),
            }
        }
        let message = format!("more than {} redirects, the last one to {url}", redirect::MOST);
        Err(Failure::new(Kind::Redirect, message))
    }

    fn count(&self) -> Result<(), Failure> {
        let most = self.client.limits().requests;
        if self.counters.count_request() < u64::from(most) {
            return Ok(());
        }
        self.counters.uncount_request();
        let message = format!(
            "more than {most} requests in one run, redirects included: the server's limits.fetches allows no more"
        );
        Err(Failure::new(Kind::Limit, message))
    }

    async fn exchange(&self, hop: &Hop<'_>, body: Upload) -> Result<Exchange, Failure> {
        let progress = Progress::start();
        let mut request = hop.request(Sending { upload: body, progress: progress.clone() })?;
        // A connection that was kept may close at any time; a new one has no such excuse.
        while let Some(connection) = self.connections.take(hop.endpoint).await {
            match hop.send(connection, request, &progress).await {
                Ok(exchange) => return Ok(exchange),
                Err(Unanswered { unsent: Some(unsent), .. }) => request = unsent,
                Err(Unanswered { failure, unsent: None }) => {
                    if failure.kind != Kind::Reset || !hop.is_repeatable() {
                        return Err(failure);
                    }
                    request = hop.request(Sending { upload: Upload::None, progress: progress.clone() })?;
                }
            }
        }
        let connected =
            self.client.connector().connect(hop.endpoint, (&self.reach, &self.turns), &self.counters).await?;
        let connection = self.connections.add(hop.endpoint, connected).await?;
        hop.send(connection, request, &progress).await.map_err(|unanswered| unanswered.failure)
    }

    /// Keeps the connection of a response that is not looked at, if its body is over already.
    fn release(&self, Exchange { response, after }: Exchange, endpoint: Endpoint) {
        if let Some(connection) = after.filter(|_| response.body().is_end_stream()) {
            self.connections.put_back(endpoint, connection);
        }
    }

    fn respond(
        &self,
        Exchange { response, after }: Exchange,
        url: Url,
        endpoint: Endpoint,
        method: &Method,
        redirected: bool,
    ) -> Response {
        let (head, body) = response.into_parts();
        let raw = Raw::new(body);
        let has_body = *method != Method::HEAD && !is_null_body(head.status) && !raw.is_over();
        let decoded = has_body.then(|| decode(raw, &codings(&head.headers)));
        let after = after.map(|connection| (self.connections.clone(), connection));
        let reason = head.extensions.get::<ReasonPhrase>().map(|reason| reason.as_bytes().to_vec());
        let canonical = || match head.version {
            Version::HTTP_2 => Vec::new(),
            _ => head.status.canonical_reason().unwrap_or_default().as_bytes().to_vec(),
        };
        Response {
            status: head.status.as_u16(),
            status_text: reason.unwrap_or_else(canonical),
            url,
            redirected,
            headers: head.headers,
            body: Download::new(decoded, self.client.limits().body, endpoint, after),
        }
    }
}

/// A bad redirect is a response like any other where redirects are not followed.
fn keep_unless(redirect: Redirect, failure: Failure) -> Result<Option<Url>, Failure> {
    if redirect == Redirect::Manual { Ok(None) } else { Err(failure) }
}

/// The statuses that have no body in the Fetch standard.
fn is_null_body(status: StatusCode) -> bool {
    matches!(status.as_u16(), 101 | 204 | 205 | 304)
}

impl Hop<'_> {
    /// Whether sending it twice is the same as sending it once. Such requests have no body here.
    fn is_repeatable(&self) -> bool {
        *self.method == Method::GET || *self.method == Method::HEAD
    }

    fn request(&self, body: Sending) -> Result<hyper::Request<Sending>, Failure> {
        let invalid = |_| Failure::new(Kind::Request, format!("{} is no URL to send a request to", self.url));
        let path = &self.url[url::Position::BeforePath..url::Position::AfterQuery];
        let authority = &self.url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut parts = hyper::http::uri::Parts::default();
        parts.scheme = Some(if self.endpoint.tls { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(authority.parse::<Authority>().map_err(|_| invalid(()))?);
        parts.path_and_query = Some(path.parse::<PathAndQuery>().map_err(|_| invalid(()))?);
        let uri = Uri::from_parts(parts).map_err(|_| invalid(()))?;
        let has_length = matches!(body.upload, Upload::None)
            && [Method::POST, Method::PUT, Method::PATCH].contains(self.method);
        let mut request = hyper::Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        let host = HeaderValue::from_str(authority).map_err(|_| invalid(()))?;
        request.headers_mut().insert(header::HOST, host);
        if has_length {
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Ok(request)
    }

    /// Sends the request on a connection, within the time for the head of the answer.
    async fn send(
        &self,
        connection: Connection,
        mut request: hyper::Request<Sending>,
        progress: &Progress,
    ) -> Result<Exchange, Unanswered> {
        let host = &self.endpoint.host;
        match &connection {
            Connection::Http1(_) => {
                let path = request.uri().path_and_query().cloned();
                *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
            }
            Connection::Http2(_) => {
                request.headers_mut().remove(header::HOST);
            }
        }
        let sending = connection.send(host, request);
        tokio::pin!(sending);
        loop {
            let late = progress.last() + HEAD_WITHIN;
            tokio::select! {
                sent = &mut sending => return sent,
                () = sleep_until(late) => {}
            }
            if progress.last() + HEAD_WITHIN <= Instant::now() {
                let seconds = HEAD_WITHIN.as_secs();
                let message = format!("{host} sent no head of an answer within {seconds} s");
                let failure = Failure::coded(Kind::Timeout, "UND_ERR_HEADERS_TIMEOUT", message);
                return Err(Unanswered { failure, unsent: None });
            }
        }
    }
}
