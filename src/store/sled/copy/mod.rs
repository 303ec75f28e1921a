//! Copies: the store's records read in parts, and taken in again.

pub(crate) mod export;
pub(crate) mod import;
