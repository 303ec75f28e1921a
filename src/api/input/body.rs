//! Bodies of requests, read to their ends.

use std::time::Duration;

use axum::extract::Request;
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::api::error::ApiError;

/// The largest body that is read, in bytes.
const LARGEST: usize = 1024 * 1024;
/// The part of a larger body that is read and dropped, in bytes.
const DRAINED: usize = 16 * 1024 * 1024;

/// A body arrives within this time: a slower one would keep its connection from others for as long as it likes.
const ARRIVES_WITHIN: Duration = Duration::from_secs(60);

/// The error of a body that could not be read.
#[derive(Clone)]
struct Unreadable(ApiError);

/// Reads the body before the request is looked at. A connection whose body is still on its way
/// when the answer goes out would be closed, and the client's next request would fail.
pub(in crate::api) async fn with_whole_body(request: Request) -> Request {
    let (mut parts, body) = request.into_parts();
    match read_body(body).await {
        Ok(bytes) => Request::from_parts(parts, bytes.into()),
        Err(error) => {
            parts.extensions.insert(Unreadable(error));
            Request::from_parts(parts, axum::body::Body::empty())
        }
    }
}

pub(super) async fn take_body(mut request: Request) -> Result<Vec<u8>, ApiError> {
    match request.extensions_mut().remove::<Unreadable>() {
        Some(Unreadable(error)) => Err(error),
        None => read_body(request.into_body()).await,
    }
}

/// Reads a body that arrives in time.
async fn read_body(body: axum::body::Body) -> Result<Vec<u8>, ApiError> {
    timeout(ARRIVES_WITHIN, read_whole(body)).await.unwrap_or_else(|_| {
        let within = ARRIVES_WITHIN.as_secs();
        Err(ApiError::bad_request(format!("The body did not arrive within {within} seconds")))
    })
}

/// Reads a body to its end. A part of a body beyond the limit is read too, and dropped: a client that is
/// still writing would not see the answer.
async fn read_whole(mut body: axum::body::Body) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    let mut length = 0;
    while length <= DRAINED
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|_| ApiError::bad_request("The body could not be read to its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length <= LARGEST {
            bytes.extend_from_slice(&data);
        }
    }
    if length > LARGEST {
        return Err(ApiError::too_large(format!("The body is larger than {LARGEST} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        pin::Pin,
        task::{Context, Poll},
    };

    use axum::body::{Body, Bytes, HttpBody};
    use hyper::body::Frame;

    use super::*;

    /// A body that never comes.
    struct Never;

    impl HttpBody for Never {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_in_time_is_refused() {
        let refused = read_body(Body::new(Never)).await.expect_err("it never comes");
        assert_eq!(refused.message(), "The body did not arrive within 60 seconds");
    }
}
