//! Isolates: their extensions, their startup snapshot, and its warm-up.

pub(crate) mod engine;
pub(crate) mod extensions;
pub(crate) mod fresh;
pub(crate) mod heap_anchor;
pub(crate) mod snapshot;
pub(crate) mod warmup;
