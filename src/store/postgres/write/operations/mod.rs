//! The operations, by the records that they change.

mod alerts;
mod bindings;
mod chain;
mod entries;
mod history;
mod import;
mod nodes;
mod runs;
mod sources;
mod tasks;

#[cfg(test)]
pub(crate) use self::nodes::WORDS;
pub(crate) use self::{
    alerts::Settle,
    bindings::BINDINGS,
    bindings::{ChangeAccess, Rewrite},
    chain::Inform,
    entries::{EditEntry, owner_id},
    history::{AddAudit, Append, ChangeValues, RemoveAudits, RemoveHistory},
    import::ImportPart,
    nodes::{Admit, GiveUp, TakeTurn, TellLife, Wish},
    runs::{FinishStep, NoteRun},
    sources::NoteVersion,
    tasks::{Change, Claim, Create, Delete},
};
pub(super) use self::{entries::expire, history::sweep};
