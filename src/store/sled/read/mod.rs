//! Reading: durable records and lists of them, beside the writer.

pub(crate) mod list;
pub(crate) mod records;
pub(crate) mod view;
