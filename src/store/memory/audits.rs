//! The audit of a store in memory.

use super::{MemoryStore, list, prepare};
use crate::{
    domain::Millis,
    store::{Answer, Audit, AuditPage, AuditQuery, Audits, ready},
};

impl Audits for MemoryStore {
    fn audits(&self, query: AuditQuery) -> Answer<AuditPage> {
        ready(list::audits(&self.disk.data(), &query))
    }

    fn add_audit(&self, audit: Audit) -> Answer<()> {
        self.perform(prepare::add_audit(audit))
    }

    fn remove_audits(&self, before: Millis) -> Answer<u64> {
        self.perform(prepare::remove_audits(before))
    }
}
