//! Copies: export and import of the store's records in parts.

pub(crate) mod export;
pub(crate) mod import;
