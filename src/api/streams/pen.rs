//! Pen: writes one stream of server-sent events (HTML standard, section 9.2).

use std::{fmt::Write, time::Duration};

use axum::body::Bytes;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior, interval, timeout},
};

use crate::{
    api::{auth::Caller, state::Shared},
    domain::access::Grant,
};

/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(15);
/// Between two looks at the rights of the token, in beats.
const CHECKED_EVERY: u32 = 4;
/// A client that takes nothing for this long is gone.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// Between two pieces of a stream that has much to say.
const PACE: Duration = Duration::from_millis(50);
/// Bytes after which a piece is sent.
const PIECE: usize = 32 * 1024;
/// Milliseconds after which a client comes back.
const COMES_BACK_AFTER: u32 = 2000;

/// The end of a stream from outside: the client is gone, the server stops, or the token has no right any
/// more.
pub(super) struct Ended;

/// Writes a stream.
pub(super) struct Pen {
    api: Shared,
    pub(super) caller: Caller,
    sender: mpsc::Sender<Bytes>,
    closing: watch::Receiver<bool>,
    beat: Interval,
    beats: u32,
    text: String,
    sent_at: Option<Instant>,
}

impl Pen {
    /// A pen that has written how soon the client should come back.
    pub(super) fn new(
        api: Shared,
        caller: Caller,
        sender: mpsc::Sender<Bytes>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first beat is at once, and says nothing.
        beat.reset();
        let text = format!("retry: {COMES_BACK_AFTER}\n\n");
        Self { api, caller, sender, closing, beat, beats: 0, text, sent_at: None }
    }

    /// The rights of the token, by the last look.
    pub(super) fn grant(&self) -> &Grant {
        &self.caller.grant
    }

    /// Writes an event. `data` is one line.
    pub(super) fn event(&mut self, name: &str, id: Option<&str>, data: &str) {
        if let Some(id) = id {
            self.add(format_args!("id: {id}\n"));
        }
        self.add(format_args!("event: {name}\ndata: {data}\n\n"));
    }

    /// Writes the id from which a client goes on that comes back, without an event.
    pub(super) fn id(&mut self, id: &str) {
        self.add(format_args!("id: {id}\n\n"));
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.text.write_fmt(text);
    }

    /// Whether enough is written for a piece.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= PIECE
    }

    /// Sends everything that is written.
    pub(super) async fn send(&mut self) -> Result<(), Ended> {
        if self.text.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.text));
        self.sent_at = Some(Instant::now());
        match timeout(TAKEN_WITHIN, self.sender.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ended),
        }
    }

    /// Waits for `news`; meanwhile tells the client that the stream is alive, and from which `id` on it
    /// goes on. A second piece does not follow the first at once: what comes together goes together.
    pub(super) async fn wait(
        &mut self,
        news: impl Future<Output = ()>,
        id: Option<&str>,
    ) -> Result<(), Ended> {
        let sent_at = self.sent_at;
        let news = async {
            news.await;
            if let Some(sent_at) = sent_at {
                tokio::time::sleep_until(sent_at + PACE).await;
            }
        };
        tokio::pin!(news);
        loop {
            let woken = tokio::select! {
                biased;
                () = until_closing(&mut self.closing) => Woken::Closing,
                () = self.sender.closed() => return Err(Ended),
                _ = self.beat.tick() => Woken::Beat,
                () = &mut news => return Ok(()),
            };
            if matches!(woken, Woken::Closing) {
                return self.say_good_bye().await;
            }
            self.look_at_rights().await?;
            match id {
                Some(id) => self.add(format_args!(":\nid: {id}\n\n")),
                None => self.add(format_args!(":\n\n")),
            }
            self.send().await?;
        }
    }

    /// Each minute: ends the stream of a token that was revoked or has lost its role.
    async fn look_at_rights(&mut self) -> Result<(), Ended> {
        self.beats += 1;
        if !self.beats.is_multiple_of(CHECKED_EVERY) {
            return Ok(());
        }
        match self.caller.look_again(&self.api).await {
            Some(grant) => {
                self.caller.grant = grant;
                Ok(())
            }
            None => self.say_good_bye().await,
        }
    }

    /// Tells the client that the stream ends, though its subject goes on.
    async fn say_good_bye(&mut self) -> Result<(), Ended> {
        self.event("bye", None, "{}");
        self.send().await?;
        Err(Ended)
    }
}

/// The end of a wait that is not over.
enum Woken {
    Beat,
    Closing,
}

async fn until_closing(closing: &mut watch::Receiver<bool>) {
    // The sender is in the state of the API, which the pen has.
    let _ = closing.wait_for(|closing| *closing).await;
}
