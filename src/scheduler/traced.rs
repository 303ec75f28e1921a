//! Spans of runs: `claim`, below it `run`, below that `record`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, OnceLock},
};

use crate::{
    domain::{
        Millis,
        execution::{Ending, ExecutionStatus, Verdict},
        ids::{ExecutionId, TaskId},
        lock::lock,
        network::trace::TraceContext,
        step::Start,
    },
    traces::{About, Attribute, Open, Traces},
};

/// Claims whose runs have not begun, at most: a run may wait long for its turn, or never come.
const MOST_CLAIMS: usize = 10_000;

/// Tasks whose last change is known, at most.
const MOST_CHANGES: usize = 10_000;

/// The traces of the scheduler, off until it is told otherwise.
#[derive(Default)]
pub(super) struct Traced {
    traces: OnceLock<Traces>,
    /// By execution, and so by age.
    claims: Mutex<BTreeMap<ExecutionId, TraceContext>>,
    /// The request that has changed each task last, since the start of this process.
    changes: Mutex<BTreeMap<TaskId, TraceContext>>,
}

/// A run, as its span describes it.
pub(super) struct TracedRun {
    open: Open,
    attributes: Vec<(&'static str, Attribute)>,
}

impl Traced {
    pub(super) fn set(&self, traces: Traces) {
        let _ = self.traces.set(traces);
    }

    fn on(&self) -> Option<&Traces> {
        self.traces.get().filter(|traces| traces.is_on())
    }

    pub(super) fn is_on(&self) -> bool {
        self.on().is_some()
    }

    /// Notes the request that changes a task: the traces of its runs link to it.
    pub(super) fn note_change(&self, task: TaskId, request: Option<TraceContext>) {
        let Some((_, request)) = self.on().zip(request) else { return };
        let mut changes = lock(&self.changes);
        changes.insert(task, request);
        if changes.len() > MOST_CHANGES {
            changes.pop_first();
        }
    }

    /// Begins the claim of a run that a user asks for. To be done before the run can begin.
    pub(super) fn begin_claim(&self, execution: ExecutionId, parent: Option<TraceContext>) -> Option<Open> {
        let open = self.on()?.begin(parent)?;
        self.keep(execution, open.context);
        Some(open)
    }

    /// Ends the claim; one that is refused has no run.
    pub(super) fn end_claim(&self, execution: ExecutionId, open: Option<Open>, is_refused: bool) {
        let Some((traces, open)) = self.on().zip(open) else { return };
        if is_refused {
            lock(&self.claims).remove(&execution);
        }
        traces.end(Some(open), || About {
            error: is_refused.then(|| "refused".to_owned()),
            ..about("claim", vec![("isochron.execution", execution.to_string().into())])
        });
    }

    /// Notes a claim by the scheduler that has begun at `since`: the root of a trace, or below the claim by
    /// which a user asked for the run.
    pub(super) fn note_claim(&self, start: &Start, since: Millis) {
        let Some(traces) = self.on() else { return };
        let parent = lock(&self.claims).get(&start.execution).copied();
        let Some(open) = traces.begin_at(parent, since) else { return };
        self.keep(start.execution, open.context);
        let link = lock(&self.changes).get(&start.task).copied().filter(|_| parent.is_none());
        traces.end(Some(open), || About { link, ..about("claim", attributes_of(start)) });
    }

    fn keep(&self, execution: ExecutionId, context: TraceContext) {
        let mut claims = lock(&self.claims);
        claims.insert(execution, context);
        // The oldest are those of runs that have not come.
        if claims.len() > MOST_CLAIMS {
            claims.pop_first();
        }
    }

    /// Begins a run, below its claim if that is known.
    pub(super) fn begin_run(&self, start: &Start) -> Option<TracedRun> {
        let traces = self.on()?;
        let parent = lock(&self.claims).remove(&start.execution);
        Some(TracedRun { open: traces.begin(parent)?, attributes: attributes_of(start) })
    }

    /// Ends a run, and begins the record of its end.
    pub(super) fn end_run(&self, run: Option<TracedRun>, verdict: &Verdict) -> Option<Open> {
        let (traces, TracedRun { open, mut attributes }) = self.on().zip(run)?;
        let (status, error) = match &verdict.ending {
            Ending::Completed { .. } => (ExecutionStatus::Completed, None),
            Ending::Failed { reason, .. } => (ExecutionStatus::Failed, Some(reason.name().to_owned())),
            Ending::Cancelled { .. } => (ExecutionStatus::Cancelled, None),
        };
        attributes.push(("isochron.status", status.name().into()));
        traces.end(Some(open), || About { error, ..about("run", attributes) });
        traces.begin(Some(open.context))
    }

    /// Ends the record of an end.
    pub(super) fn end_record(&self, open: Option<Open>, is_recorded: bool) {
        let Some(traces) = self.on() else { return };
        let error = (!is_recorded).then(|| "not recorded".to_owned());
        traces.end(open, || About { error, ..about("record", Vec::new()) });
    }
}

impl TracedRun {
    pub(super) fn context(&self) -> TraceContext {
        self.open.context
    }
}

fn about(name: &str, attributes: Vec<(&'static str, Attribute)>) -> About {
    About { name: name.to_owned(), serves: false, link: None, attributes, error: None }
}

fn attributes_of(start: &Start) -> Vec<(&'static str, Attribute)> {
    vec![
        ("isochron.task", start.definition.name.as_str().into()),
        ("isochron.task_id", start.task.to_string().into()),
        ("isochron.handler", start.definition.handler.as_str().into()),
        ("isochron.execution", start.execution.to_string().into()),
        ("isochron.trigger", start.trigger.name().into()),
        ("isochron.attempt", start.attempt.into()),
    ]
}
