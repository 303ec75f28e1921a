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

mod alone;
mod fetch;
mod kv;
mod modules;
mod secrets;
mod steps;
mod system;

use std::{
    fmt::Display,
    sync::{Arc, Mutex},
};

use serde_json::Value;

pub use self::alone::Alone;
use self::{fetch::Fetches, kv::Kv, steps::Steps, system::System};
use crate::{
    clock::Clock,
    domain::{Millis, binding::mask::Mask, execution::Traffic},
    handlers::load::Given,
    network::Client,
    runtime::{
        Attempt, Caller, HostCalls, Later, RunCalls,
        protocol::{Answer, HostCall, SystemCall},
    },
    secrets::Vault,
    store::{Quota, Store},
};

/// A run has the secrets and variables that were set on another server this many milliseconds before, and later.
const SECRETS_FOLLOWED_WITHIN: Millis = 500;

/// The host calls of a server, or of `isochron run`.
pub struct ServerCalls(Arc<Services>);

/// The parts of the server that host calls use.
struct Services {
    system: Option<System>,
    kv: Kv,
    steps: Steps,
    client: Client,
    vault: Option<Arc<Vault>>,
}

impl ServerCalls {
    /// The host calls of a server.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, client: Client, quota: Quota) -> Self {
        let system = System::new(store.clone(), clock);
        Self(Arc::new(Services { system: Some(system), ..Services::new(store, client, quota) }))
    }

    /// The same with secrets and variables. Call before the first run begins.
    #[must_use]
    pub fn with_vault(mut self, vault: Arc<Vault>) -> Self {
        if let Some(services) = Arc::get_mut(&mut self.0) {
            services.vault = Some(vault);
        }
        self
    }

    /// The host calls of `isochron run`, whose store is not a server's.
    #[must_use]
    pub fn without_system(store: Arc<dyn Store>, client: Client, quota: Quota) -> Self {
        Self(Arc::new(Services::new(store, client, quota)))
    }
}

impl Services {
    /// Takes over the secrets and variables that other servers have set.
    async fn follow_secrets(&self) {
        if let Some(vault) = &self.vault {
            vault.follow(SECRETS_FOLLOWED_WITHIN).await;
        }
    }

    fn new(store: Arc<dyn Store>, client: Client, quota: Quota) -> Self {
        Self {
            system: None,
            kv: Kv::new(store.clone(), quota),
            steps: Steps::new(store),
            client,
            vault: None,
        }
    }

    async fn answer_system(&self, caller: &Caller, call: SystemCall) -> Result<Value, String> {
        if !caller.grants.system {
            return Err(format!(
                "the handler {} may not use isochron:system: it is not in the server's systemHandlers setting",
                caller.handler
            ));
        }
        let system = self.system.as_ref().ok_or(
            "isochron:system needs the server's store: create a task for this handler and run it there",
        )?;
        running(caller, "isochron:system")?;
        system.answer(call).await
    }
}

impl HostCalls for ServerCalls {
    fn prepare(&self) -> Later<'_, ()> {
        Box::pin(async { self.0.follow_secrets().await })
    }

    fn begin(&self, caller: Caller) -> Arc<dyn RunCalls> {
        let fetches = Fetches::new(&self.0.client, &caller);
        Arc::new(CallsOfRun {
            services: self.0.clone(),
            caller,
            fetches,
            given: Arc::default(),
            mask: Mutex::default(),
        })
    }
}

/// The host calls of one run. Its requests end when it is dropped.
struct CallsOfRun {
    services: Arc<Services>,
    caller: Caller,
    fetches: Fetches,
    given: Arc<Given>,
    mask: Mutex<Mask>,
}

impl RunCalls for CallsOfRun {
    fn answer(self: Arc<Self>, call: HostCall) -> Later<'static, Result<Answer, String>> {
        let fetch = match call {
            HostCall::Fetch(call) => self.fetches.admit(call),
            call => return Box::pin(async move { self.answer_call(call).await }),
        };
        Box::pin(async move { Ok(Answer::Fetch(self.fetches.answer(fetch).await)) })
    }

    fn environment(&self) -> Vec<(String, Result<String, String>)> {
        let vault = self.services.vault.as_deref();
        vault.map_or_else(Vec::new, |vault| secrets::environment(vault, &self.caller, &self.mask))
    }

    fn mask(&self) -> &Mutex<Mask> {
        &self.mask
    }

    fn traffic(&self) -> Traffic {
        self.fetches.traffic()
    }
}

impl CallsOfRun {
    async fn answer_call(&self, call: HostCall) -> Result<Answer, String> {
        let Self { services, caller, fetches, given, mask } = self;
        let value = match call {
            HostCall::Module { from, specifier, way } => {
                return modules::load(&caller.files, given, from, specifier, way).await;
            }
            HostCall::Resolve { from, specifier, way } => {
                return modules::resolve(&caller.files, from, specifier, way).await;
            }
            HostCall::Fetch(call) => {
                let admitted = fetches.admit(call);
                return Ok(Answer::Fetch(fetches.answer(admitted).await));
            }
            HostCall::Secret { name } => {
                services.follow_secrets().await;
                secrets::read(services.vault.as_deref(), caller, mask, &name)?
            }
            HostCall::System(call) => services.answer_system(caller, call).await?,
            HostCall::Kv(call) => services.kv.answer(running(caller, "ctx.kv")?, call).await?,
            HostCall::Step(call) => {
                services.steps.answer(running(caller, "ctx.step")?, &caller.live, call).await?
            }
        };
        Ok(Answer::Json(value.to_string()))
    }
}

/// The attempt of a caller that runs. A handler that is only checked changes nothing.
fn running(caller: &Caller, function: &str) -> Result<Attempt, String> {
    caller
        .attempt
        .ok_or_else(|| format!("{function} answers while a task runs, not while its handler is checked"))
}

fn explain(error: impl Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;
