//! Lease: the time at which the runners of this server have to end their runs, where many servers share a store.
//!
//! Each runner is told the time and ends by itself at it, even if the server stands still. A thread of the server
//! kills those that do not: a handler may have taken its runner over, or the machine may have slept.

use std::{
    future::poll_fn,
    os::fd::OwnedFd,
    pin::pin,
    sync::{Arc, Mutex, Weak},
    task::Poll,
    thread,
    time::Duration,
};

use tokio::sync::watch;

use super::protocol::ToRunner;
use crate::{
    clock::Clock,
    domain::{Millis, ids::NodeId, lock::lock},
};

/// The thread looks at the clock at least this often: its sleep does not count the sleep of the machine.
const LOOK: Millis = 250;

/// The time at which the runs of this server have to end, in milliseconds since the machine started.
pub struct RunsUntil {
    clock: Arc<dyn Clock>,
    term: watch::Sender<Term>,
    /// The processes with a run in progress.
    runners: Mutex<Vec<Weak<OwnedFd>>>,
}

/// A lease of one node. A server whose lease is over joins anew as another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Term {
    node: Option<NodeId>,
    until: Millis,
}

impl Term {
    const OVER: Self = Self { node: None, until: Millis::MIN };
}

/// A run that is held to the lease.
pub(super) struct Held {
    guard: Guard,
    term: watch::Receiver<Term>,
    _runner: Option<Arc<OwnedFd>>,
}

/// Tells whether a run may go on.
#[derive(Clone)]
pub(super) struct Guard {
    clock: Arc<dyn Clock>,
    node: Option<NodeId>,
    term: watch::Receiver<Term>,
}

impl RunsUntil {
    /// No run may go on before the first [`RunsUntil::renew`]. Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(clock: Arc<dyn Clock>) -> std::io::Result<Arc<Self>> {
        let lease = Arc::new(Self { clock, term: watch::channel(Term::OVER).0, runners: Mutex::default() });
        let weak = Arc::downgrade(&lease);
        thread::Builder::new().name("lease".to_owned()).spawn(move || {
            while let Some(lease) = weak.upgrade() {
                let wait = lease.check();
                drop(lease);
                thread::sleep(Duration::from_millis(wait.unsigned_abs()));
            }
        })?;
        Ok(lease)
    }

    /// Lets the runs of a node go on until then. Runs of another node, and those whose time was over before, end.
    pub fn renew(&self, node: NodeId, until: Millis) {
        let mut runners = lock(&self.runners);
        let before = *self.term.borrow();
        if before.node != Some(node) || self.clock.boot() >= before.until {
            kill_all(&mut runners);
        }
        self.term.send_replace(Term { node: Some(node), until });
    }

    /// Ends all runs.
    pub fn end(&self) {
        let mut runners = lock(&self.runners);
        self.term.send_replace(Term::OVER);
        kill_all(&mut runners);
    }

    /// Holds the run that a node has claimed to the lease, until the answer is dropped. `runner` is the number of its
    /// process. Nothing once the lease of that node is over; a run that no node has claimed has no lease.
    pub(super) fn hold(&self, node: Option<NodeId>, runner: Option<u32>) -> Option<Held> {
        let Some(node) = node else {
            let term = watch::channel(Term { node: None, until: Millis::MAX }).1;
            return Some(self.held(None, term, None));
        };
        let runner = runner.and_then(open_process).map(Arc::new);
        let mut runners = lock(&self.runners);
        let Term { node: now, until } = *self.term.borrow();
        if now != Some(node) || self.clock.boot() >= until {
            return None;
        }
        runners.retain(|runner| runner.strong_count() > 0);
        runners.extend(runner.as_ref().map(Arc::downgrade));
        Some(self.held(Some(node), self.term.subscribe(), runner))
    }

    fn held(&self, node: Option<NodeId>, term: watch::Receiver<Term>, runner: Option<Arc<OwnedFd>>) -> Held {
        Held { guard: Guard { clock: self.clock.clone(), node, term: term.clone() }, term, _runner: runner }
    }

    /// Ends the runs whose time is over. Returns the milliseconds until the next look.
    fn check(&self) -> Millis {
        let mut runners = lock(&self.runners);
        let left = self.term.borrow().until.saturating_sub(self.clock.boot());
        if left > 0 {
            return left.min(LOOK);
        }
        kill_all(&mut runners);
        LOOK
    }
}

fn kill_all(runners: &mut Vec<Weak<OwnedFd>>) {
    for runner in runners.drain(..).filter_map(|runner| runner.upgrade()) {
        tracing::error!("the lease is over: a runner is killed");
        kill(&runner);
    }
}

impl Held {
    /// The frame that tells a runner the time.
    pub(super) fn frame(&mut self) -> ToRunner {
        let Term { node, until } = *self.term.borrow_and_update();
        let until = if node == self.guard.node { until.max(0).unsigned_abs() } else { 0 };
        ToRunner::Lease { until }
    }

    /// Tells whether the run may go on.
    pub(super) fn guard(&self) -> Guard {
        self.guard.clone()
    }

    /// Waits until the time is another one.
    pub(super) async fn changed(&mut self) {
        if self.term.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Guard {
    /// Whether the time is over.
    pub(super) fn is_over(&self) -> bool {
        let Term { node, until } = *self.term.borrow();
        node != self.node || self.clock.boot() >= until
    }
}

/// Does work for a run as long as its lease lasts. A server that stood still does no further part of it when it goes
/// on; the answer never comes then.
pub(super) async fn while_held<T>(guard: Option<Guard>, work: impl Future<Output = T>) -> T {
    let Some(guard) = guard else { return work.await };
    let mut work = pin!(work);
    poll_fn(|context| if guard.is_over() { Poll::Pending } else { work.as_mut().poll(context) }).await
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

    fn node(number: u8) -> NodeId {
        NodeId(ulid::Ulid::from_bytes([number; 16]))
    }

    fn signal_of(runner: &mut std::process::Child) -> Option<i32> {
        std::os::unix::process::ExitStatusExt::signal(&runner.wait().expect("it ends"))
    }

    #[test]
    fn a_runner_is_killed_when_the_lease_is_over_and_lives_while_it_is_renewed() {
        let clock = SystemClock;
        let lease = RunsUntil::start(Arc::new(clock)).expect("a thread");
        lease.renew(node(1), clock.boot() + 60_000);
        let (mut runner, mut other) = (sleeper(), sleeper());
        let held = lease.hold(Some(node(1)), Some(runner.id())).expect("the lease lasts");
        drop(lease.hold(Some(node(1)), Some(other.id())));
        assert!(runner.try_wait().expect("a child").is_none());
        let end = clock.boot() + 100;
        lease.renew(node(1), end);
        assert_eq!(signal_of(&mut runner), Some(9));
        assert!(clock.boot() >= end, "not before the end");
        assert!(other.try_wait().expect("a child").is_none(), "it has no run in progress");
        other.kill().expect("it ends");
        other.wait().expect("it ends");
        drop(held);
    }

    #[test]
    fn a_server_that_joins_anew_goes_on_with_no_run_of_the_node_that_it_was() {
        let clock = SystemClock;
        let lease = RunsUntil::start(Arc::new(clock)).expect("a thread");
        let until = clock.boot() + 60_000;
        lease.renew(node(1), until);
        let mut runner = sleeper();
        let mut held = lease.hold(Some(node(1)), Some(runner.id())).expect("the lease lasts");
        assert!(matches!(held.frame(), ToRunner::Lease { until: told } if told == until.unsigned_abs()));
        lease.renew(node(2), until);
        assert_eq!(signal_of(&mut runner), Some(9));
        assert!(matches!(held.frame(), ToRunner::Lease { until: 0 }), "the time is the other node's");
        assert!(lease.hold(Some(node(1)), None).is_none(), "its run was claimed before");
        assert!(lease.hold(Some(node(2)), None).is_some() && lease.hold(None, None).is_some());
        lease.end();
        assert!(lease.hold(Some(node(2)), None).is_none() && lease.hold(None, None).is_some());
    }

    /// The result of a future, if it has one now.
    async fn poll_once<T>(work: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
        poll_fn(|context| match std::pin::Pin::new(&mut *work).poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    #[tokio::test]
    async fn work_for_a_run_goes_no_further_when_its_lease_is_over() {
        let clock = SystemClock;
        let lease = RunsUntil::start(Arc::new(clock)).expect("a thread");
        lease.renew(node(1), clock.boot() + 60_000);
        let held = lease.hold(Some(node(1)), None).expect("the lease lasts");
        assert_eq!(while_held(Some(held.guard()), async { 1 }).await, 1);
        let (ask, asked) = tokio::sync::oneshot::channel();
        let mut work = Box::pin(while_held(Some(held.guard()), asked));
        assert!(poll_once(&mut work).await.is_none(), "it waits");
        lease.renew(node(2), clock.boot() + 60_000);
        ask.send(2).expect("it is asked");
        assert!(poll_once(&mut work).await.is_none(), "the answer is there, and nothing is done with it");
        assert!(held.guard().is_over());
    }
}
