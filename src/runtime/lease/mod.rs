//! Lease: until when the runners of this server may go on with their runs, where many servers share a store.
//!
//! Each runner is told the time and ends by itself at it, even if the server stands still. A thread of the server
//! kills those that do not: a handler may have taken its runner over, or the machine may have slept.

use std::{
    os::fd::OwnedFd,
    sync::{Arc, Mutex, Weak},
    thread,
    time::Duration,
};

use tokio::sync::watch;

use super::protocol::ToRunner;
use crate::{
    clock::Clock,
    domain::{Millis, lock::lock},
};

/// The thread looks at the clock at least this often: its sleep does not count the sleep of the machine.
const LOOK: Millis = 250;

/// Until when the runs of this server may go on. Times are milliseconds since the machine started.
pub struct RunsUntil {
    clock: Arc<dyn Clock>,
    until: watch::Sender<Millis>,
    /// The processes with a run in progress.
    runners: Mutex<Vec<Weak<OwnedFd>>>,
}

/// A run that is held to the lease.
pub(super) struct Held {
    until: watch::Receiver<Millis>,
    _runner: Option<Arc<OwnedFd>>,
}

impl RunsUntil {
    /// No run may go on before the first [`RunsUntil::renew`]. Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(clock: Arc<dyn Clock>) -> std::io::Result<Arc<Self>> {
        let lease = Arc::new(Self { clock, until: watch::channel(Millis::MIN).0, runners: Mutex::default() });
        let weak = Arc::downgrade(&lease);
        thread::Builder::new().name("lease".to_owned()).spawn(move || {
            while let Some(lease) = weak.upgrade() {
                let left = *lease.until.borrow() - lease.clock.boot();
                if left <= 0 {
                    lease.kill_all();
                }
                drop(lease);
                let wait = if left <= 0 { LOOK } else { left.min(LOOK) };
                thread::sleep(Duration::from_millis(wait.unsigned_abs()));
            }
        })?;
        Ok(lease)
    }

    /// Lets runs go on until then.
    pub fn renew(&self, until: Millis) {
        self.until.send_replace(until);
    }

    /// Holds the run of a runner with this number of a process to the lease, until the answer is dropped.
    pub(super) fn hold(&self, runner: Option<u32>) -> Held {
        let runner = runner.and_then(open_process).map(Arc::new);
        let mut runners = lock(&self.runners);
        runners.retain(|runner| runner.strong_count() > 0);
        runners.extend(runner.as_ref().map(Arc::downgrade));
        Held { until: self.until.subscribe(), _runner: runner }
    }

    fn kill_all(&self) {
        for runner in lock(&self.runners).drain(..).filter_map(|runner| runner.upgrade()) {
            tracing::error!("the lease is over: a runner is killed");
            kill(&runner);
        }
    }
}

impl Held {
    /// The frame that tells a runner the time.
    pub(super) fn frame(&mut self) -> ToRunner {
        ToRunner::Lease { until: (*self.until.borrow_and_update()).max(0).unsigned_abs() }
    }

    /// Waits until the time is another one.
    pub(super) async fn changed(&mut self) {
        if self.until.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for a change of a lease, if there is one.
pub(super) async fn renewed(held: &mut Option<Held>) -> Option<ToRunner> {
    match held {
        Some(held) => {
            held.changed().await;
            Some(held.frame())
        }
        None => std::future::pending().await,
    }
}

/// A handle of a process that stays of that process even when its number is used again.
#[cfg(target_os = "linux")]
fn open_process(number: u32) -> Option<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let process = Pid::from_raw(i32::try_from(number).ok()?)?;
    pidfd_open(process, PidfdFlags::empty()).ok()
}

#[cfg(target_os = "linux")]
fn kill(process: &OwnedFd) {
    // A process that is dead needs no signal.
    let _ = rustix::process::pidfd_send_signal(process, rustix::process::Signal::KILL);
}

#[cfg(not(target_os = "linux"))]
fn open_process(_: u32) -> Option<OwnedFd> {
    None
}

#[cfg(not(target_os = "linux"))]
fn kill(_: &OwnedFd) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn sleeper() -> std::process::Child {
        std::process::Command::new("sleep").arg("60").spawn().expect("sleep(1) runs")
    }

    #[test]
    fn a_runner_is_killed_when_the_lease_is_over_and_lives_while_it_is_renewed() {
        let clock = SystemClock;
        let lease = RunsUntil::start(Arc::new(clock)).expect("a thread");
        lease.renew(clock.boot() + 60_000);
        let (mut runner, mut other) = (sleeper(), sleeper());
        let held = lease.hold(Some(runner.id()));
        drop(lease.hold(Some(other.id())));
        assert!(runner.try_wait().expect("a child").is_none());
        lease.renew(clock.boot() + 100);
        let status = runner.wait().expect("it ends");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        assert!(clock.boot() >= *lease.until.borrow(), "not before the end");
        assert!(other.try_wait().expect("a child").is_none(), "it has no run in progress");
        other.kill().expect("it ends");
        other.wait().expect("it ends");
        drop(held);
    }
}
