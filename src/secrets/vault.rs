//! The vault: all secrets and variables of a store, and the key.

use std::{io, sync::Arc};

use serde_json::{Value, json};

use super::{
    key::{self, Key, KeySource},
    opening::{closed, recover, reveal},
    seal,
};
use crate::{
    clock::Clock,
    cluster::Reading,
    domain::{
        Millis,
        access::{pattern::Pattern, redact::MASK},
        audit::{Audit, FieldChange, Target, changed, shorten},
        binding::{Binding, Content, Kind, MOST_BINDINGS, MOST_BYTES, Rejected, Rewrite},
        lock::lock,
    },
    store::{Rewriting, Store, StoreError},
};

/// All secrets and variables of a store.
pub struct Vault {
    pub(super) store: Arc<dyn Store>,
    pub(super) source: KeySource,
    pub(super) state: std::sync::Mutex<State>,
    /// Held while bindings or the key change.
    pub(super) changing: tokio::sync::Mutex<()>,
    /// The age of the bindings, where other servers may change them in the store.
    reading: Option<Reading>,
}

pub(super) struct State {
    pub(super) bindings: Arc<Vec<Binding>>,
    /// Counts the changes of this server.
    edits: u64,
    pub(super) key: Option<Key>,
}

/// Why the vault cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key file cannot be read or written.
    #[error("the key of the secrets, {path}")]
    Key {
        /// The file.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// The cipher failed; the value is too long for it.
    #[error("the value cannot be encrypted")]
    Cipher,
    /// A rotation was asked for in a way that does not fit the place of the key.
    #[error("{0}")]
    Rotation(&'static str),
}

impl From<Rejected> for VaultError {
    fn from(error: Rejected) -> Self {
        Self::Store(error.into())
    }
}

/// A change of a secret or a variable. A field of `None` stays as it is.
#[derive(Clone, Default)]
pub struct Change {
    /// The value; needed for a new name. Checked by [`check_value`](crate::domain::binding::check_value).
    pub value: Option<String>,
    /// The handlers that may read it; at first none.
    pub handlers: Option<Vec<Pattern>>,
    /// Whether it is in their environment; at first a variable is, a secret is not.
    pub env: Option<bool>,
}

/// A variable of a run's environment.
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; or, for a secret that cannot be read, a sentence for the handler's author.
    pub value: Result<String, String>,
    /// Whether it is to be masked.
    pub secret: bool,
}

impl Vault {
    /// Opens the vault of a store. A key that does not fit is a warning, and [`Vault::problem`] tells it.
    ///
    /// # Errors
    /// When the store cannot be read, or the key file holds no key.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        source: KeySource,
    ) -> Result<Self, VaultError> {
        let bindings = Arc::new(store.bindings().await?);
        let key = match &source {
            KeySource::Variable(key) => Some(key.clone()),
            KeySource::File(path) => recover(path, &bindings).map_err(key_error(&source))?,
        };
        let state = std::sync::Mutex::new(State { bindings, edits: 0, key });
        let reading = store.shared().map(|_| Reading::new(clock));
        let vault = Self { store, source, state, changing: tokio::sync::Mutex::default(), reading };
        if let Some(problem) = vault.problem() {
            tracing::warn!("{problem}");
        }
        Ok(vault)
    }

    /// Takes over the changes of other servers that share the store and are older than `within` milliseconds. Without
    /// an answer of the store, the secrets and variables stay as they are.
    pub async fn follow(&self, within: Millis) {
        let Some(reading) = &self.reading else { return };
        let Some(turn) = reading.begin(within).await else { return };
        let edits = lock(&self.state).edits;
        match self.store.bindings().await {
            Ok(bindings) => {
                let mut state = lock(&self.state);
                // This server knows its own changes.
                if state.edits == edits {
                    state.bindings = Arc::new(bindings);
                    drop(state);
                    turn.end();
                }
            }
            Err(error) => tracing::warn!(%error, "the secrets of other servers cannot be read"),
        }
    }

    /// The reason why secrets cannot be read, if there is one.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let state = lock(&self.state);
        let count = closed(&state.bindings, state.key.as_ref()).len();
        if count == 0 {
            return None;
        }
        let place = self.source.describe();
        let why = if state.key.is_some() { "the key is another one" } else { "there is no key" };
        Some(format!(
            "{count} secrets cannot be read with the key in {place}: {why}. Put the key back that they were set \
             with; until then no secret can be set"
        ))
    }

    /// All secrets or all variables, in the order of their names.
    pub async fn list(&self, kind: Kind) -> Vec<Binding> {
        self.follow(0).await;
        self.bindings().iter().filter(|binding| binding.kind() == kind).cloned().collect()
    }

    /// The secret or the variable with this name.
    ///
    /// # Errors
    /// [`Rejected::NotFound`].
    pub async fn find(&self, kind: Kind, name: &str) -> Result<Binding, VaultError> {
        self.follow(0).await;
        let found = self.bindings().iter().find(|binding| binding.name == name).cloned();
        Ok(found.filter(|binding| binding.kind() == kind).ok_or(Rejected::NotFound(kind))?)
    }

    /// The variables of the environment of a run; with its secrets if `secrets` says so.
    #[must_use]
    pub fn environment(&self, handler: &str, secrets: bool) -> Vec<Variable> {
        let state = lock(&self.state);
        let granted = state.bindings.iter().filter(|binding| binding.env && binding.is_granted_to(handler));
        let variables = granted.filter_map(|binding| {
            let secret = binding.kind() == Kind::Secret;
            let value = || reveal(binding, state.key.as_ref()).ok_or_else(|| self.explain_key(&binding.name));
            (secrets || !secret).then(|| Variable { name: binding.name.clone(), value: value(), secret })
        });
        variables.collect()
    }

    /// The value of a secret, for a handler that asks for it.
    ///
    /// # Errors
    /// A sentence for the handler's author.
    pub fn read(&self, handler: &str, name: &str) -> Result<String, String> {
        let state = lock(&self.state);
        let found = state.bindings.iter().find(|binding| binding.name == name);
        match found {
            None => Err(format!(
                "the secret {name} is missing: set it with `isochron secret set {name} --handlers {handler}`"
            )),
            Some(binding) if binding.kind() == Kind::Variable => {
                Err(format!("{name} is a variable, not a secret: read it as process.env.{name}"))
            }
            Some(binding) if !binding.is_granted_to(handler) => Err(format!(
                "the secret {name} is not granted to the handler {handler}: add the handler to the secret's \
                 handlers"
            )),
            Some(binding) => reveal(binding, state.key.as_ref()).ok_or_else(|| self.explain_key(name)),
        }
    }

    fn explain_key(&self, name: &str) -> String {
        let place = self.source.describe();
        format!("the secret {name} cannot be read: the key in {place} is not the one that it was set with")
    }

    /// Sets a secret or a variable: whether it is new, and the binding. `audit` is written with it, with the
    /// changes but no value of a secret.
    ///
    /// # Errors
    /// A name of the other kind, a new name without value, limits, a key that does not open the others.
    pub async fn set(
        &self,
        kind: Kind,
        name: &str,
        change: Change,
        audit: Audit,
    ) -> Result<(bool, Binding), VaultError> {
        let _changing = self.changing.lock().await;
        self.follow(0).await;
        let before = self.bindings();
        let old = before.iter().find(|binding| binding.name == name);
        let audit =
            Audit { changes: changes(kind, old, &change), ..audit.on(Target::new(kind.word(), name)) };
        let content = match change.value {
            None => None,
            Some(value) if kind == Kind::Variable => Some(Content::Plain(value)),
            Some(value) => {
                let key = self.key_for_new(name)?;
                Some(Content::Sealed(seal::seal(&key, name, &value).ok_or(VaultError::Cipher)?))
            }
        };
        let key = lock(&self.state).key.clone();
        let (name, wanted) = (name.to_owned(), name.to_owned());
        let (handlers, env) = (change.handlers, change.env);
        let decide: Rewriting = Box::new(move |bindings, now| {
            let old = bindings.iter().find(|binding| binding.name == name);
            let binding = merge(kind, &name, old, (content.clone(), handlers.clone(), env), now)?;
            if matches!(content, Some(Content::Sealed(_)))
                && closed(bindings, key.as_ref()).iter().any(|other| *other != name)
            {
                return Err(Rejected::OtherKey);
            }
            check_limits(bindings, &binding)?;
            Ok(vec![Rewrite::Put(binding)])
        });
        let after = self.store.rewrite(decide, Some(audit));
        let after = self.keep(after.await?);
        let set = after.iter().find(|binding| binding.name == wanted).cloned();
        let is_new = before.iter().all(|binding| binding.name != wanted);
        Ok((is_new, set.ok_or(Rejected::NotFound(kind))?))
    }

    /// Deletes a secret or a variable, and writes `audit` with it.
    ///
    /// # Errors
    /// [`Rejected::NotFound`].
    pub async fn delete(&self, kind: Kind, name: &str, audit: Audit) -> Result<(), VaultError> {
        let _changing = self.changing.lock().await;
        let name = name.to_owned();
        let audit = audit.on(Target::new(kind.word(), name.as_str()));
        let decide: Rewriting = Box::new(move |bindings, _| {
            let found = bindings.iter().any(|binding| binding.name == name && binding.kind() == kind);
            if found { Ok(vec![Rewrite::Remove(name.clone())]) } else { Err(Rejected::NotFound(kind)) }
        });
        let after = self.store.rewrite(decide, Some(audit));
        self.keep(after.await?);
        Ok(())
    }

    fn bindings(&self) -> Arc<Vec<Binding>> {
        lock(&self.state).bindings.clone()
    }

    pub(super) fn keep(&self, bindings: Vec<Binding>) -> Arc<Vec<Binding>> {
        let bindings = Arc::new(bindings);
        let mut state = lock(&self.state);
        state.edits += 1;
        state.bindings = bindings.clone();
        bindings
    }

    /// The key for a new value. The first secret makes the key file, durable before the value is.
    fn key_for_new(&self, name: &str) -> Result<Key, VaultError> {
        let mut state = lock(&self.state);
        if let Some(key) = &state.key {
            return Ok(key.clone());
        }
        if closed(&state.bindings, None).iter().any(|other| *other != name) {
            return Err(Rejected::OtherKey.into());
        }
        let key = Key::random();
        if let KeySource::File(path) = &self.source {
            key::write(path, &key).map_err(key_error(&self.source))?;
        }
        state.key = Some(key.clone());
        Ok(key)
    }
}

pub(super) fn key_error(source: &KeySource) -> impl Fn(io::Error) -> VaultError {
    let path = source.describe();
    move |source| VaultError::Key { path: path.clone(), source }
}

/// The fields that a change sets anew. Of a secret's value it tells only that it is there.
fn changes(kind: Kind, old: Option<&Binding>, change: &Change) -> Vec<FieldChange> {
    let mut found = Vec::new();
    if let Some(value) = &change.value {
        let masked = |there: bool| if there { json!(MASK) } else { Value::Null };
        let (from, to) = match (kind, old.map(|old| &old.content)) {
            (Kind::Variable, Some(Content::Plain(before))) => (json!(before), json!(value)),
            (Kind::Variable, _) => (Value::Null, json!(value)),
            (Kind::Secret, before) => (masked(before.is_some()), masked(true)),
        };
        let [from, to] = [from, to].map(shorten);
        // A secret that is set again may have changed: nobody can tell.
        if kind == Kind::Secret || from != to {
            found.push(FieldChange { field: "value".to_owned(), from, to });
        }
    }
    let handlers = change.handlers.as_ref();
    found.extend(handlers.and_then(|to| changed("handlers", json!(old.map(|old| &old.handlers)), json!(to))));
    found.extend(change.env.and_then(|to| changed("env", json!(old.map(|old| old.env)), json!(to))));
    found
}

/// The binding after a change.
fn merge(
    kind: Kind,
    name: &str,
    old: Option<&Binding>,
    (content, handlers, env): (Option<Content>, Option<Vec<Pattern>>, Option<bool>),
    now: Millis,
) -> Result<Binding, Rejected> {
    let old = match old {
        Some(old) if old.kind() != kind => {
            return Err(Rejected::OtherKind { name: name.to_owned(), kind: old.kind() });
        }
        old => old,
    };
    Ok(Binding {
        name: name.to_owned(),
        content: content.or_else(|| old.map(|old| old.content.clone())).ok_or(Rejected::NoValue(kind))?,
        handlers: handlers.or_else(|| old.map(|old| old.handlers.clone())).unwrap_or_default(),
        env: env.or_else(|| old.map(|old| old.env)).unwrap_or(kind == Kind::Variable),
        created_at: old.map_or(now, |old| old.created_at),
        updated_at: now,
    })
}

fn check_limits(bindings: &[Binding], new: &Binding) -> Result<(), Rejected> {
    let others = || bindings.iter().filter(|binding| binding.name != new.name);
    if others().count() >= MOST_BINDINGS {
        return Err(Rejected::TooMany);
    }
    if others().map(Binding::bytes).sum::<usize>() + new.bytes() > MOST_BYTES {
        return Err(Rejected::TooLarge);
    }
    Ok(())
}
