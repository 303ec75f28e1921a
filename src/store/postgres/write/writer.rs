//! The writer: commits operations in groups, and goes on after every loss of the connection.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{
    activity::Activity,
    attempt::Attempt,
    group::{Failure, Group, Needs},
    inbox::{Inbox, Request, Waiting, fail_all},
    operation::Operation,
    operations::{expire, sweep},
};
use crate::{
    domain::Millis,
    store::{
        Hint, Now, StoreError,
        disk::{CommitClock, directory::Lock},
        postgres::{
            connection::{Connection, Query, Settings, args, query},
            open::Member,
            share::Identity,
        },
    },
};

/// Records that other servers have left to remove are looked for this often.
const UPKEEP_EVERY: Duration = Duration::from_secs(60);
/// Entries whose time has passed that one commit removes.
const EXPIRED_AT_ONCE: i64 = 64;
/// Pauses between attempts to connect.
const PAUSES: (u64, u64) = (100, 5_000);
/// A connection over which a group is not committed within this time is dead.
const COMMITTED_WITHIN: Duration = Duration::from_secs(15);
/// The time limit of an import, whose completion looks at every record.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// A group that is not committed after so many attempts is committed one by one.
const ATTEMPTS: u32 = 8;
/// A store that is closed waits this long to say so to the database.
const LEFT_WITHIN: Duration = Duration::from_secs(1);

/// The last statement before each commit: it fails once this process is given up or its last commit is lost, tells
/// that it lives, and numbers the commit.
const FENCE: &str =
    "WITH f AS (UPDATE #node SET seq = $2, beat = beat + 1, seen = $4, busy = coalesce($5, busy)
      WHERE id = $1 AND gone IS NULL AND session = $3 AND seq = $2 - 1 RETURNING 1)
    SELECT 1 / (SELECT count(*) FROM f)";

pub(crate) struct Writer {
    pub(super) settings: Arc<Settings>,
    /// The lock on the data directory.
    _lock: Option<Lock>,
    /// The clock of tests, instead of the database's.
    pub(super) now: Option<Now>,
    pub(super) link: Option<Connection>,
    /// The node that this process is; `None` before it has joined.
    pub(super) member: Option<Member>,
    /// The same, for callers.
    pub(super) identity: Identity,
    /// The present activity; `None` if it is to be read.
    pub(super) activity: Option<Activity>,
    clock: Arc<CommitClock>,
    /// Whether the history of deleted tasks may be left to remove.
    pub(super) garbage: bool,
    /// The earliest time at which an entry of handlers is no longer shown.
    pub(super) expiry: Option<Millis>,
    /// The store's time at the last commit.
    pub(super) time: Millis,
    /// Whether the commit of the present attempt was sent.
    sent: bool,
    /// Whether a commit whose answer was lost was made.
    pub(super) made: bool,
    /// Why this process writes nothing: it has not joined yet, or was given up.
    pub(super) fenced: Option<String>,
    /// The number from which the next pause is derived.
    chance: u64,
}

/// The writes of a group, and the state of the writer after its commit.
struct Decided {
    queries: Vec<Query>,
    activity: Option<Activity>,
    garbage: bool,
    expiry: Option<Millis>,
    time: Millis,
    /// Whether executions of other nodes are to end.
    wishes: bool,
}

impl Writer {
    pub(crate) fn new(
        (settings, lock): (Arc<Settings>, Option<Lock>),
        now: Option<Now>,
        link: Connection,
        identity: Identity,
        clock: Arc<CommitClock>,
    ) -> Self {
        Self {
            settings,
            _lock: lock,
            now,
            link: Some(link),
            member: None,
            identity,
            activity: None,
            clock,
            garbage: true,
            expiry: Some(Millis::MIN),
            time: Millis::MIN,
            sent: false,
            made: false,
            fenced: Some("it has not joined yet".to_owned()),
            chance: ulid::Ulid::generate().random() as u64,
        }
    }

    /// Serves requests until the store is closed.
    pub(crate) async fn run(mut self, requests: mpsc::Receiver<Request>) {
        let mut inbox = Inbox::new(requests, &self.settings.shown());
        self.serve(&mut inbox).await;
        let _ = timeout(LEFT_WITHIN, self.leave()).await;
        inbox.end();
    }

    async fn serve(&mut self, inbox: &mut Inbox) {
        let mut kept_up = Instant::now();
        while !inbox.is_over() && !inbox.is_late() {
            let free = self.is_untidy() && inbox.is_empty();
            inbox.wait(if free { Instant::now() } else { kept_up + UPKEEP_EVERY }).await;
            if kept_up.elapsed() >= UPKEEP_EVERY {
                (self.garbage, self.expiry, kept_up) = (true, Some(Millis::MIN), Instant::now());
            }
            if let Some(why) = &self.fenced {
                inbox.refuse(&StoreError::Fenced(why.clone()));
            }
            let group = inbox.next_group();
            if !group.is_empty() {
                self.commit(group, inbox).await;
            }
            if let Some((node, reply)) = inbox.take_join() {
                // The caller may have dropped the answer: its next try makes another node.
                let joined = inbox.during(timeout(COMMITTED_WITHIN, self.join(&node))).await;
                let away = |_| Err(inbox.away());
                let _ =
                    reply.send(joined.map_or(Err(StoreError::Closed), |joined| joined.unwrap_or_else(away)));
            }
            if self.is_untidy() {
                self.tidy(inbox).await;
            }
        }
    }

    /// Commits a group. An operation that cannot be committed is put aside.
    async fn commit(&mut self, mut group: Waiting, inbox: &mut Inbox) {
        let (mut attempts, mut in_doubt, mut why) = (0, false, "");
        loop {
            let connected = self.connected(inbox, &mut group, in_doubt).await;
            if in_doubt && self.made {
                inbox.committed();
                return group.into_iter().for_each(Operation::answer);
            }
            if !connected {
                return fail_all(group, &self.end());
            }
            if attempts >= ATTEMPTS {
                return self.split(group, inbox, why).await;
            }
            let begun = Instant::now();
            in_doubt = false;
            match self.attempt_in_time(&mut group, inbox).await {
                None => return fail_all(group, &StoreError::Closed),
                Some(Attempt::Done) => {
                    self.clock.add(begun.elapsed());
                    inbox.committed();
                    return group.into_iter().for_each(Operation::answer);
                }
                Some(Attempt::Again) => (attempts, why) = (attempts + 1, "other transactions come first"),
                // Each costs a while, in which the other operations wait.
                Some(Attempt::Locked) => {
                    (attempts, why) = (attempts + ATTEMPTS / 2, "another transaction has the record");
                    attempts = if group.len() == 1 { ATTEMPTS } else { attempts };
                }
                Some(Attempt::Lost { in_doubt: sent }) => {
                    (attempts, why) =
                        (attempts + 1, "the connection to the database is lost again and again");
                    (self.link, in_doubt) = (None, sent);
                }
                Some(Attempt::Wrong(error)) if group.len() <= 1 => return fail_all(group, &error),
                Some(Attempt::Wrong(_)) => return self.split(group, inbox, why).await,
            }
            if attempts == ATTEMPTS / 2 {
                // The fence fails too, once the process was given up.
                self.link = None;
            }
            if attempts > 1 && attempts < ATTEMPTS {
                let _ = inbox.during(sleep(Duration::from_millis(5 + self.roll(45)))).await;
            }
        }
    }

    /// Commits operations one by one, since one of them makes the whole group fail. One alone is put aside.
    async fn split(&mut self, mut group: Waiting, inbox: &mut Inbox, why: &str) {
        if group.len() == 1 {
            return group.into_iter().for_each(|operation| inbox.put_aside(operation, why));
        }
        while let Some(operation) = group.pop_front() {
            if let Err(operation) = inbox.follow(operation) {
                Box::pin(self.commit(Waiting::from([operation]), inbox)).await;
            }
        }
    }

    /// Removes a part of the records that are no longer shown, apart from operations, which it must not delay.
    async fn tidy(&mut self, inbox: &mut Inbox) {
        if !self.connected(inbox, &mut Waiting::new(), false).await {
            return;
        }
        match inbox.during(timeout(COMMITTED_WITHIN, self.attempt(&mut Waiting::new(), true))).await {
            Some(Ok(Attempt::Done)) => inbox.committed(),
            Some(Ok(Attempt::Lost { .. }) | Err(_)) | None => self.link = None,
            Some(Ok(Attempt::Again | Attempt::Locked)) => (self.garbage, self.expiry) = (false, None),
            Some(Ok(Attempt::Wrong(error))) => {
                tracing::error!(%error, "old records cannot be removed");
                (self.garbage, self.expiry) = (false, None);
            }
        }
    }

    /// Whether records are to be removed that are no longer shown. A process that is fenced removes none.
    fn is_untidy(&self) -> bool {
        self.fenced.is_none() && (self.garbage || self.expiry.is_some_and(|expiry| expiry <= self.time))
    }

    /// A number below another, so that servers do not try again all at once.
    fn roll(&mut self, below: u64) -> u64 {
        // The constants of Knuth's MMIX.
        self.chance =
            self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % below.max(1)
    }

    /// The error of operations that are not made, since this process writes nothing more.
    fn end(&self) -> StoreError {
        self.fenced.clone().map_or(StoreError::Closed, StoreError::Fenced)
    }

    /// Waits for a connection; false once the process is given up, or the store closed for long. Operations that
    /// wait too long are refused, those of a group only if it was not committed.
    async fn connected(&mut self, inbox: &mut Inbox, group: &mut Waiting, in_doubt: bool) -> bool {
        if self.is_connected() {
            return true;
        }
        if !in_doubt {
            inbox.hold(group);
        }
        let (mut pause, longest) = PAUSES;
        while self.fenced.is_none() && !self.is_connected() {
            let failed = match inbox.during(timeout(COMMITTED_WITHIN, self.reconnect())).await {
                Some(Ok(Ok(()))) => continue,
                Some(Ok(Err(error))) => error,
                Some(Err(_)) => inbox.away(),
                None => break,
            };
            tracing::warn!(error = %failed, in_doubt, "the store's connection is lost");
            if inbox.is_over() && !in_doubt {
                break;
            }
            let pausing = sleep(Duration::from_millis(pause / 2 + self.roll(pause / 2 + 1)));
            if inbox.during(pausing).await.is_none() {
                break;
            }
            pause = (pause * 2).min(longest);
        }
        if !in_doubt {
            inbox.give_back(group);
        }
        self.is_connected()
    }

    fn is_connected(&self) -> bool {
        self.fenced.is_none() && self.link.as_ref().is_some_and(|link| !link.is_closed())
    }

    /// Attempts to commit a group, within a time after which the connection counts as dead. `None` once the store
    /// is closed for long.
    async fn attempt_in_time(&mut self, group: &mut Waiting, inbox: &mut Inbox) -> Option<Attempt> {
        let is_long = group.iter().any(|operation| operation.is_long());
        let most = if is_long { LONGEST } else { COMMITTED_WITHIN };
        let done = inbox.during(timeout(most, self.attempt(group, false))).await?;
        Some(done.unwrap_or_else(|_| {
            tracing::warn!("the database does not answer: the store's connection is made anew");
            Attempt::Lost { in_doubt: self.sent }
        }))
    }

    /// Attempts to commit a group, or to remove old records.
    async fn attempt(&mut self, operations: &mut Waiting, tidies: bool) -> Attempt {
        (self.sent, self.made) = (false, false);
        let (Some(link), Some(member)) = (self.link.take(), self.member) else {
            return Attempt::Lost { in_doubt: false };
        };
        let done = self.attempt_on(&link, member, operations, tidies).await;
        let is_open = !matches!(done, Attempt::Done) && !self.sent;
        if is_open && link.batch("ROLLBACK").await.is_err() {
            // The connection is made anew.
            return match done {
                Attempt::Lost { in_doubt } => Attempt::Lost { in_doubt },
                _ => Attempt::Lost { in_doubt: false },
            };
        }
        self.link = Some(link);
        done
    }

    async fn attempt_on(
        &mut self,
        link: &Connection,
        member: Member,
        operations: &mut Waiting,
        tidies: bool,
    ) -> Attempt {
        let decided = match self.decide(link, member, operations, tidies).await {
            Ok(decided) => decided,
            Err(failure) => return Attempt::of(failure, false),
        };
        // Once it is sent, the transaction has ended however it is answered.
        let ready = match link.prepare(decided.queries).await {
            Ok(ready) => ready,
            Err(error) => return Attempt::of(error.into(), false),
        };
        self.sent = true;
        match link.send(None, ready, Some("COMMIT")).await {
            Ok(_) => {
                self.member = Some(Member { seq: member.seq + 1, ..member });
                (self.activity, self.time) = (decided.activity, decided.time);
                (self.garbage, self.expiry) = (decided.garbage, decided.expiry);
                if decided.wishes {
                    self.identity.tell(Hint::Wish);
                }
                Attempt::Done
            }
            Err(error) => Attempt::of(Failure::Database(error), true),
        }
    }

    /// Begins a transaction and runs the operations in it.
    async fn decide(
        &mut self,
        link: &Connection,
        member: Member,
        operations: &mut Waiting,
        tidies: bool,
    ) -> Result<Decided, Failure> {
        if self.activity.is_none() {
            self.activity = Some(Activity::load(link, member.slot).await?);
        }
        let mut group = Group::begin(link, member, self.now.as_ref(), needs_of(operations)).await?;
        // The claims first: the due tasks are locked in their order.
        for claims in [true, false] {
            for operation in operations.iter_mut() {
                if operation.needs().claim.is_some() == claims {
                    operation.run(&mut group).await?;
                }
            }
        }
        let (mut garbage, mut expiry) = (self.garbage, self.expiry);
        if tidies {
            garbage = sweep(&mut group).await?;
            expiry = expire(&mut group, EXPIRED_AT_ONCE).await?;
        }
        let before = self.activity.clone().unwrap_or_default();
        let (ends, activity) = group.count_ends(&before).await?;
        let mut queries = group.take_queries()?;
        queries.extend(ends);
        let (seq, session) = (member.seq + 1, member.session);
        queries.push(query(FENCE, args![member.id, seq, session, group.now, group.busy]));
        Ok(Decided {
            queries,
            activity: Some(activity).filter(|_| !group.reload),
            garbage: garbage || group.garbage,
            expiry: expiry.into_iter().chain(group.expiry).min(),
            time: group.now,
            wishes: group.wishes,
        })
    }
}

/// The records that any of the operations looks at first.
fn needs_of(operations: &Waiting) -> Needs {
    let mut all = Needs::default();
    for operation in operations {
        let Needs { tasks, output_of, names, claim, .. } = operation.needs();
        all.tasks.extend(tasks);
        all.output_of.extend(output_of);
        all.names.extend(names);
        if let Some((ahead, most)) = claim {
            let (farthest, sum) = all.claim.unwrap_or_default();
            all.claim = Some((ahead.max(farthest), sum + most));
        }
    }
    all.is_long = operations.iter().any(|operation| operation.is_long());
    all
}
