//! Pieces that many pages show: statuses, icons, reasons in words.

pub(super) use super::status::{class, word};
use super::{
    documents::{Delivery, Firing, Recent, Run, Task},
    markup::{Markup, Tag},
    svg::strip,
    times::{self, duration},
};
use crate::domain::{
    Millis,
    alerts::{Attempt, Occasion},
    execution::{Execution, ExecutionStatus, Reason, StepNote, StepStatus, Trigger},
    facts::TaskStatus,
};

/// The outcomes to choose from in lists of runs; the empty name stands for all.
pub(super) const OUTCOMES: [(&str, &str); 6] = [
    ("", "All"),
    ("failed", "Failed"),
    ("running", "Running"),
    ("completed", "Completed"),
    ("cancelled", "Cancelled"),
    ("skipped", "Skipped"),
];

/// An icon of the sprite in `layout.html`; decoration beside a text.
pub(super) fn icon(name: &str) -> Markup {
    let shape = Tag::open("use").with("href", format_args!("#i-{name}")).empty();
    Tag::open("svg").with("class", "icon").with("aria-hidden", "true").around(&shape)
}

/// A status: its shape, and its word.
fn status(name: &str, word: &str) -> Markup {
    let inside = [icon(name), Markup::text(word)].into_iter().collect();
    Tag::open("span").with("class", format_args!("status s-{name}")).around(&inside)
}

/// A task's status.
pub(super) fn task_status(task: &Task) -> Markup {
    match task.status {
        TaskStatus::Running => status("running", "Running"),
        TaskStatus::Paused => status("paused", "Paused"),
        TaskStatus::RetryScheduled => status("retry", "Retry due"),
        TaskStatus::Completed => status("completed", "Completed"),
        TaskStatus::Failed => status("failed", "Failed"),
        TaskStatus::Active => status("active", "Active"),
    }
}

/// An execution's status.
pub(super) fn run_status(run: &Execution) -> Markup {
    status(class(&run.status), word(&run.status))
}

/// The shape of an outcome; its word is beside it for those who do not see it.
pub(super) fn outcome(outcome: &ExecutionStatus) -> Markup {
    let name = Tag::open("span").with("class", "visually-hidden").around(&Markup::text(word(outcome)));
    let inside = [icon(class(outcome)), name].into_iter().collect();
    Tag::open("span").with("class", format_args!("status s-{}", class(outcome))).around(&inside)
}

/// The cause of a run's start.
pub(super) fn trigger(run: &Execution) -> String {
    match run.trigger {
        Trigger::Schedule => "by schedule".to_owned(),
        Trigger::Immediate => "at once".to_owned(),
        Trigger::Retry => format!("retry, attempt {}", run.attempt),
        Trigger::Manual => "by hand".to_owned(),
        Trigger::CatchUp => "catch-up".to_owned(),
        Trigger::Backfill => "backfill".to_owned(),
        Trigger::After => "after another task".to_owned(),
        Trigger::Alert => "by an alert".to_owned(),
    }
}

/// Whether the schedule has started a run, as it does most.
pub(super) fn is_planned(run: &Execution) -> bool {
    run.trigger == Trigger::Schedule
}

/// The reason of an end in a few words; empty for a run that has completed or goes on.
pub(super) fn reason(run: &Execution) -> &'static str {
    match run.reason {
        None => "",
        Some(Reason::Exception) => "exception",
        Some(Reason::ReturnedFailure) => "returned a failure",
        Some(Reason::Timeout) => "timeout",
        Some(Reason::CpuLimit) => "CPU limit",
        Some(Reason::MemoryLimit) => "memory limit",
        Some(Reason::NeverSettled) => "never settled",
        Some(Reason::BadResult) => "bad result",
        Some(Reason::LoadError) => "does not load",
        Some(Reason::Cancelled) => "cancelled",
        Some(Reason::Crashed) => "runner died",
        Some(Reason::Lost) => "server died",
        Some(Reason::Overlap) => "still running",
        Some(Reason::Misfire) => "missed",
        Some(Reason::Retrying) => "retry was due",
        Some(Reason::Ended) => "after the last run",
    }
}

/// The next step for the reader of a failed run; empty where the error says everything.
pub(super) fn advice(run: &Execution) -> &'static str {
    match run.reason {
        Some(Reason::Timeout) => {
            "The run took longer than the task's timeout. Raise the timeout, or let the handler stop in time: ctx.signal is aborted 5 s before."
        }
        Some(Reason::CpuLimit) => {
            "The run used more CPU time than limits.cpu allows. Raise the setting, or split the work into several runs."
        }
        Some(Reason::MemoryLimit) => {
            "The run used more memory than limits.heap and limits.buffers allow. Raise the settings, or handle the data in parts."
        }
        Some(Reason::NeverSettled) => {
            "The handler waits for a promise that nothing can settle any more: look for a missing resolve() or a callback that is never called."
        }
        Some(Reason::BadResult) => {
            "The returned value has no JSON form: return plain objects, arrays, texts and numbers."
        }
        Some(Reason::LoadError) => {
            "The file of the handler does not load. The error names the place; the next run reads the file again."
        }
        Some(Reason::Crashed) => {
            "The runner process died during the run. If this happens again, the handler's memory use is the likeliest cause."
        }
        Some(Reason::Lost) => "The server ended during the run, so its result is not known.",
        Some(Reason::Overlap) => {
            "The run before was still going on. The task's overlap setting decides what happens then."
        }
        Some(Reason::Misfire) => {
            "The server was down or busy at the planned time. The task's misfire setting decides what happens then."
        }
        Some(Reason::Retrying) => "A failed run of this task was waiting for its next attempt.",
        Some(Reason::Ended) => "The last run that the task's maxRuns allows had started before.",
        Some(Reason::Exception | Reason::ReturnedFailure | Reason::Cancelled) | None => "",
    }
}

/// A duration; a dash if there is none.
pub(super) fn length(length: &Option<Millis>) -> String {
    length.map_or_else(|| "–".to_owned(), duration)
}

/// The strip of a task's newest outcomes.
pub(super) fn outcomes(task: &Task) -> Markup {
    strip::draw(&task.newest())
}

/// The usual duration of a task: the median of its newest outcomes.
pub(super) fn usual(task: &Task) -> String {
    let median = task.stats.p50.or_else(|| {
        let mut durations: Vec<_> = task
            .newest()
            .iter()
            .filter(|one| one.status == ExecutionStatus::Completed)
            .filter_map(|one: &Recent| one.duration)
            .collect();
        durations.sort_unstable();
        durations.get(durations.len() / 2).copied()
    });
    length(&median)
}

/// The first line of an error, for lists.
pub(super) fn first_line(error: &str) -> &str {
    error.lines().next().unwrap_or_default()
}

/// The lateness of a run's start after its planned time; `None` for a retry, a run by hand and a skip.
pub(super) fn lateness(run: &Run) -> Option<Millis> {
    let execution = &run.execution;
    let planned = execution.trigger == Trigger::Schedule;
    execution.start_time.filter(|_| planned).map(|start| (start - execution.scheduled_for).max(0))
}

/// The icon of a task's status.
pub(super) fn icon_of(status: &str) -> &str {
    if status == TaskStatus::RetryScheduled.name() { "retry" } else { status }
}

/// The class of a task's row, by which the eye finds the failures.
pub(super) fn row(task: &Task) -> &'static str {
    match task.status {
        TaskStatus::Failed => "r-failed",
        TaskStatus::RetryScheduled => "r-retry",
        TaskStatus::Running => "r-running",
        TaskStatus::Paused | TaskStatus::Completed => "r-idle",
        TaskStatus::Active => "",
    }
}

/// The class of a run's row.
pub(super) fn run_row(run: &Execution) -> &'static str {
    match run.status {
        ExecutionStatus::Failed => "r-failed",
        ExecutionStatus::Running => "r-running",
        ExecutionStatus::Skipped | ExecutionStatus::Cancelled => "r-idle",
        ExecutionStatus::Completed => "",
    }
}

/// The state of a step.
pub(super) fn step_status(step: &StepNote) -> Markup {
    match step.status {
        StepStatus::Running => status("running", "Running"),
        StepStatus::Completed => status("completed", "Completed"),
        StepStatus::Failed => status("failed", "Failed"),
    }
}

/// The occasion of a message in words.
pub(super) fn occasion(occasion: &Occasion) -> &'static str {
    match occasion {
        Occasion::Failure => "fails",
        Occasion::Recovery => "has recovered",
        Occasion::Exhausted => "has stopped",
        Occasion::Skipped => "is skipped",
        Occasion::Late => "starts late",
        Occasion::Slow => "runs for unusually long",
        Occasion::Missed => "has not succeeded in time",
    }
}

/// The state of a message.
pub(super) fn delivery(delivery: &Delivery) -> Markup {
    match delivery.status.as_str() {
        "delivered" => status("completed", "Delivered"),
        "given-up" => status("failed", "Given up"),
        "dropped" => status("skipped", "Dropped"),
        "held" => status("paused", "Held back"),
        _ => status("retry", "Waiting"),
    }
}

/// A text that a form sends back as it is.
pub(super) fn typed(text: &str) -> Markup {
    Markup::typed(text)
}

/// What has become of the newest message about a lasting occasion; the time of its decision follows.
pub(super) fn told(firing: &Firing) -> &'static str {
    match firing.delivery.as_deref() {
        Some("delivered") => "told",
        Some("given-up") => "message not delivered, decided",
        Some("dropped") => "message dropped, decided",
        Some("held") => "message held back, decided",
        Some("pending") => "message waits, decided",
        _ => "message decided",
    }
}

/// The class of a message's row.
pub(super) fn delivery_row(delivery: &Delivery) -> &'static str {
    match delivery.status.as_str() {
        "given-up" => "r-failed",
        "pending" => "r-retry",
        _ => "",
    }
}

/// The result of an attempt to deliver, in short.
pub(super) fn attempt(attempt: &Attempt) -> String {
    let code = attempt.status.map_or_else(String::new, |code| format!("status {code}, "));
    format!("{code}{}", duration(attempt.took))
}

/// A duration, for templates.
pub(super) fn lasting(length: &Millis) -> String {
    duration(*length)
}

/// A count in at most four characters: `999`, `1.1k`, `27k`, `3M`.
pub(super) fn count(count: &u64) -> String {
    match *count {
        0..1000 => count.to_string(),
        1000..10_000 => format!("{}.{}k", count / 1000, count % 1000 / 100),
        10_000..1_000_000 => format!("{}k", count / 1000),
        1_000_000.. => format!("{}M", count / 1_000_000),
    }
}

/// A number of bytes, for templates.
pub(super) fn bytes(count: &u64) -> String {
    times::bytes(*count)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn a_count_is_short() {
        let shown = [0, 999, 1000, 1141, 9999, 27_386, 999_999, 3_100_000].map(|number| count(&number));
        assert_eq!(shown, ["0", "999", "1.0k", "1.1k", "9.9k", "27k", "999k", "3M"]);
    }
}
