//! The traits of a store: each method hands its work to the writer or to the readers.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::{
    PgStore, copy, read,
    write::{Request, operations as op},
};
use crate::{
    domain::{
        Millis,
        access::{record::TokenRecord, session::Session},
        activity::{Bucket, Size},
        alerts::Delivery,
        binding::Binding,
        execution::{Execution, Line},
        facts::{Task, TaskStatus},
        ids::{ExecutionId, TaskId},
        step::Step,
    },
    store::{
        Access, AccessChange, Answer, Audit, AuditPage, AuditQuery, Audits, Bindings, Census, Claimed,
        ComingQuery, Condition, Copies, Decision, Edit, Edited, Entries, Entry, EntryPage, EntryQuery,
        ExecutionQuery, Fence, Figures, FinishedStep, HandlerVersion, History, HistoryPage, HistoryQuery,
        Informed, KeptSource, NameSearch, Outbox, OutboxQuery, Output, Owner, Page, Removal, Report,
        Rewriting, RunNote, SourceHash, Sources, Steps, StoreError, SuccessorDecision, TaskQuery, TaskView,
        Tasks, Upkeep, Values, VersionNote, WaitingAlerts,
        copy::{Cursor, Import, Part},
    },
};

impl Tasks for PgStore {
    fn create(&self, task: Task, audit: Option<Audit>) -> Answer<()> {
        self.ask(op::Create { task, audit })
    }

    fn change(
        &self,
        task: TaskId,
        decide: Decision,
        output: Option<Output>,
        audit: Option<Audit>,
    ) -> Answer<Step> {
        self.ask(op::Change { task, decide, output, audit })
    }

    fn claim(&self, ahead: Millis, most: usize, decide: Decision) -> Answer<Claimed> {
        self.ask(op::Claim { ahead, most, decide })
    }

    fn inform_successors(&self, most: usize, decide: SuccessorDecision) -> Answer<Informed> {
        self.ask(op::Inform { most, decide })
    }

    fn delete(&self, task: TaskId, audit: Option<Audit>) -> Answer<Task> {
        self.ask(op::Delete { task, audit })
    }

    fn find(&self, name: String) -> Answer<Option<TaskId>> {
        self.read(|readers| read::find(readers, name))
    }

    fn task(&self, id: TaskId) -> Answer<Option<Task>> {
        self.read(|readers| read::task(readers, id))
    }

    fn task_view(&self, id: TaskId, newest: usize) -> Answer<Option<TaskView>> {
        self.read(|readers| read::task_view(readers, id, newest))
    }

    fn tasks(&self, query: TaskQuery) -> Answer<Page<TaskView>> {
        self.read(|readers| read::tasks(readers, query))
    }

    fn keyed(&self) -> Answer<Vec<TaskId>> {
        self.read(read::keyed)
    }

    fn next_due(&self) -> Answer<Option<Millis>> {
        self.read(read::next_due)
    }
}

impl History for PgStore {
    fn append(&self, output: Output) -> Answer<()> {
        self.ask(op::Append(output))
    }

    fn remove_history(&self, before: Millis, only_count: bool) -> Answer<Removal> {
        if only_count {
            return self.read(|readers| read::count_history(readers, before));
        }
        let first = self.ask(op::RemoveHistory(before));
        let again = self.again();
        Box::pin(async move {
            let (mut total, mut part) = (Removal::default(), first.await?);
            while part != Removal::default() {
                total.executions += part.executions;
                total.audit += part.audit;
                part = again.ask(op::RemoveHistory(before)).await?;
            }
            Ok(total)
        })
    }

    fn execution(&self, task: TaskId, id: ExecutionId) -> Answer<Option<Execution>> {
        self.read(|readers| read::execution(readers, task, id))
    }

    fn executions(&self, task: TaskId, query: ExecutionQuery) -> Answer<Page<Execution>> {
        self.read(|readers| read::executions(readers, task, query))
    }

    fn history(&self, query: HistoryQuery) -> Answer<HistoryPage> {
        self.read(|readers| read::history(readers, query))
    }

    fn find_by_name(&self, search: NameSearch) -> Answer<(Vec<Task>, bool)> {
        self.read(|readers| read::find_by_name(readers, search))
    }

    fn locate(&self, id: ExecutionId) -> Answer<Option<TaskId>> {
        self.read(|readers| read::locate(readers, id))
    }

    fn params(&self, task: TaskId, hash: String) -> Answer<Option<Map<String, Value>>> {
        self.read(|readers| read::params(readers, task, hash))
    }

    fn outputs(&self, ids: Vec<ExecutionId>, tail: Option<usize>) -> Answer<Vec<Vec<Line>>> {
        self.read(|readers| read::outputs(readers, ids, tail))
    }

    fn running(&self) -> Answer<Vec<(TaskId, ExecutionId)>> {
        self.read(read::running)
    }
}

impl Sources for PgStore {
    fn note_version(&self, note: VersionNote) -> Answer<()> {
        self.ask(op::NoteVersion(note))
    }

    fn versions(&self, handler: String) -> Answer<Vec<HandlerVersion>> {
        self.read(|readers| read::versions(readers, handler))
    }

    fn source(&self, hash: SourceHash) -> Answer<Option<KeptSource>> {
        self.read(|readers| read::source(readers, hash))
    }
}

impl Values for PgStore {
    fn put(&self, key: String, value: Value) -> Answer<()> {
        self.change_values(vec![(key, Some(value))], None)
    }

    fn values(&self, prefix: String) -> Answer<Vec<(String, Value)>> {
        self.read(|readers| read::values(readers, prefix))
    }

    fn change_values(&self, changes: Vec<(String, Option<Value>)>, audit: Option<Audit>) -> Answer<()> {
        self.ask(op::ChangeValues { changes, audit })
    }

    fn get(&self, key: String) -> Answer<Option<Value>> {
        self.read(|readers| read::value(readers, key))
    }
}

impl Entries for PgStore {
    fn entry(&self, owner: Owner, key: String) -> Answer<Option<Entry>> {
        let now = self.given_time();
        self.read(|readers| read::entry(readers, owner, key, now))
    }

    fn entries(&self, owner: Owner, query: EntryQuery) -> Answer<EntryPage> {
        let now = self.given_time();
        self.read(|readers| read::entries(readers, owner, query, now))
    }

    fn edit(&self, edit: Edit) -> Answer<Edited> {
        self.ask(op::EditEntry(edit))
    }
}

impl Steps for PgStore {
    fn steps(&self, task: TaskId, scheduled_for: Millis) -> Answer<Vec<FinishedStep>> {
        self.read(|readers| read::steps(readers, task, scheduled_for))
    }

    fn finish_step(&self, fence: Fence, scheduled_for: Millis, step: FinishedStep) -> Answer<()> {
        self.ask(op::FinishStep { fence, scheduled_for, step })
    }

    fn note_run(&self, fence: Fence, note: RunNote) -> Answer<()> {
        self.ask(op::NoteRun { fence, note })
    }
}

impl Bindings for PgStore {
    fn bindings(&self) -> Answer<Vec<Binding>> {
        self.read(read::bindings)
    }

    fn rewrite(&self, decide: Rewriting, audit: Option<Audit>) -> Answer<Vec<Binding>> {
        self.ask(op::Rewrite { decide, audit })
    }
}

impl Figures for PgStore {
    fn activity(&self, size: Size, from: Millis, until: Millis) -> Answer<Vec<Bucket>> {
        self.read(|readers| read::activity(readers, size, from, until))
    }

    fn status_counts(&self) -> Answer<Vec<(TaskStatus, u64)>> {
        self.read(read::status_counts)
    }

    fn census(&self, most: usize) -> Answer<Census> {
        self.read(|readers| read::census(readers, most))
    }

    fn coming(&self, query: ComingQuery) -> Answer<Vec<(Millis, Task)>> {
        self.read(|readers| read::coming(readers, query))
    }
}

impl Access for PgStore {
    fn tokens(&self) -> Answer<Vec<TokenRecord>> {
        self.read(read::tokens)
    }

    fn sessions(&self) -> Answer<Vec<Session>> {
        self.read(read::sessions)
    }

    fn change_access(&self, changes: Vec<AccessChange>, audit: Option<Audit>) -> Answer<()> {
        self.ask(op::ChangeAccess { changes, audit })
    }
}

impl Audits for PgStore {
    fn audits(&self, query: AuditQuery) -> Answer<AuditPage> {
        self.read(|readers| read::audits(readers, query))
    }

    fn add_audit(&self, audit: Audit) -> Answer<()> {
        self.ask(op::AddAudit(audit))
    }

    fn remove_audits(&self, before: Millis) -> Answer<u64> {
        self.ask(op::RemoveAudits(before))
    }
}

impl Outbox for PgStore {
    fn deliveries(&self, query: OutboxQuery) -> Answer<Vec<Delivery>> {
        self.read(|readers| read::deliveries(readers, query))
    }

    fn settle(&self, old: Vec<Delivery>, new: Vec<Delivery>) -> Answer<()> {
        self.ask(op::Settle { old, new })
    }

    fn waiting(&self) -> Answer<BTreeMap<String, WaitingAlerts>> {
        self.read(read::waiting)
    }

    fn next_alarm(&self) -> Answer<Option<(Millis, TaskId)>> {
        self.read(read::next_alarm)
    }

    fn alarmed(&self, after: Option<TaskId>, limit: usize) -> Answer<Vec<Task>> {
        self.read(|readers| read::alarmed(readers, after, limit))
    }
}

impl Copies for PgStore {
    fn export(&self, from: Cursor) -> Answer<Part> {
        self.read(|readers| copy::part(readers, from))
    }

    fn import(&self, import: Import) -> Answer<()> {
        self.ask(op::ImportPart(import))
    }
}

impl Upkeep for PgStore {
    fn statistics(&self, detailed: bool) -> Answer<Map<String, Value>> {
        self.read(|readers| read::statistics(readers, detailed))
    }

    fn condition(&self) -> Answer<Condition> {
        let commits = self.commits.times();
        self.read(|readers| read::condition(readers, commits))
    }

    fn report(&self) -> Report {
        self.report.clone()
    }

    fn close(&self) -> Answer<()> {
        let super::ToWriter { requests, closed } = self.again();
        Box::pin(async move {
            if closed.swap(true, Ordering::SeqCst) {
                return Err(StoreError::Closed);
            }
            let (reply, answer) = oneshot::channel();
            requests.send(Request::Close(reply)).await.map_err(|_| StoreError::Closed)?;
            answer.await.map_err(|_| StoreError::Closed)?
        })
    }
}
