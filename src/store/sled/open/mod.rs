//! Opening: the lock, the engine's files and what is put right in them first.

pub(crate) mod files;
pub(crate) mod lock;
pub(crate) mod opening;
pub(crate) mod recover_files;
