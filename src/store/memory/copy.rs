//! Copies: each task with its rows and output is a part, and all other records are the last part.

use super::disk::{Data, Operation, Prepared, Write, activity_key, delivery_key};
use crate::{
    domain::facts::Task,
    store::{
        Output, Owner, SourceHash, StoreError,
        copy::{Cursor, Import, KeptParams, KeptVersion, Part, Record},
    },
};

pub(crate) fn export(from: Cursor) -> Operation<Part> {
    Box::new(move |data| {
        let next = data.tasks.values().find(|task| task.id.to_bytes()[..] > from.after[..]);
        let answer = match next {
            Some(task) => Part {
                records: task_records(data, task),
                rest: Some(Cursor { after: task.id.to_bytes().to_vec(), ..Cursor::default() }),
            },
            None => Part { records: other_records(data), rest: None },
        };
        Ok(Prepared { answer, writes: Vec::new() })
    })
}

pub(crate) fn import(import: Import) -> Operation<()> {
    Box::new(move |data| {
        let writes = match import {
            Import::Records(records) => {
                if !data.importing && !data.is_empty() {
                    return Err(StoreError::NotEmpty);
                }
                records.iter().try_for_each(|record| ensure_absent(data, record))?;
                vec![Write::Import(records)]
            }
            Import::Complete => vec![Write::CompleteImport],
            Import::Abandon if data.importing => vec![Write::AbandonImport],
            Import::Abandon => Vec::new(),
        };
        Ok(Prepared { answer: (), writes })
    })
}

fn task_records(data: &Data, task: &Task) -> Vec<Record> {
    let mut records = vec![Record::Task(Box::new(task.clone()))];
    for row in data.rows_of(task.id) {
        records.push(Record::Execution(Box::new(row.clone())));
        let output = data.output.range((row.id, 0)..=(row.id, u32::MAX));
        records.extend(output.map(|((execution, chunk), lines)| {
            Record::Output(Output { execution: *execution, chunk: *chunk, lines: lines.clone() })
        }));
    }
    let steps = data.steps.iter().filter(|((of, ..), _)| *of == task.id);
    records.extend(steps.map(|((task, scheduled_for, _), step)| Record::Step {
        task: *task,
        scheduled_for: *scheduled_for,
        step: step.clone(),
    }));
    let params = data.params.iter().filter(|((of, ..), _)| *of == task.id);
    records.extend(params.map(|((task, time, hash), params)| {
        Record::Params(KeptParams { task: *task, time: *time, hash: hash.clone(), params: params.clone() })
    }));
    records.extend(entry_records(data, Owner::Task(task.id)));
    records
}

fn entry_records(data: &Data, owner: Owner) -> impl Iterator<Item = Record> {
    let version = data.versions.get(&owner).map(|version| Record::Version { owner, version: *version });
    let entries = data.entries_of(owner);
    version.into_iter().chain(entries.map(move |(key, entry)| Record::Entry {
        owner,
        key: key.clone(),
        entry: entry.clone(),
    }))
}

fn other_records(data: &Data) -> Vec<Record> {
    let audit = data.audit.values().cloned().map(Record::Audit);
    let values =
        data.values.iter().map(|(key, value)| Record::Value { key: key.clone(), value: value.clone() });
    let bindings = data.bindings.iter().cloned().map(Record::Binding);
    let tokens = data.tokens.values().cloned().map(|token| Record::Token(Box::new(token)));
    let shared = entry_records(data, Owner::Shared);
    let versions = data.versions_of_handlers.iter().map(|((handler, hash), (runs, text))| {
        let (handler, hash, text) = (handler.clone(), hash.to_vec(), text.clone());
        Record::Source(KeptVersion { handler, hash, runs: *runs, text })
    });
    let activity = data.activity.iter();
    let activity =
        activity.map(|((span, _), bucket)| Record::Activity { span: *span, bucket: bucket.clone() });
    audit
        .chain(values)
        .chain(shared)
        .chain(bindings)
        .chain(activity)
        .chain(tokens)
        .chain(data.outbox.values().map(|delivery| Record::Alert(Box::new(delivery.clone()))))
        .chain(versions)
        .chain(data.quarantined.iter().cloned().map(Record::Quarantine))
        .collect()
}

fn ensure_absent(data: &Data, record: &Record) -> Result<(), StoreError> {
    let exists = match record {
        Record::Task(task) => data.tasks.contains_key(&task.id),
        Record::Execution(row) => data.rows.contains_key(&(row.task_id, row.id)),
        Record::Output(output) => data.output.contains_key(&(output.execution, output.chunk)),
        Record::Value { key, .. } => data.values.contains_key(key),
        Record::Entry { owner, key, .. } => data.entries.contains_key(&(*owner, key.clone())),
        Record::Version { owner, .. } => data.versions.contains_key(owner),
        Record::Step { task, scheduled_for, step } => {
            data.steps.contains_key(&(*task, *scheduled_for, step.name.clone()))
        }
        Record::Binding(binding) => data.bindings.iter().any(|other| other.name == binding.name),
        Record::Params(kept) => data.params.contains_key(&(kept.task, kept.time, kept.hash.clone())),
        Record::Source(version) => SourceHash::try_from(&version.hash[..])
            .is_ok_and(|hash| data.versions_of_handlers.contains_key(&(version.handler.clone(), hash))),
        Record::Activity { span, bucket } => data.activity.contains_key(&activity_key(*span, bucket.start)),
        Record::Token(token) => data.tokens.contains_key(&token.id),
        Record::Alert(delivery) => data.outbox.contains_key(&delivery_key(delivery)),
        Record::Audit(_) | Record::Quarantine(_) => false,
    };
    if exists {
        return Err(StoreError::Backend { doing: "import", why: "a record occurs twice".to_owned() });
    }
    Ok(())
}
