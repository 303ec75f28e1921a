//! Content codings, undone as the bytes arrive.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use async_compression::{
    tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder},
    zstd::DParameter,
};
use hyper::{
    HeaderMap,
    body::{Body, Bytes, Incoming},
    header,
};
use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};

/// The most codings on top of each other.
const MOST_CODINGS: usize = 4;
/// The largest window of zstd, as a power of two: 8 MiB (RFC 9659).
const ZSTD_WINDOW: u32 = 23;

/// The codings of a body, the one that was applied last first; none if one of them is unknown.
pub(super) fn codings(headers: &HeaderMap) -> Vec<Coding> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let names = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut found = Vec::new();
    for name in names.map(str::trim).filter(|name| !name.is_empty()) {
        match Coding::of(name) {
            Some(Coding::Identity) => {}
            Some(coding) if found.len() < MOST_CODINGS => found.push(coding),
            _ => return Vec::new(),
        }
    }
    found.reverse();
    found
}

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// An error of its decoder, with its name. One of the connection, or of another coding, stays as it is.
    fn name_in(self, error: io::Error) -> io::Error {
        let inner = error.get_ref();
        if inner.is_some_and(|inner| inner.is::<hyper::Error>() || inner.is::<NotDecoded>()) {
            return error;
        }
        let name = match self {
            Self::Identity => return error,
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "brotli (br)",
            Self::Zstd => "zstd",
        };
        let why = match error.kind() {
            io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
            _ => error.to_string(),
        };
        io::Error::new(io::ErrorKind::InvalidData, NotDecoded { name, why })
    }

    fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "identity" => Self::Identity,
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }
}

/// A body that is not coded as its head says.
#[derive(Debug, thiserror::Error)]
#[error("its body cannot be decoded as {name}, which its content-encoding says it is: {why}")]
struct NotDecoded {
    name: &'static str,
    why: String,
}

/// The decoded bytes of a body.
pub(super) type Decoded = Pin<Box<dyn AsyncRead + Send>>;

/// Puts decoders on top of a body.
pub(super) fn decode(body: Raw, codings: &[Coding]) -> Decoded {
    let mut layers: Box<dyn AsyncBufRead + Send + Unpin> = Box::new(body);
    for (index, coding) in codings.iter().enumerate() {
        let decoder = layer(layers, *coding);
        if index + 1 == codings.len() {
            return Box::into_pin(decoder);
        }
        layers = Box::new(BufReader::new(decoder));
    }
    Box::pin(layers)
}

fn layer(coded: Box<dyn AsyncBufRead + Send + Unpin>, coding: Coding) -> Box<dyn AsyncRead + Send + Unpin> {
    let decoder: Box<dyn AsyncRead + Send + Unpin> = match coding {
        Coding::Identity => return Box::new(coded),
        Coding::Gzip => {
            let mut decoder = GzipDecoder::new(coded);
            // Several members after each other are one body (RFC 1952).
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        Coding::Deflate => Box::new(Deflate::Unknown(Some(coded))),
        Coding::Brotli => Box::new(BrotliDecoder::new(coded)),
        Coding::Zstd => Box::new(ZstdDecoder::with_params(coded, &[DParameter::window_log_max(ZSTD_WINDOW)])),
    };
    Box::new(Named { decoder, coding })
}

/// A decoder whose errors name its coding.
struct Named {
    decoder: Box<dyn AsyncRead + Send + Unpin>,
    coding: Coding,
}

impl AsyncRead for Named {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let coding = self.coding;
        Pin::new(&mut self.decoder).poll_read(cx, buffer).map_err(|error| coding.name_in(error))
    }
}

/// `deflate` means zlib (RFC 9110), but some servers send the bare format; the first byte tells.
enum Deflate<R> {
    Unknown(Option<R>),
    Zlib(ZlibDecoder<R>),
    Bare(DeflateDecoder<R>),
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Deflate<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match &mut *self {
                Self::Zlib(decoder) => return Pin::new(decoder).poll_read(cx, buffer),
                Self::Bare(decoder) => return Pin::new(decoder).poll_read(cx, buffer),
                Self::Unknown(coded) => {
                    let Some(reader) = coded.as_mut() else { return Poll::Ready(Ok(())) };
                    let Some(first) = ready!(Pin::new(reader).poll_fill_buf(cx))?.first().copied() else {
                        return Poll::Ready(Ok(()));
                    };
                    let Some(coded) = coded.take() else { return Poll::Ready(Ok(())) };
                    *self = if first & 0x0f == 8 {
                        Self::Zlib(ZlibDecoder::new(coded))
                    } else {
                        Self::Bare(DeflateDecoder::new(coded))
                    };
                }
            }
        }
    }
}

/// The bytes of a body as they arrive.
pub(super) struct Raw {
    body: Incoming,
    part: Bytes,
}

impl Raw {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, part: Bytes::new() }
    }

    /// Whether nothing more comes; `false` while it is not known.
    pub(super) fn is_over(&self) -> bool {
        self.part.is_empty() && self.body.is_end_stream()
    }
}

impl AsyncBufRead for Raw {
    fn poll_fill_buf(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        // A body with a length is over at its last byte, before its connection says so.
        while self.part.is_empty() && !self.body.is_end_stream() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => break,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                // Trailers are not shown.
                Some(Ok(frame)) => self.part = frame.into_data().unwrap_or_default(),
            }
        }
        Poll::Ready(Ok(&self.get_mut().part))
    }

    fn consume(mut self: Pin<&mut Self>, bytes: usize) {
        let bytes = bytes.min(self.part.len());
        drop(self.part.split_to(bytes));
    }
}

impl AsyncRead for Raw {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let part = ready!(self.as_mut().poll_fill_buf(cx))?;
        let bytes = part.len().min(buffer.remaining());
        buffer.put_slice(&part[..bytes]);
        self.consume(bytes);
        Poll::Ready(Ok(()))
    }
}
