//! The watchdog: the thread that reads the socket, keeps the limits and stops JavaScript.

pub(crate) mod flags;
pub(crate) mod interrupt;
pub(crate) mod limits;
pub(crate) mod link;
pub(crate) mod pump;
pub(crate) mod supervisor;
pub(crate) mod target;
pub(crate) mod watch;
