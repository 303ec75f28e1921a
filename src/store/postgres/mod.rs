//! The store in a PostgreSQL server.
//!
//! ```text
//! callers ─► PgStore ─┬─► queue ─► writer ─► its connection        (write)
//!                     └─► readers ─► a few shared connections      (read)
//! ```
//! A thread of its own drives all connections, so that callers may be on any runtime. Records are the JSON
//! documents that the embedded store keeps; a column exists only for what is searched, ordered or counted.
//! Every commit ends with the fence of this process ([`open`]).
//!
//! Misuse to avoid: a decision with effects of its own, since a group that another transaction has overtaken is
//! decided again.

mod connection;
mod copy;
mod documents;
mod hints;
mod open;
mod read;
mod share;
#[cfg(test)]
mod tests;
mod traits;
mod write;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep},
};

use self::{
    connection::{Connection, Outlook, Readers, text_of},
    share::Identity,
    write::{Request, Work, Writer, operation},
};
pub use self::{
    connection::{Dialect, Settings, UrlError},
    copy::Verified,
};
use super::{
    Answer, Now, Report, StoreError,
    disk::{CommitClock, directory::Lock},
};
use crate::domain::Millis;

/// Requests that wait for the writer at most.
const QUEUE: usize = 4096;
/// A server that is not reachable at the start is tried for this long: its address may be wrong. One that answers is
/// waited for.
const REACHED_WITHIN: Duration = Duration::from_secs(30);
/// Between two attempts at the start.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A store in a PostgreSQL server, open in one process.
pub struct PgStore {
    settings: Arc<Settings>,
    to_writer: ToWriter,
    readers: Arc<Readers>,
    commits: Arc<CommitClock>,
    identity: Identity,
    /// The clock of tests, instead of the database's.
    now: Option<Now>,
    report: Report,
}

/// The way to the writer, beyond the life of a call.
#[derive(Clone)]
struct ToWriter {
    requests: mpsc::Sender<Request>,
    closed: Arc<AtomicBool>,
}

/// The parts that the store's thread hands over.
struct Opened {
    requests: mpsc::Sender<Request>,
    readers: Arc<Readers>,
    commits: Arc<CommitClock>,
    identity: Identity,
    report: Report,
}

impl PgStore {
    /// Opens the store, and makes its tables if they are missing. Its time is the database's. Nothing is written
    /// before the process has joined ([`Shared::join`](super::Shared::join)). Waits for a server that has no connection
    /// to spare, until the future is dropped.
    ///
    /// # Errors
    /// When the server is not reached within 30 seconds, is too old, or another process has the data directory.
    pub async fn open(settings: Settings) -> Result<Self, StoreError> {
        Self::open_with(settings, None).await
    }

    /// Opens the store with another clock than the database's.
    async fn open_with(settings: Settings, now: Option<Now>) -> Result<Self, StoreError> {
        let settings = Arc::new(settings);
        let (mut hand_over, handed) = oneshot::channel();
        let (of_thread, given) = (settings.clone(), now.clone());
        on_thread(move || async move {
            let started = tokio::select! {
                started = start(&of_thread, given) => started,
                () = hand_over.closed() => return,
            };
            match started {
                Ok((opened, writer, requests)) => {
                    if hand_over.send(Ok(opened)).is_ok() {
                        writer.run(requests).await;
                    }
                }
                Err(error) => drop(hand_over.send(Err(error))),
            }
        })?;
        let opened = handed.await.unwrap_or(Err(StoreError::Closed))?;
        let Opened { requests, readers, commits, identity, report } = opened;
        let to_writer = ToWriter { requests, closed: Arc::default() };
        Ok(Self { settings, to_writer, readers, commits, identity, now, report })
    }

    /// Makes the tables, or brings them to this build's version.
    ///
    /// # Errors
    /// When the server is not reached, or refuses.
    pub fn migrate(settings: Settings) -> Result<(), StoreError> {
        once(settings, |link| async move { open::migrate(&link, true).await })
    }

    /// Verifies every record; changes nothing.
    ///
    /// # Errors
    /// When the server is not reached, or has no store.
    pub fn verify(settings: Settings) -> Result<Verified, StoreError> {
        once(settings, |link| async move {
            open::migrate(&link, false).await?;
            copy::verify(&link).await
        })
    }

    /// Hands work to the writer.
    fn ask<W: Work>(&self, work: W) -> Answer<W::Answer> {
        self.to_writer.ask(work)
    }

    /// The way to the writer for work that follows other work.
    fn again(&self) -> ToWriter {
        self.to_writer.clone()
    }

    /// The time of tests; `None` for the database's.
    fn given_time(&self) -> Option<Millis> {
        self.now.as_ref().map(|now| now())
    }

    /// Reads over the connections for reads.
    fn read<T: Send + 'static, F>(&self, read: impl FnOnce(Arc<Readers>) -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        Box::pin(read(self.readers.clone()))
    }
}

impl ToWriter {
    fn ask<W: Work>(&self, work: W) -> Answer<W::Answer> {
        let (reply, answer) = oneshot::channel();
        let Self { requests, closed } = self.clone();
        Box::pin(async move {
            if closed.load(Ordering::SeqCst) {
                return Err(StoreError::Closed);
            }
            let request = Request::Work(operation(work, reply));
            requests.send(request).await.map_err(|_| StoreError::Closed)?;
            answer.await.map_err(|_| StoreError::Closed)?
        })
    }
}

/// Starts a thread with a runtime of its own.
fn on_thread<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send + 'static) -> Result<(), StoreError> {
    let failed =
        |error: std::io::Error| StoreError::Backend { doing: "start the store", why: error.to_string() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let spawned = thread::Builder::new().name("store".to_owned()).spawn(move || {
        runtime.block_on(work());
        // Reads that still wait end with the runtime.
        runtime.shutdown_timeout(Duration::from_secs(1));
    });
    spawned.map(drop).map_err(failed)
}

/// Does work over one connection.
fn once<T: Send + 'static, F>(
    settings: Settings,
    work: impl FnOnce(Connection) -> F + Send + 'static,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let (hand_over, handed) = std::sync::mpsc::channel();
    on_thread(move || async move {
        let settings = Arc::new(settings);
        let done = match settings.connect().await {
            Ok(link) => match open::check(&link).await {
                Ok(()) => work(link).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error.into()),
        };
        let _ = hand_over.send(done);
    })?;
    handed.recv().unwrap_or(Err(StoreError::Closed))
}

async fn start(
    settings: &Arc<Settings>,
    now: Option<Now>,
) -> Result<(Opened, Writer, mpsc::Receiver<Request>), StoreError> {
    // Held as long as this thread lives.
    let lock = settings.data.as_deref().map(Lock::take).transpose();
    let lock =
        lock.map_err(|error| StoreError::Backend { doing: "open the store", why: error.to_string() })?;
    let (link, epoch) = loop {
        let link = reach(settings).await?;
        match open_over(&link, settings).await {
            Err(StoreError::Unavailable(why)) => tracing::warn!(why, "the database does not answer yet"),
            opened => break (link, opened?),
        }
        sleep(AGAIN_AFTER).await;
    };
    let readers = Readers::new(settings.clone(), tokio::runtime::Handle::current());
    let tasks = count_tasks(&readers).await?;
    let report = Report { epoch: epoch.unsigned_abs(), tasks, ..Report::default() };
    let (commits, identity) = (Arc::new(CommitClock::default()), Identity::default());
    let writer = Writer::new((settings.clone(), lock), now, link, identity.clone(), commits.clone());
    let (requests, received) = mpsc::channel(QUEUE);
    Ok((Opened { requests, readers, commits, identity, report }, writer, received))
}

/// Looks whether the server may have the store, makes the tables, and counts the opening.
async fn open_over(link: &Connection, settings: &Settings) -> Result<i64, StoreError> {
    open::check(link).await?;
    open::migrate(link, settings.migrate).await?;
    open::open(link, settings.data.as_deref()).await
}

/// Connects, for as long as the server may still be starting.
async fn reach(settings: &Arc<Settings>) -> Result<Connection, StoreError> {
    let begun = Instant::now();
    loop {
        match settings.connect().await {
            Ok(link) => return Ok(link),
            Err(error) if error.is_busy => {
                tracing::warn!(%error, "the database takes no connection yet: the start waits for one");
            }
            Err(error) if begun.elapsed() > REACHED_WITHIN || error.is_final => return Err(error.into()),
            Err(error) => tracing::warn!(%error, "the database is not reached yet"),
        }
        sleep(AGAIN_AFTER).await;
    }
}

async fn count_tasks(readers: &Arc<Readers>) -> Result<u64, StoreError> {
    let counts = read::status_counts(readers.clone()).await?;
    Ok(counts.into_iter().map(|(_, count)| count).sum())
}

/// The error of a statement.
fn fail(doing: &'static str, error: &tokio_postgres::Error) -> StoreError {
    match Outlook::of(error) {
        Outlook::Never => StoreError::Backend { doing, why: text_of(error) },
        _ => StoreError::Unavailable(text_of(error)),
    }
}
