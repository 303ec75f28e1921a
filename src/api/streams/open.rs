//! The streams that are open.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use crate::{api::error::ApiError, domain::lock::lock};

/// Streams that are open at once, at most.
const MOST: usize = 100;
/// Streams of one token that are open at once, at most.
const MOST_OF_TOKEN: usize = 20;
/// Seconds after which a client that was refused may try again.
const TRY_AGAIN_AFTER: u32 = 5;
/// The time that streams take to say good-bye, at most.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

/// The open streams.
#[derive(Debug, Clone, Default)]
pub struct Streams(Arc<Open>);

#[derive(Debug)]
struct Open {
    /// By token.
    tokens: Mutex<HashMap<String, usize>>,
    count: watch::Sender<usize>,
    closing: watch::Sender<bool>,
}

impl Default for Open {
    fn default() -> Self {
        Self { tokens: Mutex::default(), count: watch::channel(0).0, closing: watch::channel(false).0 }
    }
}

impl Streams {
    /// The number of open streams.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.0.count.borrow()
    }

    /// Ends every stream, and refuses new ones. Waits until they have ended, a second at most.
    pub async fn close(&self) {
        self.0.closing.send_replace(true);
        let mut count = self.0.count.subscribe();
        // A client that does not read gets no good-bye.
        let _ = timeout(CLOSED_WITHIN, count.wait_for(|count| *count == 0)).await;
    }

    /// Becomes true when every stream must end.
    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.0.closing.subscribe()
    }

    /// Adds a stream of a token.
    pub(super) fn enter(&self, token: &str) -> Result<Entered, ApiError> {
        let mut tokens = lock(&self.0.tokens);
        if *self.0.closing.borrow() {
            return Err(ApiError::unavailable("The server is shutting down"));
        }
        let of_token = tokens.get(token).copied().unwrap_or_default();
        if self.count() >= MOST {
            return Err(refuse(format!("{MOST} streams are open, and no more can be")));
        }
        if of_token >= MOST_OF_TOKEN {
            return Err(refuse(format!(
                "{MOST_OF_TOKEN} streams are open for this token, and no more can be"
            )));
        }
        tokens.insert(token.to_owned(), of_token + 1);
        self.0.count.send_modify(|count| *count += 1);
        Ok(Entered { streams: self.clone(), token: token.to_owned() })
    }
}

fn refuse(message: String) -> ApiError {
    ApiError::unavailable(message).retry_after(TRY_AGAIN_AFTER)
}

/// An open stream, until this is dropped.
#[derive(Debug)]
pub(super) struct Entered {
    streams: Streams,
    token: String,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut tokens = lock(&self.streams.0.tokens);
        if let Some(count) = tokens.get_mut(&self.token) {
            *count -= 1;
            if *count == 0 {
                tokens.remove(&self.token);
            }
        }
        self.streams.0.count.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(streams: &Streams, token: &str, count: usize) -> Vec<Entered> {
        (0..count).map_while(|_| streams.enter(token).ok()).collect()
    }

    #[test]
    fn a_token_has_20_streams_at_most_and_all_tokens_have_100() {
        let streams = Streams::default();
        let mut own = enter(&streams, "own", 30);
        assert_eq!(own.len(), MOST_OF_TOKEN);
        let others: Vec<_> = (0..9).flat_map(|n| enter(&streams, &n.to_string(), MOST_OF_TOKEN)).collect();
        assert_eq!(own.len() + others.len(), MOST);
        own.pop();
        assert!(enter(&streams, "0", 1).is_empty(), "that token has 20");
        assert_eq!(enter(&streams, "another", 2).len(), 1);
        drop((own, others));
        assert_eq!(streams.count(), 0);
        assert!(lock(&streams.0.tokens).is_empty(), "nothing is kept of a token without streams");
    }

    #[tokio::test]
    async fn no_stream_begins_once_they_are_closed() {
        let streams = Streams::default();
        let open = streams.enter("own").expect("there is room");
        let (ended, ()) = tokio::join!(
            async {
                streams.0.closing.subscribe().wait_for(|closing| *closing).await.expect("it is kept");
                drop(open);
            },
            streams.close()
        );
        assert_eq!((ended, streams.count()), ((), 0));
        assert!(streams.enter("own").is_err());
    }
}
