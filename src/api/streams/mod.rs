//! Streams: answers that go on, as server-sent events.
//!
//! A stream is written by one task ([`respond`]) with a [`Pen`]. It says something every 15 seconds, looks
//! at the rights of its token each minute, and ends with `bye` when the server stops. [`Streams`](open::Streams) bounds
//! how many are open and lets a stop wait for them: an open stream would hold up the end of the listener.
//!
//! Misuse to avoid: waiting for anything in a stream but through [`Pen::wait`].

mod body;
mod coalesce;
pub(super) mod events;
pub(super) mod execution;
pub(super) mod open;
mod pen;

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::sync::mpsc;

use self::{body::Received, pen::Ended, pen::Pen};
use super::{auth::Caller, error::ApiError, state::Shared};

/// Pieces of a stream that wait for the connection. When there are more, the stream waits.
const PIECES: usize = 4;

/// Answers with a stream that `write` writes.
///
/// # Errors
/// 503 when too many are open.
fn respond<F: Future<Output = Result<(), Ended>> + Send + 'static>(
    api: &Shared,
    caller: Caller,
    write: impl FnOnce(Pen) -> F + Send + 'static,
) -> Result<Response, ApiError> {
    let entered = api.streams.enter(caller.token_name())?;
    let (sender, received) = mpsc::channel::<Bytes>(PIECES);
    let pen = Pen::new(api.clone(), caller, sender, api.streams.closing());
    // The one place where streams are spawned; a stop waits for `entered`.
    tokio::spawn(async move {
        // Every end is the client's, or told to it.
        let _ = write(pen).await;
        drop(entered);
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        // A proxy that collects an answer before it passes it on would hold the stream back.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::new(Received::from(received))).into_response())
}

/// Tells an `EventSource` not to come back.
fn nothing_more() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
