//! The audit, the tokens and the sessions of a store in a directory.

use super::{
    SledStore,
    read::{audit, records},
};
use crate::{
    domain::{
        Millis,
        access::{record::TokenRecord, session::Session},
    },
    store::{Access, AccessChange, Answer, Audit, AuditPage, AuditQuery, Audits},
};

impl Audits for SledStore {
    fn audits(&self, query: AuditQuery) -> Answer<AuditPage> {
        self.read_blocking(move |view| audit::audits(view, &query))
    }

    fn add_audit(&self, audit: Audit) -> Answer<()> {
        self.ask(move |writer| writer.add_audit(&audit).map(Some))
    }

    fn remove_audits(&self, before: Millis) -> Answer<u64> {
        self.ask(move |writer| writer.remove_audits(before).map(Some))
    }
}

impl Access for SledStore {
    fn tokens(&self) -> Answer<Vec<TokenRecord>> {
        self.read_blocking(records::tokens)
    }

    fn sessions(&self) -> Answer<Vec<Session>> {
        self.read_blocking(records::sessions)
    }

    fn change_access(&self, changes: Vec<AccessChange>, audit: Option<Audit>) -> Answer<()> {
        self.ask(move |writer| writer.change_access(&changes, audit.as_ref()).map(Some))
    }
}
