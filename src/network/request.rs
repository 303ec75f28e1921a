//! Requests: their parts, checked, and their bodies.

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use hyper::{
    HeaderMap, Method,
    body::{Body, Bytes, Frame, SizeHint},
    header::{self, HeaderName, HeaderValue},
};
use tokio::{sync::mpsc, time::Instant};
use url::Url;

use super::{Failure, failure::Kind};
use crate::domain::lock::lock;

/// The longest URL in bytes.
const LONGEST_URL: usize = 64 * 1024;
/// The most headers of a request.
const MOST_HEADERS: usize = 256;
/// The most bytes of all headers of a request together.
const HEADER_BYTES: usize = 64 * 1024;
/// Headers that belong to the connection: the client sets them itself.
const OWN: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// How redirects are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirect {
    /// They are followed, 20 at most.
    Follow,
    /// The redirecting response is the response.
    Manual,
    /// They are errors.
    Error,
}

/// A request.
#[derive(Debug)]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) redirect: Redirect,
    pub(super) body: Upload,
}

impl Request {
    /// Checks the parts of a request. Headers of the connection itself, such as `Host`, are left
    /// out.
    ///
    /// # Errors
    /// [`Kind::Request`], with a sentence that names the part that is wrong, or [`Kind::Limit`].
    pub fn new(
        method: &str,
        url: &str,
        headers: &[(String, Vec<u8>)],
        redirect: Redirect,
        body: Upload,
    ) -> Result<Self, Failure> {
        let method = read_method(method)?;
        let url = read_url(url)?;
        let headers = read_headers(headers)?;
        if !matches!(body, Upload::None) && (method == Method::GET || method == Method::HEAD) {
            return Err(wrong(format!("a {method} request has no body")));
        }
        Ok(Self { method, url, headers, redirect, body })
    }
}

fn wrong(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Request, message)
}

fn read_method(text: &str) -> Result<Method, Failure> {
    let method = Method::from_bytes(text.as_bytes()).ok().filter(|_| text.len() <= 64);
    let method = method.ok_or_else(|| wrong("the method is not a token of HTTP"))?;
    if ["CONNECT", "TRACE", "TRACK"].iter().any(|refused| text.eq_ignore_ascii_case(refused)) {
        return Err(wrong(format!("the method {text} is not possible")));
    }
    Ok(method)
}

/// An absolute URL without credentials and without its fragment.
pub(super) fn read_url(text: &str) -> Result<Url, Failure> {
    if text.len() > LONGEST_URL {
        let message = format!("the URL has {} bytes; the most is {LONGEST_URL}", text.len());
        return Err(Failure::new(Kind::Limit, message));
    }
    check_url(Url::parse(text).map_err(|error| wrong(format!("the URL is not valid: {error}")))?)
}

pub(super) fn check_url(mut url: Url) -> Result<Url, Failure> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "the URL has a user name or password: send them in the header Authorization instead",
        ));
    }
    url.set_fragment(None);
    Ok(url)
}

fn read_headers(given: &[(String, Vec<u8>)]) -> Result<HeaderMap, Failure> {
    let bytes: usize = given.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    if given.len() > MOST_HEADERS || bytes > HEADER_BYTES {
        return Err(Failure::new(
            Kind::Limit,
            format!(
                "the request has {} headers of {bytes} bytes; at most {MOST_HEADERS} of {HEADER_BYTES} bytes are sent",
                given.len()
            ),
        ));
    }
    let mut headers = HeaderMap::with_capacity(given.len() + 4);
    for (name, value) in given {
        let invalid = || wrong(format!("the header {name:?} is not valid"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        let value = HeaderValue::from_bytes(value).map_err(|_| invalid())?;
        if !OWN.contains(&name) && !name.as_str().starts_with("proxy-") {
            headers.append(name, value);
        }
    }
    headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    let agent = HeaderValue::from_static(concat!("isochron/", env!("CARGO_PKG_VERSION")));
    headers.entry(header::USER_AGENT).or_insert(agent);
    let encodings = if headers.contains_key(header::RANGE) { "identity" } else { "gzip, deflate, br, zstd" };
    headers.entry(header::ACCEPT_ENCODING).or_insert(HeaderValue::from_static(encodings));
    Ok(headers)
}

/// The body of a request.
pub enum Upload {
    /// There is none.
    None,
    /// Bytes, which a redirect may send again.
    Bytes(Bytes),
    /// Parts, sent once; see [`stream`].
    Stream(mpsc::Receiver<Option<Bytes>>),
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// A body that is a stream, and the place for its parts: `None` ends the body, dropping the sender
/// before that breaks the request off. One part waits at most.
#[must_use]
pub fn stream() -> (mpsc::Sender<Option<Bytes>>, Upload) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, Upload::Stream(receiver))
}

/// When a body was last asked for more: the time for the head of the answer counts from there.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Mutex<Instant>>);

impl Progress {
    pub(super) fn start() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn last(&self) -> Instant {
        *lock(&self.0)
    }

    fn note(&self) {
        *lock(&self.0) = Instant::now();
    }
}

/// A body on its way.
pub(super) struct Sending {
    pub(super) upload: Upload,
    pub(super) progress: Progress,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let part = match &mut self.upload {
            Upload::None => None,
            Upload::Bytes(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Upload::Stream(parts) => match ready!(parts.poll_recv(cx)) {
                Some(part) => part,
                None => {
                    let broken = Failure::new(Kind::Cancelled, "the body of the request broke off");
                    return Poll::Ready(Some(Err(io::Error::other(broken))));
                }
            },
        };
        self.progress.note();
        if part.is_none() {
            self.upload = Upload::None;
        }
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.upload {
            Upload::None => true,
            Upload::Bytes(bytes) => bytes.is_empty(),
            Upload::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.upload {
            Upload::None => SizeHint::with_exact(0),
            Upload::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Upload::Stream(_) => SizeHint::default(),
        }
    }
}
