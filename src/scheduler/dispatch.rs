//! One attempt, from its durable claim to its durable end.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{InFlight, Scheduler, in_progress::Dispatched, tail::Tail};
use crate::{
    domain::{
        execution::{Line, Verdict},
        ids::{ExecutionId, NodeId, TaskId},
        step::{Event, Input, News, Refused, Start, Step, Subject},
    },
    runtime::{Attempt, Invocation, live::Live, protocol::Context},
    store::{Fence, Output, RunNote, StoreError},
};

/// Lines that may wait between runner and store. When there are more, the handler waits.
const LINES: usize = 256;
/// Output is stored when it has waited this long, or when [`STORED_FROM`] bytes of it are there.
const STORED_AFTER: Duration = Duration::from_millis(500);
/// In bytes.
const STORED_FROM: usize = 32 * 1024;

/// Between two events of the progress of one run, whatever its runner reports.
const PROGRESS_TOLD_EVERY: Duration = Duration::from_millis(500);
/// Between two writes of the progress of one run.
const PROGRESS_WRITTEN_EVERY: Duration = Duration::from_secs(1);

/// A run that goes on for this long has the hashes of its files written: most runs are over by then, and
/// cost no write.
const HASHES_WRITTEN_AFTER: Duration = Duration::from_secs(1);
/// The longest wait between two looks at a run that has not got a runner yet.
const HASHES_LOOKED_FOR_EVERY: Duration = Duration::from_secs(60);

/// The first and the longest wait before the next try to record an end.
const RECORDED_AGAIN_AFTER: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

impl Scheduler {
    pub(super) async fn dispatch(
        self: Arc<Self>,
        (start, node): (Start, Option<NodeId>),
        cancel: watch::Receiver<Option<String>>,
        permit: Option<OwnedSemaphorePermit>,
        _under_way: InFlight,
    ) {
        let (task, execution) = (start.task, start.execution);
        if !self.may_start(node).await {
            // The claim was made under a lease that is over: another node closes the execution.
            return self.forget(execution);
        }
        let subject = Arc::new(subject(&start));
        let handler = start.definition.handler.clone();
        let (lines, received) = mpsc::channel(LINES);
        let Dispatched { live, tail, .. } = self.in_progress.go_live(execution);
        let traced = self.traced.begin_run(&start);
        if let Some(traced) = &traced {
            live.set_trace(traced.context());
        }
        let run = self.runner.run(invocation((start, node), live.clone(), lines, cancel));
        let run = async {
            let verdict = tokio::select! {
                biased;
                verdict = run => verdict,
                never = self.follow_progress(&subject, execution, &live, &tail) => never,
                never = self.cancel_without_lease(execution, node) => never,
            };
            Verdict { progress: live.progress(), steps: live.ended_steps(), ..verdict }
        };
        let (verdict, rest) = tokio::join!(run, self.collect((execution, node), &tail, received));
        // The runner is free: the next claim may share a commit with this end.
        drop(permit);
        let hash = verdict.handler_hash.clone();
        let record = self.traced.end_run(traced, &verdict);
        let recorded = self.record_end(task, (execution, node), verdict, rest).await;
        self.traced.end_record(record, recorded.is_ok());
        match recorded {
            Ok(mut step) => {
                // Told before the run leaves: who follows its output stops listening then.
                self.events.publish(std::mem::take(&mut step.events));
                self.forget(execution);
                // An end starts nothing by itself: a queued run is due now, and the loop is nudged.
                self.carry_out(step, &mut Vec::new());
            }
            Err(error) => {
                // The row may have been closed, or the task deleted, in the meantime.
                let expected = matches!(
                    error,
                    StoreError::NotFound
                        | StoreError::Fenced(_)
                        | StoreError::Refused(Refused::NotRunning(_))
                );
                if !expected {
                    tracing::error!(%task, %execution, %error, "the end of an execution could not be recorded");
                }
                self.forget(execution);
                // The end may have been recorded although the store said that it failed.
                self.keys.look_again();
                self.untold.notify_one();
                self.nudge.notify_one();
            }
        }
        if let Some(hash) = hash {
            self.note_version(&handler, &hash).await;
        }
    }

    /// Forgets an execution that has ended, or is another node's.
    fn forget(&self, execution: ExecutionId) {
        self.in_progress.leave(execution);
        if self.keys.release(execution) && self.member().is_some() {
            // A task that another process has let wait may have its turn.
            self.keys.look_again();
            self.call_others();
        }
    }

    /// Publishes the progress of a run, and writes it to the store. A run that goes on for long has its
    /// files' hashes written once, so that they are known if the server dies. For as long as it is polled.
    async fn follow_progress<T>(
        &self,
        subject: &Arc<Subject>,
        execution: ExecutionId,
        live: &Live,
        tail: &Tail,
    ) -> T {
        let task = subject.task;
        let mut written: Option<Instant> = None;
        let mut write_at = Some(Instant::now() + HASHES_WRITTEN_AFTER);
        let (mut has_hashes, mut wait) = (false, HASHES_WRITTEN_AFTER);
        loop {
            tokio::select! {
                biased;
                () = live.progressed() => {
                    if let Some(progress) = live.progress() {
                        let news = News::Progress(execution, Box::new(progress));
                        let (time, subject) = (self.clock.now(), Some(subject.clone()));
                        self.events.publish([Event { time, subject, news }]);
                        tail.touch();
                    }
                    let next = written.map_or_else(Instant::now, |written| written + PROGRESS_WRITTEN_EVERY);
                    write_at = Some(write_at.map_or(next, |before| before.min(next)));
                    sleep(PROGRESS_TOLD_EVERY).await;
                }
                () = sleep_until(write_at.unwrap_or_else(Instant::now)), if write_at.is_some() => {
                    write_at = None;
                    let hashes = if has_hashes { None } else { live.hashes() };
                    let note = RunNote { progress: live.progress(), hashes };
                    // A run that waits for its runner has nothing to write yet.
                    if note == RunNote::default() {
                        wait = (2 * wait).min(HASHES_LOOKED_FOR_EVERY);
                        write_at = (!has_hashes).then(|| Instant::now() + wait);
                        continue;
                    }
                    has_hashes |= note.hashes.is_some();
                    if let Err(error) = self.store.note_run(Fence { task, execution }, note).await {
                        tracing::warn!(%execution, %error, "the state of a run could not be stored");
                    }
                    written = Some(Instant::now());
                }
            }
        }
    }

    /// Records an end, and tries again while the store fails: until the end is recorded, the task
    /// counts as running. A stop waits for it no longer than for a handler.
    async fn record_end(
        &self,
        task: TaskId,
        (execution, node): (ExecutionId, Option<NodeId>),
        verdict: Verdict,
        rest: Option<Output>,
    ) -> Result<Step, StoreError> {
        let mut wait = RECORDED_AGAIN_AFTER.0;
        loop {
            if !self.may_run(node) {
                return Err(StoreError::Fenced("its lease was over before the end was recorded".to_owned()));
            }
            let verdict = verdict.clone();
            let decision =
                self.decision(move || Input::Ended { execution, verdict: Box::new(verdict.clone()) });
            match self.store.change(task, decision, rest.clone(), None).await {
                Err(
                    error @ (StoreError::Backend { .. }
                    | StoreError::NoSpace { .. }
                    | StoreError::Unavailable(_)),
                ) => {
                    tracing::error!(%task, %execution, %error, "an end is not recorded yet and is tried again");
                    sleep(wait).await;
                    wait = (2 * wait).min(RECORDED_AGAIN_AFTER.1);
                }
                result => return result,
            }
        }
    }

    /// Stores output as it comes. The last lines are returned, to be stored with the end.
    async fn collect(
        &self,
        (execution, node): (ExecutionId, Option<NodeId>),
        tail: &Tail,
        mut received: mpsc::Receiver<Line>,
    ) -> Option<Output> {
        let mut chunk = 0;
        let mut bytes = 0;
        let mut stored_by = None;
        loop {
            let line = match stored_by {
                None => received.recv().await.map(Some),
                // The time is looked at first, even while lines never cease to come.
                Some(moment) => tokio::select! {
                    biased;
                    () = sleep_until(moment) => Some(None),
                    line = received.recv() => line.map(Some),
                },
            };
            match line {
                None => break,
                Some(Some(line)) => {
                    bytes += line.message.len();
                    tail.push(line);
                    if stored_by.is_none() {
                        stored_by = Some(store_by());
                    }
                    if bytes < STORED_FROM {
                        continue;
                    }
                }
                Some(None) => {}
            }
            let lines = tail.take();
            let count = lines.len();
            self.store_output(Output { execution, chunk, lines }, node).await;
            tail.stored(count);
            chunk += 1;
            bytes = 0;
            stored_by = None;
        }
        let lines = tail.take();
        (!lines.is_empty()).then_some(Output { execution, chunk, lines })
    }
}

impl Scheduler {
    /// Stores output. While the store is away it is kept, and the handler waits, as long as the lease lasts.
    async fn store_output(&self, mut output: Output, node: Option<NodeId>) {
        let mut wait = RECORDED_AGAIN_AFTER.0;
        let execution = output.execution;
        loop {
            let again = node.map(|_| output.clone());
            match (self.store.append(output).await, again) {
                (Err(StoreError::Unavailable(_)), Some(again)) if self.may_run(node) => {
                    sleep(wait).await;
                    wait = (2 * wait).min(RECORDED_AGAIN_AFTER.1);
                    output = again;
                }
                (Err(error), _) => {
                    return tracing::error!(%execution, %error, "output could not be stored");
                }
                (Ok(()), _) => return,
            }
        }
    }
}

fn subject(start: &Start) -> Subject {
    let definition = &start.definition;
    Subject {
        task: start.task,
        name: definition.name.as_str().into(),
        handler: definition.handler.as_str().into(),
    }
}

fn store_by() -> Instant {
    Instant::now() + STORED_AFTER
}

fn invocation(
    (start, node): (Start, Option<NodeId>),
    live: Arc<Live>,
    lines: mpsc::Sender<Line>,
    cancel: watch::Receiver<Option<String>>,
) -> Invocation {
    let Start { execution, task, definition, attempt, trigger, occurrence, not_before } = start;
    let context = Context {
        task_id: task.to_string(),
        execution_id: execution.to_string(),
        attempt,
        max_attempts: definition.max_attempts(),
        trigger,
        scheduled_for: occurrence.scheduled_for,
        task_name: definition.name,
        traceparent: live.trace().map(|trace| trace.to_string()),
        after: occurrence.after.as_ref().and_then(|after| serde_json::to_string(after).ok()),
    };
    Invocation {
        handler: definition.handler,
        attempt: Some(Attempt {
            task,
            execution,
            number: attempt,
            scheduled_for: occurrence.scheduled_for,
            node,
        }),
        live,
        params: occurrence.params.unwrap_or(definition.params),
        context,
        not_before,
        timeout: definition.timeout,
        lines,
        cancel,
    }
}
