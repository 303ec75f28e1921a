//! The connections of one session: HTTP/1.1, one request at a time each, and HTTP/2, shared.
//!
//! No other session uses them, and all end with it.

use std::{
    future::Future,
    sync::{Arc, Mutex, Weak},
};

use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::{http1, http2},
    rt::Executor,
};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::{
    Failure,
    connect::{Connected, Endpoint},
    request::Sending,
    stream::HeadBudget,
};
use crate::domain::lock::lock;

/// Headers that an answer may have.
const MOST_HEADERS: usize = 256;
/// Bytes of a head in HTTP/1.1, and of one read.
const HEAD: usize = 128 * 1024;
/// Bytes of a head in HTTP/2.
const HEAD_HTTP2: u32 = 64 * 1024;
/// Bytes of one body that may come before they are read, in HTTP/2.
const WINDOW: u32 = 256 * 1024;
/// Bytes of all bodies of a connection that may come before they are read, in HTTP/2.
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// Idle connections that are kept.
const MOST_IDLE: usize = 32;

/// The connections of a session.
#[derive(Default)]
pub(super) struct Connections {
    /// The tasks that drive them; they end with this value.
    tasks: Tasks,
    idle: Mutex<Vec<(Endpoint, Http1)>>,
    shared: Mutex<Vec<(Endpoint, http2::SendRequest<Sending>)>>,
}

#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.0);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

/// Spawns the tasks of HTTP/2. Weak, because the tasks hold it.
#[derive(Clone)]
struct Http2Tasks(Weak<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Http2Tasks {
    fn execute(&self, task: F) {
        if let Some(tasks) = self.0.upgrade() {
            Tasks(tasks).spawn(task);
        }
    }
}

/// A connection of HTTP/1.1 without a request on it.
pub(super) struct Http1 {
    sender: http1::SendRequest<Sending>,
    head: HeadBudget,
}

/// A connection that can take a request.
pub(super) enum Connection {
    Http1(Http1),
    Http2(http2::SendRequest<Sending>),
}

/// An answer whose body is still to come.
pub(super) struct Exchange {
    pub(super) response: Response<Incoming>,
    /// The connection that is free after the body.
    pub(super) after: Option<Http1>,
}

/// A request that was not answered.
pub(super) struct Unanswered {
    pub(super) failure: Failure,
    /// The request, if nothing of it was sent.
    pub(super) unsent: Option<Request<Sending>>,
}

impl Connections {
    /// A connection to the endpoint that was made before and is free.
    pub(super) async fn take(&self, endpoint: &Endpoint) -> Option<Connection> {
        let shared =
            lock(&self.shared).iter().find(|(to, _)| to == endpoint).map(|(_, sender)| sender.clone());
        if let Some(mut sender) = shared {
            if sender.ready().await.is_ok() {
                return Some(Connection::Http2(sender));
            }
            lock(&self.shared).retain(|(to, sender)| to != endpoint || !sender.is_closed());
        }
        loop {
            let mut connection = {
                let mut idle = lock(&self.idle);
                let index = idle.iter().rposition(|(to, _)| to == endpoint)?;
                idle.swap_remove(index).1
            };
            if connection.sender.ready().await.is_ok() {
                return Some(Connection::Http1(connection));
            }
        }
    }

    /// Keeps a connection for the next request.
    pub(super) fn put_back(&self, endpoint: Endpoint, connection: Http1) {
        let mut idle = lock(&self.idle);
        if idle.len() < MOST_IDLE && !connection.sender.is_closed() {
            idle.push((endpoint, connection));
        }
    }

    /// Begins HTTP on a new connection.
    pub(super) async fn add(&self, endpoint: &Endpoint, connected: Connected) -> Result<Connection, Failure> {
        let failed = |error: hyper::Error| Failure::of_exchange(&endpoint.host, &error);
        let io = TokioIo::new(connected.stream);
        if connected.http2 {
            let (sender, connection) = http2::Builder::new(Http2Tasks(Arc::downgrade(&self.tasks.0)))
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_header_list_size(HEAD_HTTP2)
                .handshake(io)
                .await
                .map_err(failed)?;
            self.tasks.spawn(async { drop(connection.await) });
            lock(&self.shared).push((endpoint.clone(), sender.clone()));
            return Ok(Connection::Http2(sender));
        }
        let (sender, connection) = http1::Builder::new()
            .max_headers(MOST_HEADERS)
            .max_buf_size(HEAD)
            .handshake(io)
            .await
            .map_err(failed)?;
        // Requests in progress learn of an error by themselves.
        self.tasks.spawn(async { drop(connection.await) });
        Ok(Connection::Http1(Http1 { sender, head: connected.head }))
    }
}

impl Connection {
    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(self, host: &str, request: Request<Sending>) -> Result<Exchange, Unanswered> {
        match self {
            Self::Http1(mut http1) => {
                http1.head.start();
                let sent = http1.sender.try_send_request(request).await;
                http1.head.end();
                match sent {
                    Ok(response) => Ok(Exchange { response, after: Some(http1) }),
                    Err(mut error) => Err(Unanswered {
                        unsent: error.take_message(),
                        failure: Failure::of_exchange(host, error.error()),
                    }),
                }
            }
            Self::Http2(mut sender) => match sender.try_send_request(request).await {
                Ok(response) => Ok(Exchange { response, after: None }),
                Err(mut error) => Err(Unanswered {
                    unsent: error.take_message(),
                    failure: Failure::of_exchange(host, error.error()),
                }),
            },
        }
    }
}
