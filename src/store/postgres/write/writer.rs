//! The writer: takes operations, commits them in groups, and goes on after every loss of the connection.

use std::{collections::VecDeque, sync::Arc, time::Duration};

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
        NewNode, Now, StoreError,
        directory::Lock,
        disk::CommitClock,
        postgres::{
            connection::{Connection, Query, Settings, args, query, text_of},
            open::{Member, resume},
            share::Identity,
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
const FENCE: &str =
    "WITH f AS (UPDATE #node SET seq = $2, beat = beat + 1, seen = $4, busy = coalesce($5, busy)
      WHERE id = $1 AND gone IS NULL AND session = $3 RETURNING 1)
    SELECT 1 / (SELECT count(*) FROM f)";

/// A request to the writer.
pub(crate) enum Request {
    Work(Box<dyn Operation>),
    /// Makes this process a new node.
    Join(Box<NewNode>, Reply),
    /// Ends the writer after the operations before it.
    Close(Reply),
}

/// The request behind a group.
enum Last {
    Join(Box<NewNode>, Reply),
    Close(Reply),
}

type Reply = oneshot::Sender<Result<(), StoreError>>;

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
    pub(super) activity: Activity,
    clock: Arc<CommitClock>,
    /// Whether the history of deleted tasks may be left to remove.
    garbage: bool,
    /// The earliest time at which an entry of handlers is no longer shown.
    expiry: Option<Millis>,
    /// Why this process writes nothing: it has not joined yet, or was given up.
    pub(super) fenced: Option<String>,
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
            activity: Activity::default(),
            clock,
            garbage: true,
            expiry: Some(Millis::MIN),
            fenced: Some("it has not joined yet".to_owned()),
            chance: ulid::Ulid::generate().random() as u64,
        }
    }

    /// Serves requests until the store is closed.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut last = None;
        let mut kept_up = Instant::now();
        while !matches!(last, Some(Last::Close(_))) {
            let left = UPKEEP_EVERY.saturating_sub(kept_up.elapsed());
            let wait = if self.has_upkeep() { Duration::ZERO } else { left };
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
                    Request::Join(node, reply) => last = Some(Last::Join(node, reply)),
                    Request::Close(reply) => last = Some(Last::Close(reply)),
                }
                if group.len() < GROUP && last.is_none() {
                    next = requests.try_recv().ok();
                }
            }
            if kept_up.elapsed() >= UPKEEP_EVERY {
                (self.garbage, self.expiry, kept_up) = (true, Some(Millis::MIN), Instant::now());
            }
            if !group.is_empty() || self.has_upkeep() {
                self.commit(group).await;
            }
            if let Some(Last::Join(node, reply)) = last.take_if(|last| matches!(last, Last::Join(..))) {
                // The caller may have dropped the answer: its next try makes another node.
                let _ = reply.send(self.join(&node).await);
            }
        }
        requests.close();
        while let Ok(request) = requests.try_recv() {
            match request {
                Request::Work(operation) => operation.fail(StoreError::Closed),
                Request::Join(_, reply) | Request::Close(reply) => {
                    let _ = reply.send(Err(StoreError::Closed));
                }
            }
        }
        self.leave().await;
        drop(self.link.take());
        if let Some(Last::Close(reply)) = last {
            let _ = reply.send(Ok(()));
        }
    }

    /// Whether there may be old records to remove. A process that is fenced removes none.
    fn has_upkeep(&self) -> bool {
        self.garbage && self.fenced.is_none()
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
        let error = self.fenced.clone().map_or_else(|| self.away(), StoreError::Fenced);
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
            if self.fenced.is_some() || self.link.as_ref().is_some_and(|link| !link.is_closed()) {
                return self.fenced.is_none();
            }
            match self.reconnect().await {
                _ if self.fenced.is_some() => return false,
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
        let Some(member) = &mut self.member else { return Ok(0) };
        let resumed = resume(&link, member).await;
        let (seq, gone) = resumed.map_err(|error| StoreError::Unavailable(text_of(&error)))?;
        if let Some(why) = gone
            && self.fenced.is_none()
        {
            tracing::error!(why, "this node was declared gone: it writes nothing more");
            self.fenced = Some(why);
        }
        if seq < member.seq {
            tracing::error!(
                last = member.seq,
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
                    let Some(member) = &mut self.member else { return false };
                    let made = seq > member.seq;
                    member.seq = member.seq.max(seq);
                    return made;
                }
                Err(error) => tracing::warn!(%error, "it is not known whether a change was made"),
            }
            sleep(Duration::from_millis(pause / 2 + self.roll(pause / 2 + 1))).await;
            pause = (pause * 2).min(longest);
        }
    }

    async fn attempt(&mut self, operations: &mut Waiting) -> Attempt {
        let (Some(link), Some(member)) = (self.link.take(), self.member) else {
            return Attempt::Lost { in_doubt: false };
        };
        let done = self.attempt_on(&link, member, operations).await;
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

    async fn attempt_on(&mut self, link: &Connection, member: Member, operations: &mut Waiting) -> Attempt {
        let mut needs = Needs::default();
        for operation in operations.iter() {
            let Needs { tasks, output_of, names, claim } = operation.needs();
            needs.tasks.extend(tasks);
            needs.output_of.extend(output_of);
            needs.names.extend(names);
            if let Some((ahead, most)) = claim {
                let (farthest, sum) = needs.claim.unwrap_or_default();
                needs.claim = Some((ahead.max(farthest), sum + most));
            }
        }
        let deciding = async {
            let mut group = Group::begin(link, member, self.now.as_ref(), needs).await?;
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
            let (seq, session) = (member.seq + 1, member.session);
            queries.push(query(FENCE, args![member.id, seq, session, group.now, group.busy]));
            let expiry = expiry.into_iter().chain(group.expiry).min();
            Ok::<_, Failure>((queries, activity, (garbage, expiry), group.reload))
        };
        let (queries, activity, left, reload) = match deciding.await {
            Ok(decided) => decided,
            Err(failure) => return ended(failure, false),
        };
        match link.between(None, queries, Some("COMMIT")).await {
            Ok(_) => {
                self.member = Some(Member { seq: member.seq + 1, ..member });
                self.activity = if reload {
                    Activity::load(link, member.slot).await.unwrap_or_default()
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
