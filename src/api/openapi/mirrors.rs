//! Mirrors: the schemas of the values of other rooms that documents show.
//!
//! Those rooms do not know of schemas, so each value has a mirror here, with the same fields of the same
//! types. A mirror that differs from its value does not compile.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use crate::{
    alerts, backup,
    domain::{
        Millis, access,
        access::pattern,
        alerts as rules, audit, draft,
        execution::{self, ExecutionStatus, Level, Reason, StepStatus, Trigger},
        facts::{self, TaskStatus},
        ids::{AlertId, ExecutionId, NodeId, TaskId, TokenId},
        outlook::{beside, explain, load, upcoming},
        recent::{self, LastOutcome},
        schedule,
    },
    store::{self, ScrubState},
    taskfile,
};

/// Gives a value the schema of its mirror.
macro_rules! mirror {
    ($($value:ident)::+ as $name:ident { $($(#[$meta:meta])* $field:ident: $kind:ty,)* }) => {
        #[derive(ToSchema)]
        #[schema(rename_all = "camelCase")]
        #[expect(dead_code, reason = "a schema is made of the fields, nothing reads them")]
        struct $name {
            $($(#[$meta])* $field: $kind,)*
        }

        const _: fn($($value)::+) -> $name = |value| {
            let $($value)::+ { $($field),* } = value;
            $name { $($field),* }
        };

        impl PartialSchema for $($value)::+ {
            fn schema() -> RefOr<Schema> {
                <$name as PartialSchema>::schema()
            }
        }

        impl ToSchema for $($value)::+ {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                <$name as ToSchema>::schemas(schemas);
            }
        }
    };
}

/// Gives a list of words its schema.
macro_rules! words {
    ($($value:ident)::+ as $name:literal: $($variant:ident),+) => {
        impl PartialSchema for $($value)::+ {
            fn schema() -> RefOr<Schema> {
                type Word = $($value)::+;
                const _: fn(Word) = |word| match word {
                    $(Word::$variant)|+ => {}
                };
                one_of(&[$(Word::$variant),+])
            }
        }

        impl ToSchema for $($value)::+ {
            fn name() -> Cow<'static, str> {
                $name.into()
            }
        }
    };
}

/// Gives a text of a certain form its schema.
macro_rules! text {
    ($($value:ident)::+ as $name:literal, $pattern:expr, $doc:literal $(, at most $most:expr)?) => {
        impl PartialSchema for $($value)::+ {
            fn schema() -> RefOr<Schema> {
                let text = ObjectBuilder::new().schema_type(Type::String);
                text.pattern(Some($pattern)).description(Some($doc))$(.max_length(Some($most)))?.into()
            }
        }

        impl ToSchema for $($value)::+ {
            fn name() -> Cow<'static, str> {
                $name.into()
            }
        }
    };
}

fn one_of<T: Serialize>(words: &[T]) -> RefOr<Schema> {
    let words: Vec<_> = words.iter().filter_map(|word| serde_json::to_value(word).ok()).collect();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// The digits of an id: 26 of Crockford's base 32, in lower case.
macro_rules! ulid {
    ($prefix:literal) => {
        concat!("^", $prefix, "-[0-7][0-9a-hjkmnp-tv-z]{25}$")
    };
}

text!(TaskId as "TaskId", ulid!("task"), "The id of a task.");
text!(ExecutionId as "ExecutionId", ulid!("exec"), "The id of an execution.");
text!(NodeId as "NodeId", ulid!("node"), "The id of a node.");
text!(TokenId as "TokenId", ulid!("token"), "The id of a token.");
text!(AlertId as "AlertId", ulid!("alert"), "The id of a message.");
text!(
    pattern::Pattern as "HandlerPattern",
    r"^(\*|[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*(/\*)?)$",
    "A handler, the handlers of a folder (`reports/*`), or all (`*`).",
    at most pattern::LONGEST
);

words!(ExecutionStatus as "ExecutionStatus": Running, Completed, Failed, Cancelled, Skipped);
words!(
    Reason as "Reason": Exception, ReturnedFailure, Timeout, CpuLimit, MemoryLimit, NeverSettled, BadResult,
    LoadError, Cancelled, Crashed, Lost, Overlap, Misfire, Retrying, Ended
);
words!(Trigger as "Trigger": Schedule, Immediate, Retry, Manual, CatchUp, Backfill, After, Alert);
words!(Level as "Level": Debug, Log, Info, Warn, Error);
words!(StepStatus as "StepStatus": Running, Completed, Failed);
words!(TaskStatus as "TaskStatus": Running, Paused, RetryScheduled, Completed, Failed, Active);
words!(LastOutcome as "Outcome": Completed, Failed, Cancelled);
words!(audit::Outcome as "AuditOutcome": Done, Refused);
words!(audit::Via as "Via": Token, Session, File, System);
words!(access::Role as "Role": Viewer, Operator, Editor, Admin);
words!(
    schedule::ScheduleType as "ScheduleType": Once, Hourly, Daily, Weekly, Monthly, Interval, Cron,
    Never
);
words!(upcoming::Kind as "OccurrenceKind": Schedule, Retry, Once);
words!(
    explain::Outcome as "Fate": Completed, Failed, Cancelled, Running, Waiting, Skipped, Paused, Planned, None,
    Unknown
);
words!(rules::Occasion as "Occasion": Failure, Recovery, Exhausted, Skipped, Late, Slow, Missed);
words!(ScrubState as "ScrubState": Running, Done, Failed);

mirror!(execution::Line as Line {
    /// Epoch milliseconds.
    time: Millis,
    level: Level,
    message: String,
});

mirror!(execution::Usage as Usage {
    /// CPU time, milliseconds.
    cpu_ms: u64,
    /// The largest JavaScript heap seen, bytes.
    peak_heap_bytes: u64,
    /// HTTP requests, those that a redirect led to included.
    requests: u64,
    bytes_received: u64,
    bytes_sent: u64,
});

mirror!(execution::Progress as Progress {
    /// From 0 to 1.
    fraction: f64,
    text: Option<String>,
});

mirror!(execution::StepNote as Step {
    name: String,
    status: StepStatus,
    /// Milliseconds; null if it has not ended.
    duration: Option<Millis>,
    /// The attempt that called its function.
    attempt: u32,
});

mirror!(execution::Execution as Execution {
    id: ExecutionId,
    task_id: TaskId,
    task_name: String,
    handler: String,
    /// SHA-256 of the handler's file.
    handler_hash: Option<String>,
    /// SHA-256 over all files that the run was given.
    files_hash: Option<String>,
    status: ExecutionStatus,
    /// Null while it runs, and when it completed.
    reason: Option<Reason>,
    trigger: Trigger,
    /// The planned time, epoch milliseconds.
    scheduled_for: Millis,
    /// From 1; 0 for a skip.
    attempt: u32,
    /// Epoch milliseconds.
    start_time: Option<Millis>,
    /// Milliseconds.
    duration: Option<Millis>,
    error: Option<String>,
    /// Frames in the handler's own files.
    stack: Option<String>,
    /// The returned value.
    result: Option<serde_json::Value>,
    /// Whether lines of output were dropped.
    output_truncated: bool,
    usage: Option<execution::Usage>,
    progress: Option<execution::Progress>,
    steps: Vec<execution::StepNote>,
    /// The occurrences that a skip stands for.
    skipped_count: Option<u64>,
    /// The parameters, if they are short.
    params: Option<serde_json::Map<String, serde_json::Value>>,
    /// SHA-256 of longer parameters.
    params_hash: Option<String>,
    /// Milliseconds from the planned time to the start.
    lateness: Option<Millis>,
    /// The name of the token of the user who asked for it.
    by: Option<String>,
    /// The execution that it runs again.
    rerun_of: Option<ExecutionId>,
    /// The node that ran it; absent with the embedded store.
    #[schema(required = false)]
    node: Option<NodeId>,
    created_at: Millis,
    updated_at: Millis,
});

mirror!(facts::Backfill as Backfill {
    /// The planned time that runs next.
    next: Millis,
    to: Millis,
    /// Planned times still to start.
    left: u64,
    total: u64,
    /// Planned times of the span that do not run.
    left_out: u64,
    /// Epoch milliseconds of the request.
    since: Millis,
});

mirror!(facts::LastExecution as LastExecution {
    id: ExecutionId,
    status: ExecutionStatus,
    /// The start, epoch milliseconds.
    time: Millis,
    duration: Option<Millis>,
    error: Option<String>,
});

mirror!(recent::Ended as Ended {
    status: LastOutcome,
    start: Millis,
    duration: Option<Millis>,
});

mirror!(recent::Stats as Stats {
    /// Milliseconds that half of the recent completed occurrences did not exceed.
    p50: Option<Millis>,
    /// Milliseconds that 95 % of them did not exceed.
    p95: Option<Millis>,
    /// Failed occurrences since the last completed one.
    streak: u32,
    last_success: Option<Millis>,
    last_failure: Option<Millis>,
    /// Occurrences that have ended.
    runs: u64,
});

mirror!(explain::Account as Account {
    /// The planned time.
    time: Millis,
    outcome: explain::Outcome,
    reason: Option<Reason>,
    execution_id: Option<ExecutionId>,
    /// The attempts that are known; 0 if it did not start.
    attempts: usize,
    /// Sentences with times of one zone.
    text: String,
});

mirror!(beside::Busy as Busy {
    time: Millis,
    /// Other runs that start in the same minute.
    starts: u64,
    /// Other runs in progress during the run.
    running: u64,
});

mirror!(beside::Quieter as Quieter {
    /// The schedule with another minute.
    schedule: String,
    /// Its first planned time.
    at: Millis,
    starts: u64,
});

mirror!(load::Peak as Peak {
    time: Millis,
    starts: u64,
    /// Runs in progress then, if all of them ran at once.
    concurrent: u64,
});

mirror!(rules::PausedBy as PausedBy {
    /// `alert`
    by: String,
    since: Millis,
    why: String,
});

mirror!(rules::Firing as Firing {
    channel: String,
    occasion: rules::Occasion,
    /// Epoch milliseconds from which the occasion lasts.
    since: Millis,
    /// Epoch milliseconds of the last message about it.
    told: Millis,
    /// The first message about it.
    alert: AlertId,
    /// The newest message about it, if that repeats the first one.
    #[schema(required = false)]
    last: Option<AlertId>,
    /// The slow run.
    #[schema(required = false)]
    execution: Option<ExecutionId>,
});

mirror!(rules::Attempt as DeliveryAttempt {
    time: Millis,
    /// Milliseconds that it took.
    took: Millis,
    /// The status of the answer.
    status: Option<u16>,
    /// The first part of the answer, or the error.
    answer: String,
    ok: bool,
});

mirror!(alerts::Mute as Mute {
    /// Epoch milliseconds.
    until: Millis,
    tag: Option<String>,
    reason: Option<String>,
    by: String,
    since: Millis,
});

mirror!(draft::Problem as Problem {
    /// The field, with a path inside values.
    field: String,
    problem: String,
});

mirror!(store::Report as StoreReport {
    /// How often the store has been opened.
    epoch: u64,
    tasks: u64,
    #[schema(rename = "check")]
    scrub: ScrubState,
    #[schema(rename = "setAside")]
    quarantined: Vec<String>,
    rebuilt: Vec<String>,
    missing: Vec<String>,
});

mirror!(backup::BackupState as BackupState {
    /// Epoch milliseconds of the newest backup.
    time: Option<Millis>,
    file: Option<String>,
    error: Option<String>,
});

mirror!(taskfile::TaskFileState as TaskFile {
    file: Option<String>,
    tasks: usize,
    /// The number of mistakes in the present text.
    mistakes: usize,
    /// The first mistakes; one line with their number for callers who may not see all tasks.
    problems: Vec<String>,
});

mirror!(audit::Holder as Actor {
    id: Option<TokenId>,
    name: String,
    role: Option<access::Role>,
    via: audit::Via,
});

mirror!(audit::Target as AuditTarget {
    kind: String,
    id: String,
    name: Option<String>,
});

mirror!(audit::FieldChange as FieldChange {
    field: String,
    from: serde_json::Value,
    to: serde_json::Value,
});
