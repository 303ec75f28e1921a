//! The inbox: requests are taken in while the writer works, so that none waits longer than it may.
//!
//! ```text
//! requests ─► fresh ─► groups ─► the writer
//!               ▲                   │ fails alone
//!               └──── aside ◄───────┘
//! ```
//! An operation that others keep from its turn is put aside, so that the others go on. Operations on the same
//! tasks are put aside behind it: they keep their order.

use std::{collections::VecDeque, future::Future, pin::pin, time::Duration};

use tokio::{
    select,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

use super::operation::Operation;
use crate::store::{NewNode, StoreError};

/// Operations in a group at most.
const GROUP: usize = 512;
/// A change that cannot be sent for this long is refused, unless it is patient.
const SENT_WITHIN: Duration = Duration::from_secs(5);
/// Operations that have waited too long are looked for this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A store that is closed waits this long for its last operations.
const ENDS_WITHIN: Duration = Duration::from_secs(8);
/// An operation that fails alone is given up after so many attempts, or after this time.
const GIVEN_UP_AFTER: (u32, Duration) = (100, Duration::from_secs(30));
/// The pauses of an operation that is put aside.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// A request to the writer.
pub(crate) enum Request {
    Work(Box<dyn Operation>),
    /// Makes this process a new node.
    Join(Box<NewNode>, Reply),
    /// Ends the writer after the operations before it.
    Close(Reply),
}

/// The way of an answer without a value.
pub(super) type Reply = oneshot::Sender<Result<(), StoreError>>;

/// The operations of a group.
pub(super) type Waiting = VecDeque<Box<dyn Operation>>;

/// An operation that is tried alone, later.
struct Aside {
    operation: Box<dyn Operation>,
    tries: u32,
    since: Instant,
    again: Instant,
}

pub(super) struct Inbox {
    requests: mpsc::Receiver<Request>,
    /// A group that waits for a connection.
    held: Waiting,
    fresh: Waiting,
    aside: VecDeque<Aside>,
    join: Option<(Box<NewNode>, Reply)>,
    /// The attempts of the operation that was aside and has its turn.
    tried: Option<(u32, Instant)>,
    /// Who waits for the end.
    closing: Option<Reply>,
    /// The time until which the last operations may take, once no further request comes.
    ends: Option<Instant>,
    looked: Instant,
    /// When a group was committed last.
    committed: Instant,
    /// The text of a refusal.
    away: String,
}

impl Inbox {
    pub(super) fn new(requests: mpsc::Receiver<Request>, place: &str) -> Self {
        let now = Instant::now();
        Self {
            requests,
            held: VecDeque::new(),
            fresh: VecDeque::new(),
            aside: VecDeque::new(),
            join: None,
            tried: None,
            closing: None,
            ends: None,
            looked: now,
            committed: now,
            away: format!("the database at {place} is away"),
        }
    }

    /// Waits for an operation, until a time at most.
    pub(super) async fn wait(&mut self, until: Instant) {
        let moments = self.aside.iter().map(|aside| aside.again).chain(self.ends);
        let until = moments.fold(until, Instant::min);
        if self.fresh.is_empty() && self.join.is_none() {
            if self.ends.is_some() {
                sleep_until(until).await;
            } else if let Ok(request) = timeout_at(until, self.requests.recv()).await {
                self.take_in(request);
            }
        }
        while self.ends.is_none()
            && let Ok(request) = self.requests.try_recv()
        {
            self.take_in(Some(request));
        }
    }

    /// Does work, and takes in requests meanwhile. `None` once the store is closed and the work takes too long.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let open = self.ends.is_none();
            select! {
                biased;
                done = &mut work => return Some(done),
                request = self.requests.recv(), if open => self.take_in(request),
                () = sleep_until(self.looked + LOOK_EVERY) => {
                    self.looked = Instant::now();
                    if self.committed.elapsed() > SENT_WITHIN {
                        self.refuse_late();
                    }
                }
            }
            if self.is_late() {
                return None;
            }
        }
    }

    fn take_in(&mut self, request: Option<Request>) {
        match request {
            Some(Request::Work(operation)) => return self.fresh.push_back(operation),
            Some(Request::Join(node, reply)) => return self.join = Some((node, reply)),
            Some(Request::Close(reply)) => self.closing = Some(reply),
            None => {}
        }
        self.ends = Some(Instant::now() + ENDS_WITHIN);
    }

    /// Refuses the changes that have waited too long.
    fn refuse_late(&mut self) {
        let away = self.away();
        for aside in take_if(&mut self.aside, |aside| is_late(&*aside.operation)) {
            aside.operation.fail(away.clone());
        }
        for waiting in [&mut self.held, &mut self.fresh] {
            fail_all(take_if(waiting, |operation| is_late(&**operation)), &away);
        }
    }

    /// Refuses all operations that wait.
    pub(super) fn refuse(&mut self, error: &StoreError) {
        fail_all(std::mem::take(&mut self.fresh), error);
        fail_all(self.aside.drain(..).map(|aside| aside.operation).collect(), error);
    }

    /// Holds a group while there is no connection, so that its operations do not wait too long.
    pub(super) fn hold(&mut self, group: &mut Waiting) {
        self.held = std::mem::take(group);
    }

    /// Gives back the operations that are held.
    pub(super) fn give_back(&mut self, group: &mut Waiting) {
        *group = std::mem::take(&mut self.held);
    }

    /// Takes the request to make the process a node.
    pub(super) fn take_join(&mut self) -> Option<(Box<NewNode>, Reply)> {
        self.join.take()
    }

    pub(super) fn away(&self) -> StoreError {
        StoreError::Unavailable(self.away.clone())
    }

    /// Notes that a group was committed.
    pub(super) fn committed(&mut self) {
        (self.committed, self.tried) = (Instant::now(), None);
    }

    /// Whether the store is closed and its last operations take too long.
    pub(super) fn is_late(&self) -> bool {
        self.ends.is_some_and(|ends| ends <= Instant::now())
    }

    /// Whether no operation waits.
    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.aside.is_empty()
    }

    /// Whether no operation waits and none will come.
    pub(super) fn is_over(&self) -> bool {
        self.ends.is_some() && self.is_empty() && self.held.is_empty()
    }

    /// Takes the operations that have their turn.
    pub(super) fn next_group(&mut self) -> Waiting {
        let now = Instant::now();
        let first = self.aside.iter().zip(0..).find(|(aside, place)| {
            aside.again <= now && !self.aside.iter().take(*place).any(|other| meet(other, &*aside.operation))
        });
        // After an operation that was aside, others come first.
        let turn = first.map(|(_, place)| place).filter(|_| self.tried.is_none() || self.fresh.is_empty());
        self.tried = None;
        if let Some(aside) = turn.and_then(|place| self.aside.remove(place)) {
            self.tried = Some((aside.tries, aside.since));
            return VecDeque::from([aside.operation]);
        }
        let mut group = VecDeque::new();
        while group.len() < GROUP
            && let Some(operation) = self.fresh.pop_front()
        {
            if let Err(operation) = self.follow(operation) {
                if operation.is_long() && !group.is_empty() {
                    self.fresh.push_front(operation);
                    break;
                }
                group.push_back(operation);
                if group.back().is_some_and(|operation| operation.is_long()) {
                    break;
                }
            }
        }
        group
    }

    /// Puts an operation behind those that are aside, if it is about the same tasks. Returns any other.
    pub(super) fn follow(&mut self, operation: Box<dyn Operation>) -> Result<(), Box<dyn Operation>> {
        if !self.aside.iter().any(|aside| meet(aside, &*operation)) {
            return Err(operation);
        }
        let now = Instant::now();
        self.aside.push_back(Aside { operation, tries: 0, since: now, again: now });
        Ok(())
    }

    /// Puts aside an operation that cannot be committed now, or gives it up after a while.
    pub(super) fn put_aside(&mut self, operation: Box<dyn Operation>, why: &str) {
        let now = Instant::now();
        let (tries, since) = self.tried.unwrap_or((0, now));
        let tries = tries + 1;
        let (most, longest) = GIVEN_UP_AFTER;
        if is_late(&*operation) || tries >= most || since.elapsed() > longest {
            return operation.fail(StoreError::Unavailable(why.to_owned()));
        }
        let (shortest, longest) = PAUSES;
        let again = now + (shortest * tries).min(longest);
        // Those about the same tasks come after it.
        self.aside.push_front(Aside { operation, tries, since, again });
    }

    /// Refuses whatever is left, and answers who waits for the end.
    pub(super) fn end(mut self) {
        self.requests.close();
        while let Ok(request) = self.requests.try_recv() {
            match request {
                Request::Work(operation) => self.fresh.push_back(operation),
                Request::Join(node, reply) => self.join = Some((node, reply)),
                Request::Close(_) => {}
            }
        }
        self.refuse(&StoreError::Closed);
        if let Some((_, reply)) = self.join {
            let _ = reply.send(Err(StoreError::Closed));
        }
        if let Some(reply) = self.closing {
            let _ = reply.send(Ok(()));
        }
    }
}

/// Takes the elements for which a condition holds.
fn take_if<T>(list: &mut VecDeque<T>, holds: impl Fn(&T) -> bool) -> VecDeque<T> {
    let (taken, left) = std::mem::take(list).into_iter().partition(holds);
    *list = left;
    taken
}

fn is_late(operation: &dyn Operation) -> bool {
    !operation.is_patient() && operation.since().elapsed() > SENT_WITHIN
}

/// Whether two operations are about the same task.
fn meet(aside: &Aside, operation: &dyn Operation) -> bool {
    let tasks = aside.operation.needs().tasks;
    operation.needs().tasks.iter().any(|task| tasks.contains(task))
}

/// Refuses operations.
pub(super) fn fail_all(group: Waiting, error: &StoreError) {
    for operation in group {
        operation.fail(error.clone());
    }
}
