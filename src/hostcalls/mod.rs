//! Host calls: the questions that a handler may ask the server while it runs.
//!
//! A call comes from a runner through `runtime`, with its [`Caller`], which the server itself
//! knows. By then `runtime::conversation` has checked the limits (`CALLS_AT_ONCE`,
//! `CALLS_PER_RUN` in `runtime::protocol`). Here a call is checked against the caller's grants and answered.
//!
//! To add one: a variant of `runtime::protocol::HostCall`, a line in the one `match` below, and a
//! file for its work. A call that has to keep its place among others begins before its future.
//!
//! Misuse to avoid: believing an argument. A handler may have broken out into its runner, so
//! every argument is bounded and checked here, whatever `runtime-js` has done before. And work
//! that goes on when its future is dropped: a call ends with the run that made it.

mod fetch;
mod modules;
mod system;

use std::sync::Arc;

use serde_json::Value;

use self::{fetch::Fetches, system::System};
use crate::{
    clock::Clock,
    domain::execution::Traffic,
    handlers::files::Files,
    network::Client,
    runtime::{
        Caller, HostCalls, Later, RunCalls,
        protocol::{Answer, HostCall, SystemCall},
    },
    store::Store,
};

/// The host calls of a server, or of `isochron run`.
pub struct ServerCalls(Arc<Services>);

/// The parts of the server that host calls use.
struct Services {
    files: Files,
    system: Option<System>,
    client: Client,
}

impl ServerCalls {
    /// The host calls of a server.
    #[must_use]
    pub fn new(files: Files, store: Arc<dyn Store>, clock: Arc<dyn Clock>, client: Client) -> Self {
        Self(Arc::new(Services { files, system: Some(System::new(store, clock)), client }))
    }

    /// The host calls of `isochron run`, which has no store.
    #[must_use]
    pub fn without_store(files: Files, client: Client) -> Self {
        Self(Arc::new(Services { files, system: None, client }))
    }
}

impl HostCalls for ServerCalls {
    fn begin(&self, caller: Caller) -> Arc<dyn RunCalls> {
        let fetches = Fetches::new(&self.0.client, &caller);
        Arc::new(CallsOfRun { services: self.0.clone(), caller, fetches })
    }
}

/// The host calls of one run. Its requests end when it is dropped.
struct CallsOfRun {
    services: Arc<Services>,
    caller: Caller,
    fetches: Fetches,
}

impl RunCalls for CallsOfRun {
    fn answer(self: Arc<Self>, call: HostCall) -> Later<'static, Result<Answer, String>> {
        match call {
            HostCall::Module { from, specifier } => Box::pin(async move {
                modules::find(&self.services.files, from, specifier).await.map(Answer::Module)
            }),
            HostCall::System(call) => {
                Box::pin(async move { self.system(call).await.map(|value| Answer::Json(value.to_string())) })
            }
            HostCall::Fetch(call) => {
                let admitted = self.fetches.admit(call);
                Box::pin(async move { Ok(Answer::Fetch(self.fetches.answer(admitted).await)) })
            }
        }
    }

    fn traffic(&self) -> Traffic {
        self.fetches.traffic()
    }
}

impl CallsOfRun {
    async fn system(&self, call: SystemCall) -> Result<Value, String> {
        if !self.caller.grants.system {
            return Err(format!(
                "the handler {} may not use isochron:system: it is not in the server's systemHandlers setting",
                self.caller.handler
            ));
        }
        let system = self.services.system.as_ref().ok_or(
            "isochron:system needs the server's store: create a task for this handler and run it there",
        )?;
        if self.caller.attempt.is_none() {
            return Err(
                "isochron:system answers while a task runs, not while its handler is checked".to_owned()
            );
        }
        system.answer(call).await
    }
}

#[cfg(test)]
mod tests;
