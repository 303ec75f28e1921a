//! `ctx.secrets` and the variables of `process.env`.

use std::sync::Mutex;

use serde_json::Value;

use crate::{
    domain::{
        binding::{check_name, mask::Mask},
        lock::lock,
    },
    runtime::Caller,
    secrets::{Variable, Vault},
};

/// The value of a secret that is granted to the caller's handler; hidden in everything of its run from now
/// on.
pub(super) fn read(
    vault: Option<&Vault>,
    caller: &Caller,
    mask: &Mutex<Mask>,
    name: &str,
) -> Result<Value, String> {
    check_name(name).map_err(|problem| format!("the argument of ctx.secrets.get {problem}"))?;
    let vault = vault
        .ok_or("ctx.secrets needs a store with secrets: name its folder by isochron run --data DIR, or create a task for this handler")?;
    if caller.only_loads {
        return Err("ctx.secrets answers while a task runs, not while its handler is checked".to_owned());
    }
    let value = vault.read(&caller.handler, name)?;
    lock(mask).add(name, &value);
    Ok(Value::String(value))
}

/// The variables that are granted to the caller's handler, in a run also the secrets among them. A check of
/// the handler is given no secret.
pub(super) fn environment(
    vault: &Vault,
    caller: &Caller,
    mask: &Mutex<Mask>,
) -> Vec<(String, Result<String, String>)> {
    let variables = vault.environment(&caller.handler, !caller.only_loads);
    let given = variables.into_iter().map(|Variable { name, value, secret }| {
        if let (true, Ok(value)) = (secret, &value) {
            lock(mask).add(&name, value);
        }
        (name, value)
    });
    given.collect()
}
