//! The place of this process among those that share its store.
//!
//! A process that has its store alone has none of it: its clock is the machine's, its runs have no lease, and it has
//! no thread for one.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use anyhow::Context;
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn},
    time::sleep,
};

use super::differences::Differences;
use crate::{
    api::{ClusterReady, LeaseState},
    app::store::node_settings,
    clock::{Clock, SystemClock},
    cluster::{FollowingClock, Member, Standing},
    config::Config,
    domain::{Millis, lock::lock},
    handlers::files::Files,
    runtime::{Pool, lease::RunsUntil},
    scheduler::Scheduler,
    store::{Store, StoreError},
};

/// The wait before the next try to join.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A clock of the machine that is further than this from the store's is worth a warning, in milliseconds.
const SKEWED: Millis = 1000;

/// The place of this process among others, if it shares its store.
pub(in crate::app) struct Membership(Option<Joined>);

/// A process that has joined a store.
struct Joined {
    member: Arc<Member>,
    clock: Arc<FollowingClock>,
    runs_until: Arc<RunsUntil>,
    leaving: watch::Sender<bool>,
    /// The beats.
    beating: Mutex<Option<JoinHandle<()>>>,
    /// Hands the lease on to the runners.
    following: JoinHandle<()>,
    /// The servers with other handlers, if these are in folders.
    differences: OnceLock<Arc<Differences>>,
}

impl Membership {
    /// Joins a store that many processes may share, and beats from then on.
    ///
    /// # Errors
    /// When the store refuses.
    pub(super) async fn join(config: &Config, store: &dyn Store) -> anyhow::Result<Arc<Self>> {
        let Some(shared) = store.shared() else { return Ok(Arc::new(Self(None))) };
        let clock = Arc::new(FollowingClock::new(Arc::new(SystemClock)));
        let member = Member::new(shared, clock.clone(), node_settings(config, config.runners.max));
        join(&member).await.context("join the store")?;
        let runs_until = RunsUntil::start(clock.clone()).context("start the thread of the lease")?;
        let (leaving, left) = watch::channel(false);
        let beating = Mutex::new(Some(spawn(member.clone().run(left))));
        let following = spawn(follow(member.clone(), clock.clone(), runs_until.clone()));
        let differences = OnceLock::new();
        Ok(Arc::new(Self(Some(Joined {
            member,
            clock,
            runs_until,
            leaving,
            beating,
            following,
            differences,
        }))))
    }

    /// Ends the start: what the store does not answer fails from now on.
    pub(in crate::app) fn end_start(&self) {
        if let Some(joined) = &self.0 {
            joined.member.end_start();
        }
    }

    /// Whether others may share the store.
    pub(super) fn is_shared(&self) -> bool {
        self.0.is_some()
    }

    /// The clock of the store.
    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        match &self.0 {
            Some(joined) => joined.clock.clone(),
            None => Arc::new(SystemClock),
        }
    }

    /// Holds all runs of a pool to the lease.
    pub(super) fn hold(&self, pool: &Pool) {
        if let Some(joined) = &self.0 {
            pool.hold_to(joined.runs_until.clone());
        }
    }

    /// Makes a scheduler that of one node among many.
    pub(super) fn share(&self, scheduler: &Scheduler) {
        if let Some(joined) = &self.0 {
            scheduler.share_with(joined.member.clone());
        }
    }

    /// Compares the handlers' files of this server with those of the others from now on.
    pub(super) fn compare(&self, files: Files, store: &Arc<dyn Store>) {
        if let Some((joined, shared)) = self.0.as_ref().zip(store.shared()) {
            joined.differences.get_or_init(|| Differences::watch(files, store.clone(), shared));
        }
    }

    /// The state for `/ready`.
    pub(super) fn state(&self) -> Option<ClusterReady> {
        let Joined { member, clock, differences, .. } = self.0.as_ref()?;
        let lease = match member.lease().standing() {
            Standing::Member { .. } => LeaseState::Held,
            Standing::Fenced => LeaseState::Lost,
        };
        let differing = differences.get().map_or_else(Vec::new, |differences| differences.names());
        let (clock_ahead, lost_commits) = (clock.machine_ahead(), member.store().lost_commits());
        Some(ClusterReady { lease, nodes: member.nodes(), differing, clock_ahead, lost_commits })
    }

    /// Ends the beats. The node is gone once its store is closed.
    pub(in crate::app) async fn leave(&self) {
        let Some(joined) = &self.0 else { return };
        joined.leaving.send_replace(true);
        let beating = lock(&joined.beating).take();
        if let Some(beating) = beating {
            // It ends with the notice, unless it has panicked.
            let _ = beating.await;
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.following.abort();
    }
}

async fn join(member: &Member) -> Result<(), StoreError> {
    loop {
        match member.join().await {
            Err(error) if error.passes() => {
                tracing::warn!(%error, "this process cannot join the store yet");
            }
            ended => return ended,
        }
        sleep(AGAIN_AFTER).await;
    }
}

/// Hands the lease of a member on to the runners. For as long as it is polled.
async fn follow(member: Arc<Member>, clock: Arc<FollowingClock>, runs_until: Arc<RunsUntil>) {
    let mut skewed = false;
    loop {
        let changed = member.lease().changed();
        match member.lease().standing() {
            Standing::Member { node, until } => runs_until.renew(node, until),
            Standing::Fenced => runs_until.end(),
        }
        let ahead = clock.machine_ahead();
        if !skewed && ahead.abs() > SKEWED {
            tracing::warn!(
                ahead,
                "the clock of this machine is not that of the database: the database's counts"
            );
        }
        skewed = ahead.abs() > SKEWED;
        changed.await;
    }
}
