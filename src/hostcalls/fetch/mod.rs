//! `fetch`: the requests of a run, each under the number that its runner gave it.
//!
//! A request is open from its start until its response's body has been handed over, or it has
//! failed or been cancelled. Dropping [`Fetches`] ends all of them.

use std::{
    collections::HashMap,
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
        live::Live,
        protocol::{
            FETCHES_AT_ONCE, FETCHES_OPEN, FetchAnswer, FetchBody, FetchCall, FetchError, FetchHead,
            FetchRedirect, FetchRequest, LARGEST_PART, Part,
        },
    },
};

/// Requests that may be open at a time. A runner keeps to [`FETCHES_OPEN`]; its cancellations may still be on
/// their way.
const MOST_OPEN: usize = FETCHES_OPEN + 64;
/// Bytes of the bodies of all requests of a run together.
const UPLOAD_BYTES: usize = 64 * 1024 * 1024;

/// The bytes of a body on their way out.
type Sender = mpsc::Sender<Option<hyper::body::Bytes>>;

/// The requests of one run.
pub(super) struct Fetches {
    client: Client,
    /// Tells the span of the run.
    live: Arc<Live>,
    handler: String,
    only_loads: bool,
    /// Made at the first request.
    session: OnceLock<Session>,
    open: Mutex<HashMap<u32, Arc<Open>>>,
    /// Requests that wait for the head of their response.
    waiting: AtomicUsize,
    uploaded: AtomicUsize,
}

/// The header that tells another service the place of a request in a trace.
const TRACEPARENT: &str = "traceparent";

/// An open request.
pub(super) struct Open {
    cancelled: watch::Sender<bool>,
    upload: AsyncMutex<Option<Sender>>,
    download: AsyncMutex<Option<Download>>,
}

impl Fetches {
    pub(super) fn new(client: &Client, caller: &Caller) -> Self {
        Self {
            client: client.clone(),
            handler: caller.handler.clone(),
            live: caller.live.clone(),
            only_loads: caller.only_loads,
            session: OnceLock::new(),
            open: Mutex::default(),
            waiting: AtomicUsize::new(0),
            uploaded: AtomicUsize::new(0),
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.session.get().map(Session::traffic).unwrap_or_default()
    }

    /// The first half of a call, to be made in the order of the calls: a part of a body and a
    /// cancellation find the request that was started before them.
    pub(super) fn admit(&self, call: FetchCall) -> Admitted {
        let admitted = match call {
            FetchCall::Start { fetch, request } => self.admit_start(fetch, *request),
            FetchCall::Write { fetch, part } => self.find(fetch).map(|open| Admitted::Write(open, part)),
            FetchCall::Read { fetch } => self.find(fetch).map(|open| Admitted::Read(fetch, open)),
            FetchCall::Cancel { fetch } => {
                if let Some(open) = self.close(fetch) {
                    open.cancelled.send_replace(true);
                }
                Ok(Admitted::Cancel)
            }
        };
        admitted.unwrap_or_else(Admitted::Refused)
    }

    /// The second half of a call.
    pub(super) async fn answer(&self, admitted: Admitted) -> FetchAnswer {
        let answered = match admitted {
            Admitted::Start(fetch, open, request) => self.start(fetch, &open, *request).await,
            Admitted::Write(open, part) => self.write(&open, part).await,
            Admitted::Read(fetch, open) => self.read(fetch, &open).await,
            Admitted::Cancel => Ok(FetchAnswer::Done),
            Admitted::Refused(failure) => Err(failure),
        };
        answered.unwrap_or_else(|failure| {
            FetchAnswer::Failed(FetchError {
                kind: failure.kind.name().to_owned(),
                code: failure.code.map(str::to_owned),
                message: failure.message,
            })
        })
    }

    fn admit_start(&self, fetch: u32, request: FetchRequest) -> Result<Admitted, Failure> {
        if self.only_loads {
            let message = "fetch works while a task runs, not while its handler is checked: call it in the \
                           exported function";
            return Err(Failure::new(Kind::Policy, message));
        }
        let (sender, request) = self.read_request(request)?;
        let open = self.open(fetch, sender)?;
        Ok(Admitted::Start(fetch, open, Box::new(request)))
    }

    async fn start(&self, fetch: u32, open: &Open, request: Request) -> Result<FetchAnswer, Failure> {
        let session = self.session.get_or_init(|| self.client.session(&self.handler));
        let answered = open.unless_cancelled(async {
            let mut response = session.send(request).await?;
            let first = response.body.arrived().await?.unwrap_or_default();
            Ok((response, first))
        });
        let answered = answered.await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
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
        let mut headers: Vec<_> = headers.into_iter().map(|(name, Part(value))| (name, value)).collect();
        if let Some(trace) = self.live.trace()
            && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(TRACEPARENT))
        {
            headers.push((TRACEPARENT.to_owned(), trace.to_string().into_bytes()));
        }
        let redirect = match redirect {
            FetchRedirect::Follow => Redirect::Follow,
            FetchRedirect::Manual => Redirect::Manual,
            FetchRedirect::Error => Redirect::Error,
        };
        Ok((sender, Request::new(&method, &url, &headers, redirect, body)?))
    }

    fn open(&self, fetch: u32, sender: Option<Sender>) -> Result<Arc<Open>, Failure> {
        let mut all = lock(&self.open);
        if all.len() >= MOST_OPEN {
            let message = format!(
                "more than {MOST_OPEN} requests are open: read the bodies of their responses, or cancel them"
            );
            return Err(Failure::new(Kind::Limit, message));
        }
        if all.contains_key(&fetch) {
            return Err(Failure::new(Kind::Request, format!("the request {fetch} has been started before")));
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= FETCHES_AT_ONCE {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Failure::new(Kind::Limit, format!("more than {FETCHES_AT_ONCE} requests at once")));
        }
        let open = Arc::new(Open {
            cancelled: watch::Sender::new(false),
            upload: AsyncMutex::new(sender),
            download: AsyncMutex::new(None),
        });
        all.insert(fetch, open.clone());
        Ok(open)
    }

    fn find(&self, fetch: u32) -> Result<Arc<Open>, Failure> {
        let found = lock(&self.open).get(&fetch).cloned();
        found.ok_or_else(|| Failure::new(Kind::Cancelled, "the request has ended"))
    }

    fn close(&self, fetch: u32) -> Option<Arc<Open>> {
        lock(&self.open).remove(&fetch)
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

    async fn write(&self, open: &Open, part: Option<Part>) -> Result<FetchAnswer, Failure> {
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

    async fn read(&self, fetch: u32, open: &Open) -> Result<FetchAnswer, Failure> {
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

/// A call whose first half is done.
pub(super) enum Admitted {
    Start(u32, Arc<Open>, Box<Request>),
    Write(Arc<Open>, Option<Part>),
    Read(u32, Arc<Open>),
    Cancel,
    Refused(Failure),
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

#[cfg(test)]
mod tests;
