//! Hints: words between the nodes over a connection of its own, by LISTEN and NOTIFY.
//!
//! The connection stands still as long as nobody says anything. A word may get lost, with the connection or while it
//! is made anew; the nodes look by themselves too. Words that follow one another fast are said once: PostgreSQL
//! lets commits with a NOTIFY wait for one another, so that no change of a task carries one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, sync::Notify, time::sleep};

use super::connection::{Connection, Settings, args, query, text_of};
use crate::store::{Hint, StoreError};

/// All hints, each with its bit and its text.
const HINTS: [(Hint, u8, &str); 4] =
    [(Hint::Due, 1, "due"), (Hint::Wish, 2, "wish"), (Hint::Gone, 4, "gone"), (Hint::Drain, 8, "drain")];
/// Between two words of this node.
const APART: Duration = Duration::from_millis(100);
/// The pauses between attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A word is worth no sync of the disk.
const PREPARE: &str = "SET synchronous_commit = off";

/// The words that a node has heard, and those that it wants to say.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    heard: AtomicU8,
    hears: Notify,
    said: AtomicU8,
    says: Notify,
    /// Whether there is somebody to tell.
    others: AtomicBool,
    /// Whether the connection was asked for.
    begun: AtomicBool,
    /// The server's process of the connection, whose own words are not heard.
    process: AtomicI32,
}

impl Hints {
    /// Says a word to the other nodes, if there are any and the connection stands.
    pub(crate) fn tell(&self, hint: Hint) {
        if self.others.load(Ordering::Relaxed) && self.process.load(Ordering::Relaxed) != 0 {
            self.said.fetch_or(bit(hint), Ordering::Relaxed);
            self.says.notify_one();
        }
    }

    /// Notes whether other nodes live.
    pub(crate) fn note_others(&self, others: bool) {
        self.others.store(others, Ordering::Relaxed);
    }

    /// Waits for the next word. The first call makes the connection, on the store's runtime.
    pub(crate) async fn hear(self: Arc<Self>, settings: Arc<Settings>, runtime: Handle) -> Hint {
        if settings.can_listen() && !self.begun.swap(true, Ordering::Relaxed) {
            runtime.spawn(self.clone().exchange(settings));
        }
        loop {
            let heard = self.heard.load(Ordering::Relaxed);
            if let Some((hint, bit, _)) = HINTS.iter().find(|(_, bit, _)| heard & bit != 0) {
                self.heard.fetch_and(!bit, Ordering::Relaxed);
                return *hint;
            }
            self.hears.notified().await;
        }
    }

    fn take_in(&self, bits: u8) {
        self.heard.fetch_or(bits, Ordering::Relaxed);
        self.hears.notify_one();
    }

    /// Listens and tells, for as long as it is polled.
    async fn exchange(self: Arc<Self>, settings: Arc<Settings>) {
        let mut pause = PAUSES.0;
        loop {
            match self.clone().listen(&settings).await {
                Ok(()) => pause = PAUSES.0,
                Err(error) => {
                    tracing::warn!(%error, "no hints of other nodes are heard: they are looked for");
                }
            }
            self.process.store(0, Ordering::Relaxed);
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Listens and tells, until the connection ends.
    async fn listen(self: Arc<Self>, settings: &Arc<Settings>) -> Result<(), StoreError> {
        let away = |error: tokio_postgres::Error| StoreError::Unavailable(text_of(&error));
        let hearing = self.clone();
        let (link, end) = settings.listen(move |process, text| hearing.hear_word(process, text)).await?;
        let own = link.rows(query("SELECT pg_backend_pid()", args![])).await.map_err(away)?;
        let channel = settings.quoted_schema();
        link.batch(&format!("{PREPARE}; LISTEN {channel}")).await.map_err(away)?;
        self.process.store(own.first().map_or(-1, |row| row.get(0)), Ordering::Relaxed);
        // Words were lost while nobody listened.
        self.take_in(HINTS.iter().map(|(_, bit, _)| bit).sum());
        tokio::select! {
            () = end => {}
            told = self.say_all(&link, settings) => told.map_err(away)?,
        }
        Ok(())
    }

    async fn say_all(&self, link: &Connection, settings: &Settings) -> Result<(), tokio_postgres::Error> {
        loop {
            self.says.notified().await;
            let said = self.said.swap(0, Ordering::Relaxed);
            for (_, bit, text) in HINTS {
                if said & bit != 0 {
                    let say = query("SELECT pg_notify($1, $2)", args![settings.schema.clone(), text]);
                    link.rows(say).await?;
                }
            }
            sleep(APART).await;
        }
    }

    fn hear_word(&self, process: i32, text: &str) {
        let word = HINTS.iter().find(|(_, _, word)| *word == text);
        if let Some((_, bit, _)) = word.filter(|_| process != self.process.load(Ordering::Relaxed)) {
            self.take_in(*bit);
        }
    }
}

fn bit(hint: Hint) -> u8 {
    HINTS.iter().find(|(other, ..)| *other == hint).map_or(0, |(_, bit, _)| *bit)
}
