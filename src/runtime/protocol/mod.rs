//! The frames that server and runner exchange over their socket pair.
//!
//! A frame is a four-byte little-endian length followed by that many bytes of postcard
//! ([`buffer`]). Both directions are capped at [`MAX_FRAME`]; a longer frame, or one that does
//! not decode, ends the connection, and with it the runner.
//!
//! A conversation ([`frames`]): the server sends [`ToRunner::Start`] once; the runner answers
//! [`FromRunner::Ready`] when its next isolate stands; then, once per run, [`ToRunner::Run`], any
//! number of [`FromRunner::Line`], [`FromRunner::Usage`] and [`FromRunner::Call`] (a [`HostCall`],
//! answered by [`ToRunner::Reply`]), one [`FromRunner::Done`], and `Ready` again.

mod buffer;
mod fetch;
mod frames;
mod host_calls;

pub use self::{
    buffer::{FrameBuffer, MAX_FRAME, decode, encode},
    fetch::{
        FETCH_CALLS_AT_ONCE, FETCH_CALLS_PER_RUN, FETCHES_AT_ONCE, FETCHES_OPEN, FetchAnswer, FetchBody,
        FetchCall, FetchError, FetchHead, FetchRedirect, FetchRequest, LARGEST_PART, Part,
    },
    frames::{Context, Done, End, FromRunner, Mode, Run, Sandbox, SandboxLevel, Settings, ToRunner},
    host_calls::{
        ARGUMENT_BYTES, Answer, CALLS_AT_ONCE, CALLS_PER_RUN, HostCall, KvCall, KvFunction, StepCall,
        SystemCall, parse_progress,
    },
};
pub use crate::domain::source::{Link, Loaded, Source, SourceKind, Unresolved, Way};
