//! Secrets: the values that handlers may read, secrets and variables alike ([`Binding`](crate::domain::binding::Binding)).
//!
//! A [`Vault`] stands between the store, which keeps sealed values, and everyone who sets or reads them.
//! It holds the key ([`key`]) and a copy of all bindings, so that a run's environment costs no read.
//! A value leaves it in two ways only: as the environment of a run and as the answer to a run that asks
//! for it ([`Vault::read`]), both for handlers that it is granted to.
//!
//! With a key that does not open the secrets there are, none is read, none is set and nothing is changed.
//!
//! Misuse to avoid: a value in a log line, an error or an answer of the API. And two vaults that change
//! one store: each would show its own changes only.

pub mod key;
mod opening;
mod rotation;
mod seal;
#[cfg(test)]
mod tests;
mod vault;

pub use self::vault::{Change, Variable, Vault, VaultError};
