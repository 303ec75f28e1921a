//! Connections for reads, which many reads share.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, sync::Mutex, time::timeout};
use tokio_postgres::{Error, Row};

use super::{Connection, Query, Settings, url::text_of};
use crate::store::StoreError;

/// A read without an answer for this long fails.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// The connections for reads; each is made at its first use, and anew when it has ended.
pub(crate) struct Readers {
    settings: Arc<Settings>,
    runtime: Handle,
    slots: Vec<Mutex<Option<Arc<Connection>>>>,
    next: AtomicUsize,
}

impl Readers {
    /// Makes no connection yet. `runtime` is the store's own.
    pub(crate) fn new(settings: Arc<Settings>, runtime: Handle) -> Arc<Self> {
        let slots = (0..settings.connections.max(1)).map(|_| Mutex::default()).collect();
        Arc::new(Self { settings, runtime, slots, next: AtomicUsize::new(0) })
    }

    /// Asks all queries in one trip; a caller may be on any runtime.
    pub(crate) fn all(
        self: &Arc<Self>,
        queries: Vec<Query>,
    ) -> impl Future<Output = Result<Vec<Vec<Row>>, StoreError>> + Send + 'static {
        let readers = self.clone();
        self.on_runtime(async move {
            let connection = readers.connection().await?;
            connection.all(queries).await.map_err(|error| read_error(&error))
        })
    }

    /// Asks one query.
    pub(crate) fn rows(
        self: &Arc<Self>,
        query: Query,
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send + 'static {
        let asked = self.all(vec![query]);
        async move { Ok(asked.await?.pop().unwrap_or_default()) }
    }

    /// Runs work on the store's runtime, for two seconds at most.
    pub(crate) fn on_runtime<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'static {
        let runtime = self.runtime.clone();
        async move {
            let work = async {
                let late = StoreError::Unavailable("the database does not answer".to_owned());
                timeout(ANSWERED_WITHIN, work).await.unwrap_or(Err(late))
            };
            runtime.spawn(work).await.unwrap_or(Err(StoreError::Closed))
        }
    }

    /// A connection that has not ended.
    pub(crate) async fn connection(&self) -> Result<Arc<Connection>, StoreError> {
        let index = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        let mut slot = self.slots[index].lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        let connection = Arc::new(self.settings.connect().await?);
        *slot = Some(connection.clone());
        Ok(connection)
    }
}

/// The error of a read.
pub(crate) fn read_error(error: &Error) -> StoreError {
    match error.as_db_error() {
        // The server stops, starts, or is only to be read: another connection may go on.
        Some(found)
            if ["57P", "08", "53", "25006"].iter().any(|class| found.code().code().starts_with(class)) =>
        {
            StoreError::Unavailable(text_of(error))
        }
        Some(_) => StoreError::Backend { doing: "read the database", why: text_of(error) },
        None => StoreError::Unavailable(text_of(error)),
    }
}
