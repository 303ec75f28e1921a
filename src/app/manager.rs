//! The manager of the server's process, such as systemd: it hears how the server stands.

use std::{net::TcpListener, time::Duration};

use tokio::time::{sleep, timeout};

use crate::{scheduler::Scheduler, store::Store};

/// Hears how the server stands, and may hand it a listener.
pub trait Manager: Send + Sync {
    /// The listener that the manager has opened for the server, if it has opened one.
    ///
    /// # Errors
    /// When it has handed over something else.
    fn listener(&self) -> anyhow::Result<Option<TcpListener>>;
    /// The server serves; `status` is a line for people.
    fn ready(&self, status: &str);
    /// The server stops, and that may take as long as `within`.
    fn stopping(&self, within: Duration);
    /// The server does its work.
    fn alive(&self);
    /// The longest time between two calls of [`Manager::alive`]; `None`: the manager does not watch.
    fn watches(&self) -> Option<Duration>;
}

/// Tells the manager that the server does its work, as long as that is true: the scheduler's loop turns and
/// the store answers. A store that many servers share may be away: a new process would not bring it back.
/// Ends only if the manager does not watch.
pub(super) async fn prove_life(manager: &dyn Manager, store: &dyn Store, scheduler: &Scheduler) {
    let Some(longest) = manager.watches() else { return };
    // Two signs may get lost, or come late.
    let every = longest / 3;
    loop {
        let due = timeout(every, store.next_due()).await;
        let is_away = matches!(&due, Ok(Err(error)) if error.passes());
        let answers = matches!(due, Ok(Ok(_)));
        if is_away || answers && timeout(every, scheduler.turn()).await.is_ok() {
            manager.alive();
        } else {
            tracing::error!(store = answers, "the store or the scheduler does not answer: no sign of life");
        }
        sleep(every).await;
    }
}

/// Tells the manager that the server is alive while it stops, which has a bound of its own.
pub(super) async fn prove_life_of_stop(manager: &dyn Manager) {
    let Some(longest) = manager.watches() else { return };
    loop {
        manager.alive();
        sleep(longest / 3).await;
    }
}
