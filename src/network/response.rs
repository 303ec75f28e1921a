//! Responses, whose bodies are read in parts and are bounded.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper::{HeaderMap, body::Bytes};
use tokio::io::{AsyncRead, ReadBuf};
use url::Url;

use super::{
    Failure,
    connect::Endpoint,
    connections::{Connections, Http1},
    decode::Decoded,
    failure::Kind,
};

/// The most bytes of a part of a body.
const PART: usize = 64 * 1024;

/// A response. Dropping it ends its connection unless its body was read to the end.
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// The reason phrase; empty in HTTP/2.
    pub status_text: Vec<u8>,
    /// The URL that answered.
    pub url: Url,
    /// Whether a redirect was followed.
    pub redirected: bool,
    /// The headers, as the server sent them.
    pub headers: HeaderMap,
    /// The body, decoded.
    pub body: Download,
}

/// The body of a response. Ends with an error when it is longer than the limit.
pub struct Download {
    decoded: Option<Decoded>,
    host: String,
    left: u64,
    limit: u64,
    /// The connection that is free after the body, where it goes back to, and under which name.
    after: Option<(Arc<Connections>, Endpoint, Http1)>,
}

impl Download {
    pub(super) fn new(
        decoded: Option<Decoded>,
        limit: u64,
        endpoint: Endpoint,
        after: Option<(Arc<Connections>, Http1)>,
    ) -> Self {
        let host = endpoint.host.clone();
        let after = after.map(|(connections, connection)| (connections, endpoint, connection));
        let mut download = Self { decoded, host, left: limit, limit, after };
        if download.decoded.is_none() {
            download.end();
        }
        download
    }

    /// Whether the body has been read to its end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.decoded.is_none()
    }

    /// The next bytes, at most 64 KiB; `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks, the body does not decode, or it is longer than the limit. Nothing
    /// more can be read then.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// The bytes that have arrived already, as [`Self::next`]; `None` if there are none yet.
    pub async fn arrived(&mut self) -> Result<Option<Bytes>, Failure> {
        let polled = poll_fn(|cx| Poll::Ready(self.poll(cx))).await;
        match polled {
            Poll::Ready(next) => next,
            Poll::Pending => Ok(None),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        let Some(decoded) = &mut self.decoded else { return Poll::Ready(Ok(None)) };
        let mut part = Vec::new();
        let end = loop {
            if part.len() == PART {
                break Ok(false);
            }
            part.reserve(8192.min(PART - part.len()));
            let before = part.len();
            match read_into(decoded, cx, &mut part) {
                Poll::Pending if part.is_empty() => return Poll::Pending,
                Poll::Pending => break Ok(false),
                Poll::Ready(Ok(())) if part.len() == before => break Ok(true),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => break Err(error),
            }
        };
        if part.len() as u64 > self.left {
            self.stop();
            let message = format!(
                "the body of the answer of {} is larger than {} bytes, which the server's limits.fetchBody allows",
                self.host, self.limit
            );
            return Poll::Ready(Err(Failure::new(Kind::Limit, message)));
        }
        self.left -= part.len() as u64;
        match end {
            Ok(true) => self.end(),
            // The error comes again when there is nothing before it.
            Err(error) if part.is_empty() => {
                self.stop();
                return Poll::Ready(Err(Failure::of_exchange(&self.host, &error)));
            }
            Ok(false) | Err(_) => {}
        }
        Poll::Ready(Ok((!part.is_empty()).then(|| part.into())))
    }

    /// The body has been read: its connection is free.
    fn end(&mut self) {
        self.decoded = None;
        if let Some((connections, endpoint, connection)) = self.after.take() {
            connections.put_back(endpoint, connection);
        }
    }

    fn stop(&mut self) {
        self.decoded = None;
        self.after = None;
    }
}

fn read_into(decoded: &mut Decoded, cx: &mut Context<'_>, part: &mut Vec<u8>) -> Poll<io::Result<()>> {
    let mut chunk = [0; 8192];
    let room = chunk.len().min(PART - part.len());
    let mut buffer = ReadBuf::new(&mut chunk[..room]);
    let polled = Pin::new(decoded).poll_read(cx, &mut buffer);
    part.extend_from_slice(buffer.filled());
    polled
}
