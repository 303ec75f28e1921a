//! State: values, entries, steps and bindings, all of which belong to tasks' handlers or to the server.

use serde_json::Value;

use super::{SledStore, engine::keys, read::records};
use crate::{
    domain::{Millis, binding::Binding, ids::TaskId},
    store::{
        Answer, Audit, Bindings, Edit, Edited, Entries, Entry, EntryPage, EntryQuery, Fence, FinishedStep,
        Owner, Rewriting, RunNote, Steps, Values, ready,
    },
};

impl Values for SledStore {
    fn put(&self, key: String, value: Value) -> Answer<()> {
        self.change_values(vec![(key, Some(value))], None)
    }

    fn values(&self, prefix: String) -> Answer<Vec<(String, Value)>> {
        self.read_blocking(move |view| records::values(view, &prefix))
    }

    fn change_values(&self, changes: Vec<(String, Option<Value>)>, audit: Option<Audit>) -> Answer<()> {
        self.ask(move |writer| writer.change_values(&changes, audit.as_ref()).map(Some))
    }

    fn get(&self, key: String) -> Answer<Option<Value>> {
        ready(records::get(&self.view, &keys::value(&key)))
    }
}

impl Entries for SledStore {
    fn entry(&self, owner: Owner, key: String) -> Answer<Option<Entry>> {
        let now = (self.now)();
        let found = records::get::<Entry>(&self.view, &keys::entry(owner, &key));
        ready(found.map(|entry| entry.filter(|entry| entry.is_live(now))))
    }

    fn entries(&self, owner: Owner, query: EntryQuery) -> Answer<EntryPage> {
        let now = (self.now)();
        self.read_blocking(move |view| records::entries(view, owner, &query, now))
    }

    fn edit(&self, edit: Edit) -> Answer<Edited> {
        let edit = Box::new(edit);
        self.ask(move |writer| writer.edit(&edit).map(Some))
    }
}

impl Steps for SledStore {
    fn steps(&self, task: TaskId, scheduled_for: Millis) -> Answer<Vec<FinishedStep>> {
        self.read_blocking(move |view| records::steps(view, task, scheduled_for))
    }

    fn finish_step(&self, fence: Fence, scheduled_for: Millis, step: FinishedStep) -> Answer<()> {
        let step = Box::new(step);
        self.ask(move |writer| writer.finish_step(fence, scheduled_for, &step).map(Some))
    }

    fn note_run(&self, fence: Fence, note: RunNote) -> Answer<()> {
        self.ask(move |writer| writer.note_run(fence, &note).map(Some))
    }
}

impl Bindings for SledStore {
    fn bindings(&self) -> Answer<Vec<Binding>> {
        self.read_blocking(records::bindings)
    }

    fn rewrite(&self, mut decide: Rewriting, audit: Option<Audit>) -> Answer<Vec<Binding>> {
        self.ask(move |writer| writer.rewrite(&mut decide, audit.as_ref()).map(Some))
    }
}
