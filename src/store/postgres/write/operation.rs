//! Operations: the work of one request within a group, and the answer to it.

use std::{future::Future, pin::Pin};

use tokio::{sync::oneshot, time::Instant};

use super::group::{Failure, Group, Needs};
use crate::store::StoreError;

/// The work of an operation. A group that is decided again runs it again: only the last run counts.
pub(crate) trait Work: Send + 'static {
    /// The answer.
    type Answer: Send + 'static;

    /// The records that the work looks at first.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Whether the operation waits for as long as the database is away.
    fn is_patient(&self) -> bool {
        false
    }

    /// Whether the work may take long, in a transaction of its own.
    fn is_long(&self) -> bool {
        false
    }

    /// Decides and writes. A refusal must come before every write.
    fn run(&mut self, group: &mut Group<'_>) -> impl Future<Output = Result<Self::Answer, Failure>> + Send;
}

/// An operation that waits for its turn.
pub(crate) trait Operation: Send {
    fn needs(&self) -> Needs;
    fn is_patient(&self) -> bool;
    fn is_long(&self) -> bool;
    /// When it was asked for.
    fn since(&self) -> Instant;
    fn run<'a>(
        &'a mut self,
        group: &'a mut Group<'_>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;
    /// Answers with the result of the last run; the group is durable.
    fn answer(self: Box<Self>);
    /// Answers with an error.
    fn fail(self: Box<Self>, error: StoreError);
}

/// A work with the caller who waits for its answer.
struct Asked<W: Work> {
    work: W,
    since: Instant,
    result: Option<Result<W::Answer, StoreError>>,
    reply: oneshot::Sender<Result<W::Answer, StoreError>>,
}

/// Makes an operation of a work.
pub(crate) fn operation<W: Work>(
    work: W,
    reply: oneshot::Sender<Result<W::Answer, StoreError>>,
) -> Box<dyn Operation> {
    Box::new(Asked { work, since: Instant::now(), result: None, reply })
}

impl<W: Work> Operation for Asked<W> {
    fn needs(&self) -> Needs {
        self.work.needs()
    }

    fn is_patient(&self) -> bool {
        self.work.is_patient()
    }

    fn is_long(&self) -> bool {
        self.work.is_long()
    }

    fn since(&self) -> Instant {
        self.since
    }

    fn run<'a>(
        &'a mut self,
        group: &'a mut Group<'_>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>> {
        Box::pin(async move {
            match self.work.run(group).await {
                Ok(answer) => self.result = Some(Ok(answer)),
                Err(Failure::Refused(error)) => self.result = Some(Err(error)),
                Err(failure) => return Err(failure),
            }
            Ok(())
        })
    }

    fn answer(self: Box<Self>) {
        let result = self.result.unwrap_or(Err(StoreError::Closed));
        // The caller may have dropped the answer; the change stays.
        let _ = self.reply.send(result);
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}
