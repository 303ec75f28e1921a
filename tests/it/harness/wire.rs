//! Redactions for snapshots of the wire: a value that differs from run to run is checked and
//! replaced by its kind.

use insta::{Settings, dynamic_redaction, internals::SettingsBindDropGuard};

/// Start of 2020 in epoch milliseconds; every time in a test is later.
const EARLIEST: f64 = 1_577_836_800_000.0;

const TIMES: [&str; 11] = [
    "createdAt",
    "updatedAt",
    "nextRun",
    "lastRetry",
    "scheduledFor",
    "startTime",
    "start",
    "time",
    "modifiedAt",
    "lastSuccess",
    "lastFailure",
];
const LENGTHS: [&str; 3] = ["duration", "p50", "p95"];

/// Redacts snapshots until the guard is dropped.
pub(crate) fn redact() -> SettingsBindDropGuard {
    let mut settings = Settings::clone_current();
    for name in TIMES {
        redact_number(&mut settings, name, "[time]", |n| n > EARLIEST && n.fract() == 0.0);
    }
    for name in LENGTHS {
        redact_number(&mut settings, name, "[ms]", |n| n >= 0.0 && n.fract() == 0.0);
    }
    // The run of a user is planned for the next free millisecond.
    redact_number(&mut settings, "lateness", "[ms]", |n| n > -1000.0 && n.fract() == 0.0);
    redact_number(&mut settings, "cpuMs", "[ms]", |n| n >= 0.0);
    redact_number(&mut settings, "peakHeapBytes", "[bytes]", |n| n > 0.0);
    redact_number(&mut settings, "execTime", "[seconds]", |n| (0.0..60.0).contains(&n) && n.fract() != 0.0);
    redact_text(&mut settings, "_key", "[task id]", is_task_id);
    redact_text(&mut settings, "taskId", "[task id]", is_task_id);
    redact_text(&mut settings, "id", "[execution id]", is_execution_id);
    redact_text(&mut settings, "executionId", "[execution id]", is_execution_id);
    redact_text(&mut settings, "handlerHash", "[sha-256]", is_sha256);
    redact_text(&mut settings, "filesHash", "[sha-256]", is_sha256);
    redact_text(&mut settings, "hash", "[sha-256]", is_sha256);
    redact_text(&mut settings, "requestId", "[request id]", |text| text.len() >= 8);
    settings.bind_to_scope()
}

fn is_task_id(text: &str) -> bool {
    is_id(text, "task-")
}

fn is_execution_id(text: &str) -> bool {
    is_id(text, "exec-")
}

fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() >= 10)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}

/// Null stays null, because the presence of a value is part of the shape.
fn redact_number(
    settings: &mut Settings,
    name: &'static str,
    text: &'static str,
    is_right: impl Fn(f64) -> bool + Send + Sync + 'static,
) {
    let redaction = dynamic_redaction(move |value, _| {
        if value.is_nil() {
            return value;
        }
        let number = number(&value);
        assert!(number.is_some_and(&is_right), "{name} is {value:?}");
        text.into()
    });
    settings.add_redaction(&format!(".**[\"{name}\"]"), redaction);
}

fn redact_text(
    settings: &mut Settings,
    name: &'static str,
    text: &'static str,
    is_right: impl Fn(&str) -> bool + Send + Sync + 'static,
) {
    let redaction = dynamic_redaction(move |value, _| {
        if value.is_nil() {
            return value;
        }
        assert!(value.as_str().is_some_and(&is_right), "{name} is {value:?}");
        text.into()
    });
    settings.add_redaction(&format!(".**[\"{name}\"]"), redaction);
}

fn number(value: &insta::internals::Content) -> Option<f64> {
    use insta::internals::Content;
    #[expect(clippy::cast_precision_loss, reason = "times and sizes are far below 2^53")]
    match value {
        Content::U64(n) => Some(*n as f64),
        Content::I64(n) => Some(*n as f64),
        Content::F64(n) => Some(*n),
        _ => None,
    }
}
