//! Relations: tasks that run after other tasks, and tasks that share the slots of a key.

mod chain;
mod keys;

pub(super) use self::keys::Keys;
