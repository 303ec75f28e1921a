//! Operations of the faulty store that no actor asks for: the store in memory serves them.

use super::store::FaultyStore;
use crate::{
    domain::{
        Millis,
        access::{record::TokenRecord, session::Session},
    },
    store::{
        Access, AccessChange, Answer, Audit, AuditPage, AuditQuery, Audits, Copies,
        copy::{Cursor, Import, Part},
    },
};

impl Copies for FaultyStore {
    fn export(&self, from: Cursor) -> Answer<Part> {
        self.memory().export(from)
    }

    fn import(&self, import: Import) -> Answer<()> {
        self.memory().import(import)
    }
}

impl Audits for FaultyStore {
    fn audits(&self, query: AuditQuery) -> Answer<AuditPage> {
        self.memory().audits(query)
    }

    fn add_audit(&self, audit: Audit) -> Answer<()> {
        self.memory().add_audit(audit)
    }

    fn remove_audits(&self, before: Millis) -> Answer<u64> {
        self.memory().remove_audits(before)
    }
}

impl Access for FaultyStore {
    fn tokens(&self) -> Answer<Vec<TokenRecord>> {
        self.memory().tokens()
    }

    fn sessions(&self) -> Answer<Vec<Session>> {
        self.memory().sessions()
    }

    fn change_access(&self, changes: Vec<AccessChange>, audit: Option<Audit>) -> Answer<()> {
        self.memory().change_access(changes, audit)
    }
}
