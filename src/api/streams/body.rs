//! The body of a stream: the pieces of a channel, as they come.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Bytes, HttpBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// A body that ends when its channel does.
pub(super) struct Received(mpsc::Receiver<Bytes>);

impl From<mpsc::Receiver<Bytes>> for Received {
    fn from(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self(pieces)
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
