//! The engine: the one tree of `sled` 0.34, the layout of its bytes, and an operation's view of it.
//!
//! `due` < `keys` < `reads`, `record` < `overflow` < `txn` (and `keys` < `rows`, `figures`, `outbox`, `audit`, `record` < `chunks`): each file uses only those before it.
//! Besides [`open`](super::open) only this room names the engine's crate; other rooms use the names below.

pub(crate) mod audit;
pub(crate) mod chunks;
pub(crate) mod due;
pub(crate) mod figures;
pub(crate) mod keys;
pub(crate) mod outbox;
pub(crate) mod overflow;
pub(crate) mod reads;
pub(crate) mod record;
pub(crate) mod rows;
pub(crate) mod txn;

pub(crate) use sled::{Batch, Db as Engine, IVec as Bytes, Result as EngineResult};
