//! Ops: the calls that `runtime-js` makes into the runner.

pub(crate) mod calls;
pub(crate) mod clone;
