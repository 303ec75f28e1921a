//! The engine: the one tree of `sled` 0.34, the layout of its bytes, and one operation's view of it.
//!
//! `keys` < `record` < `overflow` < `txn` (and `record` < `chunks`): each uses only those before it. Beside [`open`](super::open)
//! this is the only room that names the engine's crate; the others use the names given here.

pub(crate) mod chunks;
pub(crate) mod keys;
pub(crate) mod overflow;
pub(crate) mod record;
pub(crate) mod txn;

pub(crate) use sled::{Batch, Db as Engine, IVec as Bytes, Result as EngineResult};
