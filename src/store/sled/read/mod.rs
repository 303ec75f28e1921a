//! Reading: durable records and lists of them, without waiting for the writer.

pub(crate) mod audit;
pub(crate) mod figures;
pub(crate) mod history;
pub(crate) mod kept;
pub(crate) mod list;
pub(crate) mod outbox;
pub(crate) mod records;
pub(crate) mod view;
