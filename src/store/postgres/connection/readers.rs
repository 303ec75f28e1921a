//! Connections for reads, which many reads share.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::Mutex,
    time::{Instant, sleep, timeout_at},
};
use tokio_postgres::{Error, Row};

use super::{Connection, Outlook, Query, Settings, codes::text_of};
use crate::store::StoreError;

/// A read without an answer for this long fails.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// Between two attempts of a read that waits.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// After a failure to connect, reads go over the other connections for this long.
const PAUSE: Duration = Duration::from_secs(5);

/// Nobody waits for a statement that works longer. A pooler would give the setting to others.
const STOPPED: &str = "SET statement_timeout = '5s'";

/// The place of a connection.
#[derive(Default)]
struct Slot {
    connection: Option<Arc<Connection>>,
    /// No other one is made before this time.
    again: Option<Instant>,
}

impl Slot {
    fn open(&self) -> Option<&Arc<Connection>> {
        self.connection.as_ref().filter(|connection| !connection.is_closed())
    }
}

/// The connections for reads; each is made at its first use, and anew when it has ended. If the server has none to spare,
/// those that stand serve all reads.
pub(crate) struct Readers {
    settings: Arc<Settings>,
    runtime: Handle,
    slots: Vec<Mutex<Slot>>,
    next: AtomicUsize,
    /// Whether reads wait for a server that does not answer.
    are_patient: AtomicBool,
}

impl Readers {
    /// Makes no connection yet; reads wait for a server that does not answer until [`Self::end_patience`]. `runtime` is the store's own.
    pub(crate) fn new(settings: Arc<Settings>, runtime: Handle) -> Arc<Self> {
        let slots = (0..settings.connections.max(1)).map(|_| Mutex::default()).collect();
        let next = AtomicUsize::new(0);
        Arc::new(Self { settings, runtime, slots, next, are_patient: AtomicBool::new(true) })
    }

    /// The store's settings.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The store's own runtime.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Has reads fail from now on when the server does not answer.
    pub(crate) fn end_patience(&self) {
        self.are_patient.store(false, Ordering::Relaxed);
    }

    /// Asks all queries in one trip; a caller may be on any runtime.
    pub(crate) fn all(
        self: &Arc<Self>,
        queries: Vec<Query>,
    ) -> impl Future<Output = Result<Vec<Vec<Row>>, StoreError>> + Send + 'static {
        let readers = self.clone();
        async move {
            let asked = readers.clone();
            let asked = readers.runtime.spawn(async move { asked.ask(queries).await });
            asked.await.unwrap_or(Err(StoreError::Closed))
        }
    }

    /// Asks one query.
    pub(crate) fn rows(
        self: &Arc<Self>,
        query: Query,
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send + 'static {
        let asked = self.all(vec![query]);
        async move { Ok(asked.await?.pop().unwrap_or_default()) }
    }

    async fn ask(&self, queries: Vec<Query>) -> Result<Vec<Vec<Row>>, StoreError> {
        while self.are_patient.load(Ordering::Relaxed) {
            match self.ask_once(queries.clone()).await {
                Err(StoreError::Unavailable(why)) => tracing::warn!(why, "the database does not answer yet"),
                answer => return answer,
            }
            sleep(AGAIN_AFTER).await;
        }
        self.ask_once(queries).await
    }

    async fn ask_once(&self, queries: Vec<Query>) -> Result<Vec<Vec<Row>>, StoreError> {
        let until = Instant::now() + ANSWERED_WITHIN;
        let late = |_| StoreError::Unavailable("the database does not answer".to_owned());
        let slot = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        let (slot, connection) = timeout_at(until, self.connection(slot)).await.map_err(late)??;
        let answer = timeout_at(until, connection.all(queries)).await;
        if answer.as_ref().map_or(true, |answer| answer.as_ref().is_err_and(is_lost)) {
            // The next read makes a connection anew.
            slot.lock().await.connection.take_if(|kept| Arc::ptr_eq(kept, &connection));
        }
        answer.map_err(late)?.map_err(|error| read_error(&error))
    }

    /// A connection that has not ended, and its slot: that of `number`, or another one as long as that has none.
    async fn connection(&self, number: usize) -> Result<(&Mutex<Slot>, Arc<Connection>), StoreError> {
        let own = &self.slots[number];
        let mut slot = own.lock().await;
        if let Some(connection) = slot.open() {
            return Ok((own, connection.clone()));
        }
        if slot.again.is_some_and(|again| Instant::now() < again)
            && let Some(other) = self.other(number)
        {
            return Ok(other);
        }
        match self.make().await {
            Ok(connection) => Ok((own, slot.connection.insert(connection).clone())),
            Err(error) => {
                slot.again = Some(Instant::now() + PAUSE);
                self.other(number).ok_or(error)
            }
        }
    }

    /// A connection of another slot.
    fn other(&self, number: usize) -> Option<(&Mutex<Slot>, Arc<Connection>)> {
        let others = self.slots.iter().zip(0..).filter(|(_, other)| *other != number);
        others.map(|(slot, _)| slot).find_map(|slot| Some((slot, slot.try_lock().ok()?.open()?.clone())))
    }

    async fn make(&self) -> Result<Arc<Connection>, StoreError> {
        let connection = self.settings.connect().await?;
        if !self.settings.pooler {
            connection.batch(STOPPED).await.map_err(|error| read_error(&error))?;
        }
        Ok(Arc::new(connection))
    }
}

fn is_lost(error: &Error) -> bool {
    Outlook::of(error) == Outlook::Lost
}

/// The error of a read.
fn read_error(error: &Error) -> StoreError {
    match Outlook::of(error) {
        Outlook::Never => StoreError::Backend { doing: "read the database", why: text_of(error) },
        _ => StoreError::Unavailable(text_of(error)),
    }
}
