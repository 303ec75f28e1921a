//! The writer: takes operations, commits them in groups, and goes on after every loss of the connection.

use std::{collections::VecDeque, fs::File, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};

use super::{
    activity::Activity,
    group::{Failure, Group, Needs},
    operation::Operation,
    operations::{expire, sweep},
};
use crate::{
    domain::Millis,
    store::{
        Now, StoreError,
        disk::CommitClock,
        postgres::{
            connection::{Connection, Query, Settings, args, query, text_of},
            open::{Member, leave, resume},
        },
    },
};

/// Operations in a group at most.
const GROUP: usize = 512;
/// A change that cannot be sent for this long is refused, unless it is patient.
const SENT_WITHIN: Duration = Duration::from_secs(5);
/// Records that other servers have left to remove are looked for this often.
const UPKEEP_EVERY: Duration = Duration::from_secs(60);
/// Entries whose time has passed that one commit removes.
const EXPIRED_AT_ONCE: i64 = 64;
/// Pauses between attempts to connect.
const PAUSES: (u64, u64) = (100, 5_000);

/// The last statement before each commit: it fails once this process is given up, tells that it lives, and
/// numbers the commit.
const FENCE: &str = "WITH f AS (UPDATE #node SET seq = $2, beat = beat + 1, seen = now()
      WHERE id = $1 AND gone IS NULL AND session = $3 RETURNING 1)
    SELECT 1 / (SELECT count(*) FROM f)";

/// A request to the writer.
pub(crate) enum Request {
    Work(Box<dyn Operation>),
    /// Ends the writer after the operations before it.
    Close(oneshot::Sender<Result<(), StoreError>>),
}

pub(crate) struct Writer {
    settings: Arc<Settings>,
    /// The lock on the data directory.
    _lock: Option<File>,
    /// The clock of tests, instead of the database's.
    now: Option<Now>,
    link: Option<Connection>,
    member: Member,
    activity: Activity,
    clock: Arc<CommitClock>,
    /// Whether the history of deleted tasks may be left to remove.
    garbage: bool,
    /// The earliest time at which an entry of handlers is no longer shown.
    expiry: Option<Millis>,
    /// Whether the process was given up: it writes nothing more.
    fenced: bool,
    /// The number from which the next pause is derived.
    chance: u64,
}

/// The end of an attempt at a group.
enum Attempt {
    Done,
    /// Another transaction came first.
    Again,
    /// The connection is lost; whether the commit may have been made.
    Lost {
        in_doubt: bool,
    },
    /// A statement fails however often it is sent.
    Wrong(StoreError),
}

/// The operations of a group.
type Waiting = VecDeque<Box<dyn Operation>>;

impl Writer {
    pub(crate) fn new(
        (settings, lock): (Arc<Settings>, Option<File>),
        now: Option<Now>,
        link: Connection,
        member: Member,
        activity: Activity,
        clock: Arc<CommitClock>,
    ) -> Self {
        let chance = u64::from_be_bytes(std::array::from_fn(|at| member.id.0[at + 8]));
        Self {
            settings,
            _lock: lock,
            now,
            link: Some(link),
            member,
            activity,
            clock,
            garbage: true,
            expiry: Some(Millis::MIN),
            fenced: false,
            chance,
        }
    }

    /// Serves requests until the store is closed.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut closing = None;
        let beat = Duration::from_millis(self.settings.lease / 6).min(Duration::from_secs(5));
        let (mut beaten, mut kept_up) = (Instant::now(), Instant::now());
        while closing.is_none() {
            let wait = if self.garbage { Duration::ZERO } else { beat.saturating_sub(beaten.elapsed()) };
            let first = match requests.try_recv() {
                Ok(request) => Some(request),
                Err(_) => match timeout(wait, requests.recv()).await {
                    Ok(None) => break,
                    Ok(request) => request,
                    Err(_) => None,
                },
            };
            let mut group = VecDeque::new();
            let mut next = first;
            while let Some(request) = next.take() {
                match request {
                    Request::Work(operation) => group.push_back(operation),
                    Request::Close(reply) => closing = Some(reply),
                }
                if group.len() < GROUP && closing.is_none() {
                    next = requests.try_recv().ok();
                }
            }
            if kept_up.elapsed() >= UPKEEP_EVERY {
                (self.garbage, self.expiry, kept_up) = (true, Some(Millis::MIN), Instant::now());
            }
            if !group.is_empty() || self.garbage || beaten.elapsed() >= beat {
                self.commit(group).await;
                beaten = Instant::now();
            }
        }
        requests.close();
        while let Ok(Request::Work(operation)) = requests.try_recv() {
            operation.fail(StoreError::Closed);
        }
        if let Some(link) = &self.link {
            leave(link, &self.member).await;
        }
        drop(self.link.take());
        if let Some(reply) = closing {
            let _ = reply.send(Ok(()));
        }
    }

    /// Commits a group, however often that takes.
    async fn commit(&mut self, mut group: Waiting) {
        let mut attempts: u32 = 0;
        while self.connected(&mut group).await {
            let begun = Instant::now();
            match self.attempt(&mut group).await {
                Attempt::Done => {
                    self.clock.add(begun.elapsed());
                    return group.into_iter().for_each(Operation::answer);
                }
                Attempt::Again if attempts < 100 => {
                    attempts += 1;
                    if attempts.is_multiple_of(4) {
                        // The fence fails too, once the process was given up.
                        self.link = None;
                    } else if attempts > 1 {
                        sleep(Duration::from_millis(5 + self.roll(45))).await;
                    }
                }
                Attempt::Again => {
                    let why = "other transactions come first again and again".to_owned();
                    return fail_all(group, &StoreError::Unavailable(why));
                }
                Attempt::Lost { in_doubt } => {
                    self.link = None;
                    if in_doubt && self.was_committed().await {
                        return group.into_iter().for_each(Operation::answer);
                    }
                }
                Attempt::Wrong(error) if group.len() <= 1 => {
                    if group.is_empty() {
                        tracing::error!(%error, "old records cannot be removed");
                        self.garbage = false;
                    }
                    return fail_all(group, &error);
                }
                Attempt::Wrong(_) => return self.commit_singly(group).await,
            }
        }
        let fenced = || StoreError::Fenced("another server has taken over the store".to_owned());
        let error = if self.fenced { fenced() } else { self.away() };
        fail_all(group, &error);
    }

    /// Commits operations one by one, since one of them makes the whole group fail.
    async fn commit_singly(&mut self, group: Waiting) {
        for operation in group {
            Box::pin(self.commit(VecDeque::from([operation]))).await;
        }
    }

    /// A number below another, so that servers do not try again all at once.
    fn roll(&mut self, below: u64) -> u64 {
        // The constants of Knuth's MMIX.
        self.chance =
            self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % below.max(1)
    }

    fn away(&self) -> StoreError {
        StoreError::Unavailable(format!("the database at {} is away", self.settings.shown()))
    }

    /// Waits for a connection. Refuses the operations that have waited too long; false once none is left.
    async fn connected(&mut self, group: &mut Waiting) -> bool {
        let (mut pause, longest) = PAUSES;
        let asked = !group.is_empty();
        loop {
            if self.fenced || self.link.as_ref().is_some_and(|link| !link.is_closed()) {
                return !self.fenced;
            }
            match self.reconnect().await {
                _ if self.fenced => return false,
                Ok(_) => return true,
                Err(error) => tracing::warn!(%error, "the store's connection is lost"),
            }
            sleep(Duration::from_millis(pause / 2 + self.roll(pause / 2 + 1))).await;
            pause = (pause * 2).min(longest);
            let (late, left): (Vec<_>, Vec<_>) = std::mem::take(group)
                .into_iter()
                .partition(|operation| !operation.is_patient() && operation.since().elapsed() > SENT_WITHIN);
            *group = left.into();
            fail_all(late.into(), &self.away());
            if group.is_empty() && (asked || pause == longest) {
                return false;
            }
        }
    }

    /// Connects, and sees to it that nothing sent over an earlier connection takes effect any more. Returns the
    /// number of the last commit.
    async fn reconnect(&mut self) -> Result<i64, StoreError> {
        let link = self.settings.connect().await?;
        let resumed = resume(&link, &mut self.member).await;
        let (seq, gone) = resumed.map_err(|error| StoreError::Unavailable(text_of(&error)))?;
        if gone && !self.fenced {
            self.fenced = true;
            tracing::error!("another server has taken over the store: this one writes nothing more");
        }
        if seq < self.member.seq {
            tracing::error!(
                last = self.member.seq,
                found = seq,
                "the database has lost acknowledged changes: runs may be doubled"
            );
        }
        self.link = Some(link);
        Ok(seq)
    }

    /// Whether the last commit, whose answer was lost, was made.
    async fn was_committed(&mut self) -> bool {
        let (mut pause, longest) = PAUSES;
        loop {
            match self.reconnect().await {
                Ok(seq) => {
                    let made = seq > self.member.seq;
                    self.member.seq = self.member.seq.max(seq);
                    return made;
                }
                Err(error) => tracing::warn!(%error, "it is not known whether a change was made"),
            }
            sleep(Duration::from_millis(pause / 2 + self.roll(pause / 2 + 1))).await;
            pause = (pause * 2).min(longest);
        }
    }

    async fn attempt(&mut self, operations: &mut Waiting) -> Attempt {
        let Some(link) = self.link.take() else { return Attempt::Lost { in_doubt: false } };
        let done = self.attempt_on(&link, operations).await;
        if !matches!(done, Attempt::Done) && link.batch("ROLLBACK").await.is_err() {
            // The connection is made anew.
            return match done {
                Attempt::Lost { in_doubt } => Attempt::Lost { in_doubt },
                _ => Attempt::Lost { in_doubt: false },
            };
        }
        self.link = Some(link);
        done
    }

    async fn attempt_on(&mut self, link: &Connection, operations: &mut Waiting) -> Attempt {
        let mut needs = Needs::default();
        for operation in operations.iter() {
            let Needs { tasks, names, claim } = operation.needs();
            needs.tasks.extend(tasks);
            needs.names.extend(names);
            if let Some((ahead, most)) = claim {
                let (farthest, sum) = needs.claim.unwrap_or_default();
                needs.claim = Some((ahead.max(farthest), sum + most));
            }
        }
        let deciding = async {
            let mut group = Group::begin(link, self.member, self.now.as_ref(), needs).await?;
            // The claims first: the due tasks are locked in their order.
            for claims in [true, false] {
                for operation in operations.iter_mut() {
                    if operation.needs().claim.is_some() == claims {
                        operation.run(&mut group).await?;
                    }
                }
            }
            let garbage = self.garbage && sweep(&mut group).await?;
            let expiry = match self.expiry {
                Some(time) if time <= group.now => expire(&mut group, EXPIRED_AT_ONCE).await?,
                other => other,
            };
            let (ends, activity) = group.count_ends(&self.activity).await?;
            let garbage = garbage || group.garbage;
            let mut queries: Vec<Query> = group.take_queries()?;
            queries.extend(ends);
            let seq = self.member.seq + 1;
            queries.push(query(FENCE, args![self.member.id, seq, self.member.session]));
            let expiry = expiry.into_iter().chain(group.expiry).min();
            Ok::<_, Failure>((queries, activity, (garbage, expiry), group.reload))
        };
        let (queries, activity, left, reload) = match deciding.await {
            Ok(decided) => decided,
            Err(failure) => return ended(failure, false),
        };
        match link.between(None, queries, Some("COMMIT")).await {
            Ok(_) => {
                self.member.seq += 1;
                self.activity = if reload {
                    Activity::load(link, self.member.slot).await.unwrap_or_default()
                } else {
                    activity
                };
                (self.garbage, self.expiry) = left;
                Attempt::Done
            }
            Err(error) => ended(Failure::Database(error), true),
        }
    }
}

fn fail_all(group: Waiting, error: &StoreError) {
    for operation in group {
        operation.fail(error.clone());
    }
}

/// The end of an attempt that a failure brings.
fn ended(failure: Failure, sent: bool) -> Attempt {
    let error = match failure {
        Failure::Again => return Attempt::Again,
        Failure::Refused(error) => return Attempt::Wrong(error),
        Failure::Database(error) => error,
    };
    let Some(found) = error.as_db_error() else {
        tracing::warn!(error = text_of(&error), "the store's connection failed");
        return Attempt::Lost { in_doubt: sent };
    };
    let code = found.code().code();
    match code {
        // Serialization, deadlock, a lock that was waited for too long, a version or the fence, a name.
        "40001" | "40P01" | "55P03" | "22012" | "23505" => Attempt::Again,
        // A plan of before a change of the tables.
        "0A000" | "26000" => Attempt::Lost { in_doubt: false },
        "53100" => Attempt::Wrong(StoreError::NoSpace { path: "the database".to_owned(), least: 0 }),
        _ if ["08", "57", "53", "25"].iter().any(|class| code.starts_with(class)) => {
            tracing::warn!(error = text_of(&error), "the database ends the store's connection");
            Attempt::Lost { in_doubt: sent }
        }
        _ => Attempt::Wrong(StoreError::Backend { doing: "write to the database", why: text_of(&error) }),
    }
}
