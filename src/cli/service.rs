//! The service manager: systemd, or one that speaks as it does (`sd_notify(3)`, `sd_listen_fds(3)`).
//!
//! Without such a manager nothing is told, and the server opens its listener itself.

use std::{
    net::TcpListener,
    os::fd::{FromRawFd, OwnedFd},
    time::Duration,
};

use anyhow::{Context, bail};
use isochron::app::Manager;
use rustix::net::sockopt::socket_acceptconn;
use sd_notify::NotifyState;

/// systemd, if it has started this process.
pub(super) struct ServiceManager;

impl ServiceManager {
    fn notify(states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }
}

impl Manager for ServiceManager {
    fn listener(&self) -> anyhow::Result<Option<TcpListener>> {
        let mut handed = sd_notify::listen_fds().context("read LISTEN_FDS")?;
        let (count, first) = (handed.len(), handed.next());
        let Some(number) = first else { return Ok(None) };
        if count > 1 {
            bail!(
                "the service manager has handed over {count} sockets: one is wanted, the address of the API"
            );
        }
        // SAFETY: the manager has opened this descriptor for us, and nothing else in this process knows it:
        // it is taken once, at the start.
        #[expect(unsafe_code, reason = "the descriptor comes as a number")]
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        let listens = socket_acceptconn(&socket).context("look at the socket of the service manager")?;
        if !listens {
            bail!(
                "the socket of the service manager does not listen: it must have ListenStream= and Accept=no"
            );
        }
        let listener = TcpListener::from(socket);
        listener.set_nonblocking(true).context("use the socket of the service manager")?;
        Ok(Some(listener))
    }

    fn ready(&self, status: &str) {
        Self::notify(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    fn stopping(&self, within: Duration) {
        let within = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
        Self::notify(&[
            NotifyState::Stopping,
            NotifyState::Status("waiting for the runs in progress"),
            NotifyState::ExtendTimeoutUsec(within),
        ]);
    }

    fn alive(&self) {
        Self::notify(&[NotifyState::Watchdog]);
    }

    fn watches(&self) -> Option<Duration> {
        sd_notify::watchdog_enabled().filter(|longest| !longest.is_zero())
    }
}
