//! Opening: the lock, the recovery of sled's files, sled itself and the first part of the scrub.

pub(crate) mod files;
pub(crate) mod opening;
pub(crate) mod recover_files;
