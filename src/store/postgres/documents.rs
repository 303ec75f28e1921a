//! Documents: the JSON of records, and the columns that are derived from them.
//!
//! A task is in two documents: its definition, which changes seldom, and its facts, which change with every
//! run.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    domain::{
        Millis,
        activity::Size,
        definition::Definition,
        execution::{Execution, ExecutionStatus, Trigger},
        facts::{Declared, Facts, Task, TaskStatus},
        ids::TaskId,
        outlook::usual,
    },
    store::{Span, StoreError},
};

/// The document of a definition.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Defined<'a> {
    definition: &'a Definition,
    created_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: &'a Option<Declared>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadDefined {
    definition: Definition,
    created_at: Millis,
    #[serde(default)]
    declared: Option<Declared>,
}

/// The document of the facts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Changing<'a> {
    facts: &'a Facts,
    updated_at: Millis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadChanging {
    facts: Facts,
    updated_at: Millis,
}

/// Encodes a record.
pub(crate) fn encode(record: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record)
        .map_err(|error| StoreError::Backend { doing: "encode a record", why: error.to_string() })
}

/// Decodes a record.
///
/// # Errors
/// [`StoreError::Backend`], if it is damaged or of a newer build.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes)
        .map_err(|error| StoreError::Backend { doing: "decode a record", why: error.to_string() })
}

/// The document of a task's definition.
pub(crate) fn definition(task: &Task) -> Result<Vec<u8>, StoreError> {
    let Task { definition, created_at, declared, .. } = task;
    encode(&Defined { definition, created_at: *created_at, declared })
}

/// The document of a task's facts.
pub(crate) fn facts(task: &Task) -> Result<Vec<u8>, StoreError> {
    encode(&Changing { facts: &task.facts, updated_at: task.updated_at })
}

/// Reads a task from its two documents.
pub(crate) fn task(id: TaskId, definition: &[u8], facts: &[u8]) -> Result<Task, StoreError> {
    let ReadDefined { definition, created_at, declared } = decode(definition)?;
    let ReadChanging { facts, updated_at } = decode(facts)?;
    Ok(Task { id, definition, facts, created_at, updated_at, declared })
}

/// Whether the document of a task's definition changes.
pub(crate) fn is_redefined(old: &Task, new: &Task) -> bool {
    old.definition != new.definition || old.created_at != new.created_at || old.declared != new.declared
}

fn index<T: PartialEq>(all: &[T], value: &T) -> i64 {
    all.iter().zip(0..).find(|(other, _)| *other == value).map_or(-1, |(_, index)| index)
}

/// The number of a task's status.
pub(crate) fn status(status: TaskStatus) -> i64 {
    index(&TaskStatus::ALL, &status)
}

/// The status with a number.
pub(crate) fn status_of(number: i64) -> Option<TaskStatus> {
    TaskStatus::ALL.get(usize::try_from(number).ok()?).copied()
}

/// The number of an execution's status.
pub(crate) fn outcome(status: ExecutionStatus) -> i64 {
    index(&ExecutionStatus::ALL, &status)
}

/// The number of a trigger.
pub(crate) fn trigger(trigger: Trigger) -> i64 {
    index(&Trigger::ALL, &trigger)
}

/// The number of a span.
pub(crate) fn span(span: Span) -> i64 {
    match span {
        Span::Present => 0,
        Span::Closed(size) => 1 + index(&Size::ALL, &size),
    }
}

/// The span with a number.
pub(crate) fn span_of(number: i64) -> Option<Span> {
    match number {
        0 => Some(Span::Present),
        _ => Size::ALL.get(usize::try_from(number - 1).ok()?).map(|size| Span::Closed(*size)),
    }
}

/// The name of a schedule in a zone, under which tasks are counted.
pub(crate) fn schedule_name(schedule: &str, zone: &str) -> String {
    format!("{schedule}\u{1f}{zone}")
}

/// The key of a counter: its kind, the name that is counted, and a status.
pub(crate) type Counter = (&'static str, String, i64);

/// Tasks by handler and resting status.
pub(crate) const HANDLERS: &str = "handler";
/// Tasks by tag.
pub(crate) const TAGS: &str = "tag";
/// Planned tasks by schedule.
pub(crate) const CENSUS: &str = "schedule";
/// The sum of the usual durations of planned tasks by schedule.
pub(crate) const USUAL: &str = "usual";

/// The counters that include a task, and its share in each.
pub(crate) fn counters(task: &Task) -> Vec<(Counter, i64)> {
    let definition = &task.definition;
    let mut all = vec![((HANDLERS, definition.handler.clone(), status(task.resting())), 1)];
    all.extend(definition.tags.iter().map(|tag| ((TAGS, tag.clone(), 0), 1)));
    if definition.recurring && !task.facts.paused && task.facts.next.is_some() {
        let name = schedule_name(definition.schedule.as_str(), definition.timezone.name());
        let usual = usual(task).min(i64::MAX.unsigned_abs()).cast_signed();
        all.push(((CENSUS, name.clone(), 0), 1));
        all.extend((usual > 0).then_some(((USUAL, name, 0), usual)));
    }
    all
}

/// The reason of an execution as a column.
pub(crate) fn reason(row: &Execution) -> Option<String> {
    row.reason.map(|reason| reason.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::draft::tests::definition;

    #[test]
    fn a_task_is_the_same_after_its_two_documents() {
        let mut made = Task::new(TaskId(ulid::Ulid(7)), definition("@hourly"), 5);
        made.updated_at = 9;
        let parts = (super::definition(&made).expect("it encodes"), facts(&made).expect("it encodes"));
        assert_eq!(task(made.id, &parts.0, &parts.1).expect("it decodes"), made);
    }

    #[test]
    fn numbers_of_statuses_stay_as_the_tables_have_them() {
        assert_eq!(TaskStatus::ALL.map(status), [0, 1, 2, 3, 4, 5]);
        assert_eq!(outcome(ExecutionStatus::Running), 0);
        assert_eq!(outcome(ExecutionStatus::Completed), 1, "the index of outcomes leaves it out");
        assert_eq!(ExecutionStatus::ALL.map(outcome), [0, 1, 2, 3, 4]);
        assert_eq!(status_of(status(TaskStatus::Paused)), Some(TaskStatus::Paused));
    }
}
