//! `fetch`: the requests of a run, each under the number that its runner gave it.
//!
//! A request is open from its start until its response's body has been handed over, or it has
//! failed or been cancelled. Dropping [`Fetches`] ends all of them.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};

use crate::{
    domain::{execution::Traffic, lock::lock},
    network::{Client, Download, Failure, Kind, Redirect, Request, Response, Session, Upload, stream},
    runtime::{
        Caller,
        protocol::{
            FETCHES_AT_ONCE, FetchAnswer, FetchBody, FetchCall, FetchError, FetchHead, FetchRedirect,
            FetchRequest, LARGEST_PART, Part,
        },
    },
};

/// Requests that may be open at a time: those that wait for a head, and responses with a body that
/// has not been read to its end.
const MOST_OPEN: usize = 64;
/// Bytes of the bodies of all requests of a run together.
const UPLOAD_BYTES: usize = 64 * 1024 * 1024;

/// Cancellations that are kept for requests that have not started.
const MOST_CANCELLED: usize = 1024;

/// The bytes of a body on their way out.
type Sender = mpsc::Sender<Option<hyper::body::Bytes>>;

/// The requests of one run.
pub(super) struct Fetches {
    client: Client,
    handler: String,
    only_loads: bool,
    /// Made at the first request.
    session: OnceLock<Session>,
    requests: Mutex<Requests>,
    waiting: AtomicUsize,
    uploaded: AtomicUsize,
}

#[derive(Default)]
struct Requests {
    open: HashMap<u32, Arc<Open>>,
    /// Requests that were cancelled before their start was worked on.
    cancelled: HashSet<u32>,
}

/// An open request.
struct Open {
    cancelled: watch::Sender<bool>,
    upload: AsyncMutex<Option<Sender>>,
    download: AsyncMutex<Option<Download>>,
}

impl Fetches {
    pub(super) fn new(client: &Client, caller: &Caller) -> Self {
        Self {
            client: client.clone(),
            handler: caller.handler.clone(),
            only_loads: caller.only_loads,
            session: OnceLock::new(),
            requests: Mutex::default(),
            waiting: AtomicUsize::new(0),
            uploaded: AtomicUsize::new(0),
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.session.get().map(Session::traffic).unwrap_or_default()
    }

    pub(super) async fn answer(&self, call: FetchCall) -> FetchAnswer {
        let answered = match call {
            FetchCall::Start { fetch, request } => self.start(fetch, *request).await,
            FetchCall::Write { fetch, part } => self.write(fetch, part).await,
            FetchCall::Read { fetch } => self.read(fetch).await,
            FetchCall::Cancel { fetch } => {
                self.cancel(fetch);
                Ok(FetchAnswer::Done)
            }
        };
        answered.unwrap_or_else(|failure| {
            FetchAnswer::Failed(FetchError {
                kind: failure.kind.name().to_owned(),
                code: failure.code.map(str::to_owned),
                message: failure.message,
            })
        })
    }

    async fn start(&self, fetch: u32, request: FetchRequest) -> Result<FetchAnswer, Failure> {
        if self.only_loads {
            let message = "fetch works while a task runs, not while its handler is checked: call it in the \
                           exported function";
            return Err(Failure::new(Kind::Policy, message));
        }
        let (sender, request) = self.read_request(request)?;
        let waiting = Waiting::begin(&self.waiting)?;
        let open = self.open(fetch, sender)?;
        let session = self.session.get_or_init(|| self.client.session(&self.handler));
        let answered = open.unless_cancelled(async {
            let mut response = session.send(request).await?;
            let first = response.body.arrived().await?.unwrap_or_default();
            Ok((response, first))
        });
        let answered = answered.await;
        drop(waiting);
        let (response, first) = answered.inspect_err(|_| drop(self.close(fetch)))?;
        let complete = response.body.is_over();
        let head = describe(&response, first.to_vec(), complete);
        if complete {
            self.close(fetch);
        } else {
            *open.download.lock().await = Some(response.body);
        }
        Ok(FetchAnswer::Head(Box::new(head)))
    }

    /// The request as the client takes it, with the place for its body's parts.
    fn read_request(&self, request: FetchRequest) -> Result<(Option<Sender>, Request), Failure> {
        let FetchRequest { method, url, headers, redirect, body } = request;
        let (sender, body) = match body {
            FetchBody::None => (None, Upload::None),
            FetchBody::Bytes(Part(bytes)) => {
                self.count_upload(bytes.len())?;
                (None, Upload::Bytes(bytes.into()))
            }
            FetchBody::Stream => {
                let (sender, body) = stream();
                (Some(sender), body)
            }
        };
        let headers: Vec<_> = headers.into_iter().map(|(name, Part(value))| (name, value)).collect();
        let redirect = match redirect {
            FetchRedirect::Follow => Redirect::Follow,
            FetchRedirect::Manual => Redirect::Manual,
            FetchRedirect::Error => Redirect::Error,
        };
        Ok((sender, Request::new(&method, &url, &headers, redirect, body)?))
    }

    fn open(&self, fetch: u32, sender: Option<Sender>) -> Result<Arc<Open>, Failure> {
        let mut requests = lock(&self.requests);
        if requests.cancelled.remove(&fetch) {
            return Err(cancelled());
        }
        if requests.open.len() >= MOST_OPEN {
            let message = format!(
                "more than {MOST_OPEN} requests are open: read the bodies of their responses, or cancel them"
            );
            return Err(Failure::new(Kind::Limit, message));
        }
        if requests.open.contains_key(&fetch) {
            return Err(Failure::new(Kind::Request, format!("the request {fetch} has been started before")));
        }
        let open = Arc::new(Open {
            cancelled: watch::Sender::new(false),
            upload: AsyncMutex::new(sender),
            download: AsyncMutex::new(None),
        });
        requests.open.insert(fetch, open.clone());
        Ok(open)
    }

    fn find(&self, fetch: u32) -> Result<Arc<Open>, Failure> {
        let found = lock(&self.requests).open.get(&fetch).cloned();
        found.ok_or_else(|| Failure::new(Kind::Cancelled, "the request has ended"))
    }

    fn close(&self, fetch: u32) -> Option<Arc<Open>> {
        lock(&self.requests).open.remove(&fetch)
    }

    fn cancel(&self, fetch: u32) {
        let mut requests = lock(&self.requests);
        if let Some(open) = requests.open.remove(&fetch) {
            open.cancelled.send_replace(true);
        } else if requests.cancelled.len() < MOST_CANCELLED {
            // Calls are worked on beside each other: the start may come after its cancellation.
            requests.cancelled.insert(fetch);
        }
    }

    fn count_upload(&self, bytes: usize) -> Result<(), Failure> {
        let limit = |limit: usize, whose: &str| {
            let message = format!("{whose} may have {} MiB", limit >> 20);
            Failure::new(Kind::Limit, message)
        };
        if bytes > LARGEST_PART {
            return Err(limit(
                LARGEST_PART,
                "the body of a request that is no stream, and each part of a stream,",
            ));
        }
        let before = self.uploaded.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > UPLOAD_BYTES {
            return Err(limit(UPLOAD_BYTES, "the bodies of all requests of a run together"));
        }
        Ok(())
    }

    async fn write(&self, fetch: u32, part: Option<Part>) -> Result<FetchAnswer, Failure> {
        let open = self.find(fetch)?;
        let ended = || Failure::new(Kind::Cancelled, "the request takes no more of its body");
        let counted = self.count_upload(part.as_ref().map_or(0, |Part(bytes)| bytes.len()));
        let sent = open.unless_cancelled(async {
            let mut upload = open.upload.lock().await;
            let last = part.is_none();
            // Without its sender the body breaks off, and the request with it.
            let sender = if last || counted.is_err() { upload.take() } else { upload.clone() };
            let sender = sender.ok_or_else(ended)?;
            counted?;
            match part {
                Some(Part(bytes)) if bytes.is_empty() => Ok(()),
                part => sender.send(part.map(|Part(bytes)| bytes.into())).await.map_err(|_| ended()),
            }
        });
        sent.await?;
        Ok(FetchAnswer::Done)
    }

    async fn read(&self, fetch: u32) -> Result<FetchAnswer, Failure> {
        let open = self.find(fetch)?;
        let read = open.unless_cancelled(async {
            let mut download = open.download.lock().await;
            let body = download.as_mut();
            let body = body.ok_or_else(|| Failure::new(Kind::Request, "the response has not come yet"))?;
            body.next().await
        });
        let read = read.await;
        match read {
            Ok(Some(bytes)) => Ok(FetchAnswer::Part(Some(Part(bytes.into())))),
            Ok(None) => {
                self.close(fetch);
                Ok(FetchAnswer::Part(None))
            }
            Err(failure) => {
                self.close(fetch);
                Err(failure)
            }
        }
    }
}

/// A request that waits for the head of its response.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Result<Self, Failure> {
        let waiting = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) < FETCHES_AT_ONCE {
            return Ok(waiting);
        }
        Err(Failure::new(Kind::Limit, format!("more than {FETCHES_AT_ONCE} requests at once")))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Open {
    async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut signal = self.cancelled.subscribe();
        tokio::select! {
            done = work => done,
            _ = signal.wait_for(|cancelled| *cancelled) => {
                Err(cancelled())
            }
        }
    }
}

fn cancelled() -> Failure {
    Failure::new(Kind::Cancelled, "the request was cancelled")
}

fn describe(response: &Response, first: Vec<u8>, complete: bool) -> FetchHead {
    let headers = response.headers.iter();
    FetchHead {
        status: response.status,
        status_text: Part(response.status_text.clone()),
        url: response.url.to_string(),
        redirected: response.redirected,
        headers: headers
            .map(|(name, value)| (name.as_str().to_owned(), Part(value.as_bytes().to_vec())))
            .collect(),
        first: Part(first),
        complete,
    }
}
