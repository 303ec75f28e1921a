//! Member: beats, takes part in declaring others gone, and joins anew when its own lease is over.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use ulid::Ulid;

use super::{FollowingClock, Lease, Observer, Ranks, Standing, stagger};
use crate::{
    clock::Clock,
    domain::{Millis, ids::NodeId, lock::lock},
    store::{Beat, NewNode, Shared, StoreError},
};

/// Between two tries to beat, in milliseconds.
const AGAIN_AFTER: Millis = 1000;
/// Between two beats at most, however long the lease is, in milliseconds: they bring words of the other nodes.
const BEATS: Millis = 10_000;

/// The settings of a node.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For people.
    pub name: String,
    /// The address of its API, if others can reach it.
    pub address: Option<String>,
    /// After this time without a beat, in milliseconds, a node is declared gone.
    pub lease: Millis,
    /// Between two looks for the changes of the other nodes, in milliseconds.
    pub poll: Millis,
    /// Runs at once at most.
    pub places: usize,
}

/// A process as one of many on a shared store.
pub struct Member {
    store: Arc<dyn Shared>,
    clock: Arc<FollowingClock>,
    lease: Lease,
    settings: Settings,
    /// The runs under way.
    busy: watch::Sender<usize>,
    ranks: Mutex<Ranks>,
    /// That of the last beat.
    session: AtomicU64,
    /// The words of the last beats that nobody has taken.
    words: Mutex<Option<Words>>,
    told: Notify,
    /// Ends the rest before the next beat.
    hurry: Notify,
}

/// The words that a beat has brought for the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// Whether there may be executions that nobody runs any more.
    pub abandoned: bool,
    /// Whether tasks may wait for a process to attend to them.
    pub unattended: bool,
    /// Whether this node is to take no new runs.
    pub drained: bool,
}

impl Member {
    /// A process that has not joined yet.
    #[must_use]
    pub fn new(store: Arc<dyn Shared>, clock: Arc<FollowingClock>, settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            store,
            lease: Lease::new(clock.clone()),
            clock,
            settings,
            busy: watch::channel(0).0,
            ranks: Mutex::default(),
            session: AtomicU64::default(),
            words: Mutex::default(),
            told: Notify::new(),
            hurry: Notify::new(),
        })
    }

    /// The store that it shares.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Shared> {
        &self.store
    }

    /// Its lease.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Milliseconds since the machine started: the clock of the lease.
    #[must_use]
    pub fn boot(&self) -> Millis {
        self.clock.boot()
    }

    /// The time between two looks for the changes of the other nodes.
    #[must_use]
    pub fn poll(&self) -> Duration {
        Duration::from_millis(self.settings.poll.max(0).unsigned_abs())
    }

    /// The nodes that live, this one included, by the last beat.
    #[must_use]
    pub fn nodes(&self) -> usize {
        lock(&self.ranks).count()
    }

    /// Notes the number of runs under way.
    pub fn note_busy(&self, busy: usize) {
        self.busy.send_replace(busy);
    }

    /// The milliseconds that this node waits before it looks at a task that becomes due at this time, so that
    /// not all nodes look at once.
    #[must_use]
    pub fn stagger(&self, due: Millis) -> Millis {
        stagger(lock(&self.ranks).of(due), *self.busy.borrow(), self.settings.places)
    }

    /// Waits for the words of the next beat.
    pub async fn words(&self) -> Words {
        loop {
            self.told.notified().await;
            if let Some(words) = lock(&self.words).take() {
                return words;
            }
        }
    }

    /// Beats as soon as possible.
    pub fn beat_soon(&self) {
        self.hurry.notify_one();
    }

    /// Ends the start of the process: what the store does not answer fails from now on.
    pub fn end_start(&self) {
        self.store.end_start();
    }

    /// Joins, as a new node.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn join(&self) -> Result<(), StoreError> {
        let time = self.clock.now().max(0).unsigned_abs();
        let Settings { name, address, places, .. } = self.settings.clone();
        let id = NodeId(Ulid::from_parts(time, self.clock.bits()));
        let build = env!("CARGO_PKG_VERSION").to_owned();
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        self.store.join(NewNode { id, name, address, build, places }).await?;
        tracing::info!(node = %id, "this process has joined the store");
        self.beat(&mut Observer::new(self.settings.lease)).await
    }

    /// Beats until a stop. A lease that is over ends the runs of this process, which then joins anew.
    pub async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => {}
            never = self.stay() => never,
        }
    }

    async fn stay<T>(&self) -> T {
        let mut observer = Observer::new(self.settings.lease);
        loop {
            let wait = match self.lease.standing() {
                Standing::Member { until, .. } => self.beat_within(until, &mut observer).await,
                _ => {
                    self.lease.end();
                    observer.forget();
                    match self.join().await {
                        Ok(()) => 0,
                        Err(error) => {
                            tracing::warn!(%error, "this process cannot join yet");
                            AGAIN_AFTER
                        }
                    }
                }
            };
            self.rest(wait).await;
        }
    }

    /// Beats before the end of the lease. Returns the wait before the next beat.
    async fn beat_within(&self, until: Millis, observer: &mut Observer) -> Millis {
        let left = until - self.clock.boot();
        match timeout(Duration::from_millis(left.max(0).unsigned_abs()), self.beat(observer)).await {
            Ok(Ok(())) => (self.settings.lease / 6).min(BEATS),
            Ok(Err(StoreError::Fenced(why))) => {
                tracing::error!(why, "this node was declared gone: its runs end, and it joins anew");
                self.lease.end();
                0
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "this node cannot tell that it lives");
                AGAIN_AFTER
            }
            Err(_) => {
                tracing::error!("the lease of this node is over: its runs end, and it joins anew");
                self.lease.end();
                0
            }
        }
    }

    /// Rests, but not beyond the end of the lease, and not if somebody waits for the next beat. A node that is gone beats
    /// to learn it: until then it holds itself to be ready.
    async fn rest(&self, wait: Millis) {
        let left = match self.lease.standing() {
            Standing::Member { until, .. } => wait.min(until - self.clock.boot()),
            _ => wait,
        };
        let rested = sleep(Duration::from_millis(left.max(0).unsigned_abs()));
        tokio::select! {
            () = self.hurry.notified() => {}
            _ = self.store.gone() => {}
            () = rested => {}
        }
    }

    /// Beats once, and declares nodes gone that are silent.
    async fn beat(&self, observer: &mut Observer) -> Result<(), StoreError> {
        let sent = self.clock.boot();
        let busy = u32::try_from(*self.busy.borrow()).unwrap_or(u32::MAX);
        let Beat { now, nodes, mut abandoned, unattended, drained, session } = self.store.beat(busy).await?;
        let Some(me) = self.store.node() else { return Ok(()) };
        let received = self.clock.boot();
        self.clock.add(sent, now, received);
        let Settings { lease, .. } = self.settings;
        let margin = (lease / 6).max(1000).min(lease / 2);
        if !self.lease.renew(me, sent + lease - margin) {
            return Err(StoreError::Fenced("its lease was over before the store answered".to_owned()));
        }
        *lock(&self.ranks) = Ranks::new(me, &nodes);
        let others: Vec<_> = nodes.into_iter().filter(|node| node.id != me).collect();
        if self.session.swap(session, Ordering::Relaxed) != session {
            // The others may have lost their way too, and a copy of the store may have older counts of their beats.
            observer.forget();
        }
        for (node, beat) in observer.look(&others, received) {
            let why = format!("it has not told for {} s that it lives", lease / 1000);
            if self.store.give_up(node, beat, why).await? {
                tracing::warn!(%node, "a node is silent and is declared gone: its executions are lost");
                abandoned = true;
            }
        }
        self.tell(Words { abandoned, unattended, drained });
        Ok(())
    }

    fn tell(&self, words: Words) {
        let mut told = lock(&self.words);
        let (abandoned, unattended) = told.map_or((false, false), |old| (old.abandoned, old.unattended));
        *told = Some(Words {
            abandoned: abandoned || words.abandoned,
            unattended: unattended || words.unattended,
            drained: words.drained,
        });
        drop(told);
        self.told.notify_one();
    }
}
