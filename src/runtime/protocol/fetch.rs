//! Host calls of `fetch`: the server makes the request, the runner hands its parts to the handler.
//!
//! A request has a number, which the runner chooses. `Start` is answered by the head of the
//! response, while `Write` sends the parts of a body that is a stream; then each `Read` is answered
//! by a part of the response's body.

use serde::{Deserialize, Serialize};

/// Requests of a run that may wait for the head of their response; a runner keeps further ones back.
pub const FETCHES_AT_ONCE: usize = 32;
/// Requests of a run that may be open: those that wait for a head, and responses with a body that has not
/// been read to its end. A runner keeps further ones back while bodies are read.
pub const FETCHES_OPEN: usize = 256;
/// Calls about requests that a run may have in flight: for each request one to start it, one that
/// writes, one that reads and one that cancels.
pub const FETCH_CALLS_AT_ONCE: usize = 256;
/// Calls about requests that a run may make altogether.
pub const FETCH_CALLS_PER_RUN: u32 = 1_000_000;
/// The most bytes of a body in one call of `Start` or `Write`.
pub const LARGEST_PART: usize = 16 * 1024 * 1024;

/// A call about one request; `fetch` is its number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FetchCall {
    /// Sends a request; answered by [`FetchAnswer::Head`].
    Start {
        /// A number that no other request of the run has.
        fetch: u32,
        /// The request.
        request: Box<FetchRequest>,
    },
    /// Sends a part of the request's body; answered by [`FetchAnswer::Done`] when there is room for
    /// the next one.
    Write {
        /// The request.
        fetch: u32,
        /// `None` ends the body.
        part: Option<Part>,
    },
    /// Asks for the next part of the response's body; answered by [`FetchAnswer::Part`].
    Read {
        /// The request.
        fetch: u32,
    },
    /// Ends the request and its response; answered by [`FetchAnswer::Done`].
    Cancel {
        /// The request.
        fetch: u32,
    },
}

/// Bytes of a body, copied as one block.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Part(#[serde(with = "serde_bytes")] pub Vec<u8>);

/// A request, as the handler asks for it. The server checks every field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FetchRequest {
    /// The method.
    pub method: String,
    /// An absolute URL.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, Part)>,
    /// How redirects are treated.
    pub redirect: FetchRedirect,
    /// The body.
    pub body: FetchBody,
}

/// How redirects are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FetchRedirect {
    /// They are followed.
    Follow,
    /// The redirecting response is the response.
    Manual,
    /// They are errors.
    Error,
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FetchBody {
    /// There is none.
    None,
    /// Bytes, which a redirect may send again.
    Bytes(Part),
    /// Parts that follow by [`FetchCall::Write`].
    Stream,
}

/// The answer to a [`FetchCall`].
#[derive(Debug, Serialize, Deserialize)]
pub enum FetchAnswer {
    /// To `Start`.
    Head(Box<FetchHead>),
    /// To `Read`: a part that is not empty, or the end.
    Part(Option<Part>),
    /// To `Write` and `Cancel`.
    Done,
    /// To any call: the request has failed.
    Failed(FetchError),
}

/// The head of a response.
#[derive(Debug, Serialize, Deserialize)]
pub struct FetchHead {
    /// 200 to 599.
    pub status: u16,
    /// The reason phrase, empty in HTTP/2.
    pub status_text: Part,
    /// The URL that answered, after redirects, without its fragment.
    pub url: String,
    /// Whether a redirect was followed.
    pub redirected: bool,
    /// Names in lower case, and values.
    pub headers: Vec<(String, Part)>,
    /// The part of the body that has arrived with the head; may be empty.
    pub first: Part,
    /// Whether `first` is the whole body: then the request is over, and nothing more is to be read.
    pub complete: bool,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchError {
    /// One of a few words: `dns`, `refused`, `tls`, `timeout`, …
    pub kind: String,
    /// The code that Node has for it, such as `ECONNREFUSED`.
    pub code: Option<String>,
    /// A sentence for the handler's author.
    pub message: String,
}
