//! One run in an isolate: the session that its ops see, its event loop, its outcome, and the stack
//! that is recorded when it fails or is stopped.

pub(crate) mod drive;
pub(crate) mod entries;
pub(crate) mod fetches;
pub(crate) mod files;
pub(crate) mod outcome;
pub(crate) mod session;
pub(crate) mod stack;
