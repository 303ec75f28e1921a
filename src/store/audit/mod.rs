//! Audit: the records of what was done, by time, and by task.

use super::{StoreError, words::Answer};
pub use crate::domain::audit::Audit;
use crate::domain::{Millis, ids::TaskId};

/// Records of the audit that one removal takes at most, so that other changes do not wait for it.
pub(super) const REMOVED_AT_ONCE: usize = 256;

/// The place of a record in the audit: its time, and its number among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditPlace {
    /// Epoch milliseconds.
    pub time: Millis,
    /// Grows with each record.
    pub number: u64,
}

/// Filters and page of the audit, newest first. A filter of `None` lets every record through.
#[derive(Debug, Clone)]
pub struct AuditQuery {
    /// Filter: the task.
    pub task: Option<TaskId>,
    /// Filter: the name of the token or file.
    pub actor: Option<String>,
    /// Filter: the action.
    pub action: Option<String>,
    /// Filter: the earliest time.
    pub from: Millis,
    /// Filter: the latest time.
    pub until: Millis,
    /// Only records before this one.
    pub before: Option<AuditPlace>,
    /// Records to return at most.
    pub limit: usize,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self {
            task: None,
            actor: None,
            action: None,
            from: Millis::MIN,
            until: Millis::MAX,
            before: None,
            limit: 100,
        }
    }
}

impl AuditQuery {
    /// Records that one page looks at, at most.
    pub const MOST_LOOKED_AT: usize = 5000;

    /// Whether the filters besides the times let a record through.
    fn lets_through(&self, audit: &Audit) -> bool {
        let is = |wanted: &Option<String>, name: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| name == Some(wanted))
        };
        self.task.is_none_or(|task| audit.task_id == Some(task))
            && is(&self.actor, audit.actor.as_ref().map(|actor| actor.name.as_str()))
            && is(&self.action, Some(&audit.action))
    }
}

/// A part of the audit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditPage {
    /// Newest first, each with its place.
    pub records: Vec<(AuditPlace, Audit)>,
    /// The next page is before this record; `None` at the end.
    pub next: Option<AuditPlace>,
    /// Whether the page is full, or the audit is at its end, and the index has every record.
    pub complete: bool,
}

impl AuditPage {
    /// Fills the page of a query from records, newest first; `None` stands for a record that is damaged.
    pub(super) fn fill(
        query: &AuditQuery,
        records: impl Iterator<Item = Result<(AuditPlace, Option<Audit>), StoreError>>,
    ) -> Result<Self, StoreError> {
        let mut page = Self { complete: true, ..Self::default() };
        for (looked_at, found) in records.enumerate() {
            let (place, audit) = found?;
            if page.records.len() == query.limit || looked_at == AuditQuery::MOST_LOOKED_AT {
                page.complete = page.records.len() == query.limit;
                return Ok(page);
            }
            page.records.extend(audit.filter(|audit| query.lets_through(audit)).map(|audit| (place, audit)));
            page.next = Some(place);
        }
        Ok(Self { next: None, ..page })
    }
}

/// Records of the audit. Most are written with the change that they tell of.
pub trait Audits {
    /// Reads a part of the audit.
    fn audits(&self, query: AuditQuery) -> Answer<AuditPage>;
    /// Writes a record of something that changes nothing in the store.
    fn add_audit(&self, audit: Audit) -> Answer<()>;
    /// Removes a part of the records from before a time, the oldest first: the number removed, 0 when none is
    /// left.
    fn remove_audits(&self, before: Millis) -> Answer<u64>;
}
