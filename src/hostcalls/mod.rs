//! Host calls: the questions that a handler may ask the server while it runs.
//!
//! A call comes from a runner through `runtime`, with its [`Caller`], which the server itself
//! knows. By then `runtime::conversation` has checked the limits (`CALLS_AT_ONCE`,
//! `CALLS_PER_RUN` in `runtime::protocol`). Here a call is checked against the caller's grants and answered.
//!
//! To add one: a variant of `runtime::protocol::HostCall`, a line in the one `match` below, and a
//! file for its work.
//!
//! Misuse to avoid: believing an argument. A handler may have broken out into its runner, so
//! every argument is bounded and checked here, whatever `runtime-js` has done before. And work
//! that goes on when its future is dropped: a call ends with the run that made it.

mod modules;
mod system;

use std::sync::Arc;

use self::system::System;
use crate::{
    clock::Clock,
    handlers::files::Files,
    runtime::{
        Caller, HostCalls, Later,
        protocol::{Answer, HostCall},
    },
    store::Store,
};

/// The host calls of a server, or of `isochron run`.
pub struct ServerCalls {
    files: Files,
    system: Option<System>,
}

impl ServerCalls {
    /// The host calls of a server.
    #[must_use]
    pub fn new(files: Files, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { files, system: Some(System::new(store, clock)) }
    }

    /// The host calls of `isochron run`, which has no store.
    #[must_use]
    pub fn without_store(files: Files) -> Self {
        Self { files, system: None }
    }
}

impl HostCalls for ServerCalls {
    fn answer<'a>(&'a self, caller: &'a Caller, call: HostCall) -> Later<'a, Result<Answer, String>> {
        Box::pin(async move {
            match call {
                HostCall::Module { from, specifier } => {
                    modules::find(&self.files, from, specifier).await.map(Answer::Module)
                }
                HostCall::System(_) if !caller.grants.system => Err(format!(
                    "the handler {} may not use isochron:system: it is not in the server's systemHandlers setting",
                    caller.handler
                )),
                HostCall::System(call) => {
                    let system = self.system.as_ref().ok_or(
                        "isochron:system needs the server's store: create a task for this handler and run it there",
                    )?;
                    if caller.attempt.is_none() {
                        return Err(
                            "isochron:system answers while a task runs, not while its handler is checked"
                                .to_owned(),
                        );
                    }
                    system.answer(call).await.map(|value| Answer::Json(value.to_string()))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
