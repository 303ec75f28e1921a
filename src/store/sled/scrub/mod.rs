//! The scrub of every record and index that each start begins, its repairs and its report; and the
//! verification of a closed store.

mod accounts;
pub(crate) mod repair;
pub(crate) mod report;
pub(crate) mod scrubber;
pub(crate) mod thread;
pub(crate) mod verify;
