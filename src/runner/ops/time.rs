//! The run's clock, for `performance`.

use deno_core::{OpState, op2};

use crate::runner::run::session::Session;

/// Start of the run in milliseconds since 1970-01-01 UTC, with their fraction.
#[op2(fast)]
pub(crate) fn op_isochron_origin(state: &mut OpState) -> f64 {
    let run = state.borrow::<Session>().run.as_ref();
    run.map(|run| run.origin.as_secs_f64() * 1000.0).unwrap_or_default()
}

/// Milliseconds since the run started.
#[op2(fast)]
pub(crate) fn op_isochron_now(state: &mut OpState) -> f64 {
    let run = state.borrow::<Session>().run.as_ref();
    run.map(|run| run.elapsed().as_secs_f64() * 1000.0).unwrap_or_default()
}
