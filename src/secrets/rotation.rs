//! Rotation: a new key for all secrets.
//!
//! The new key is written beside the old one (`secret-key.new`), then the store replaces all sealed values
//! in one change, then the new file takes the old one's name. Wherever a kill ends this, one of the two
//! files opens every secret, and [`recover`] makes it the key.

use super::{
    key::{self, Key, KeySource},
    opening::{recover, reveal},
    seal,
    vault::{Vault, VaultError, key_error},
};
use crate::{
    domain::{
        audit::{Audit, Target},
        binding::{Binding, Content, Kind, Rejected, Rewrite},
        lock::lock,
    },
    store::Rewriting,
};

impl Vault {
    /// Seals every secret with a new key: `given`, where the key is in the variable, otherwise a random one
    /// in the file. Returns the number of secrets. `audit` is written with it.
    ///
    /// # Errors
    /// A key that does not open every secret, or a `given` key that does not fit the place of the key.
    pub async fn rotate(&self, given: Option<Key>, audit: Audit) -> Result<usize, VaultError> {
        let _changing = self.changing.lock().await;
        let new = match (&self.source, given) {
            (KeySource::Variable(_), None) => {
                return Err(VaultError::Rotation(
                    "the key is in ISOCHRON_SECRET_KEY: give the new one on standard input, 32 bytes as 64 \
                     hexadecimal digits or as base64",
                ));
            }
            (KeySource::File(_), Some(_)) => {
                return Err(VaultError::Rotation(
                    "the key is in a file, for which a new one is made: give none on standard input",
                ));
            }
            (_, given) => given.unwrap_or_else(Key::random),
        };
        self.settle().await?;
        self.prepare(&new)?;
        let count = self.reseal(&new, audit).await?;
        self.finish(new)?;
        Ok(count)
    }

    /// Brings the key in step with the store, which a rotation that failed may have left behind: its new
    /// key may be the only one that opens the secrets, and the next one takes the place of its file.
    async fn settle(&self) -> Result<(), VaultError> {
        let bindings = self.store.bindings().await?;
        if let KeySource::File(path) = &self.source {
            let key = recover(path, &bindings).map_err(key_error(&self.source))?;
            lock(&self.state).key = key;
        }
        self.keep(bindings);
        self.problem().map_or(Ok(()), |_| Err(Rejected::OtherKey.into()))
    }

    /// Writes the new key beside the old one.
    pub(super) fn prepare(&self, new: &Key) -> Result<(), VaultError> {
        let KeySource::File(path) = &self.source else { return Ok(()) };
        key::write(&path.with_extension("new"), new).map_err(key_error(&self.source))
    }

    /// Replaces every sealed value in one change of the store.
    pub(super) async fn reseal(&self, new: &Key, audit: Audit) -> Result<usize, VaultError> {
        let (old, new) = (lock(&self.state).key.clone(), new.clone());
        let decide: Rewriting = Box::new(move |bindings, _| {
            let secrets = bindings.iter().filter(|binding| binding.kind() == Kind::Secret);
            secrets.map(|secret| reseal(secret, old.as_ref(), &new)).collect()
        });
        let after = self.store.rewrite(decide, Some(audit.on(Target::new("secret-key", "")))).await?;
        let secrets = after.iter().filter(|binding| binding.kind() == Kind::Secret).count();
        self.keep(after);
        Ok(secrets)
    }

    /// Makes the new key the one that is used.
    pub(super) fn finish(&self, new: Key) -> Result<(), VaultError> {
        if let KeySource::File(path) = &self.source {
            key::rename(&path.with_extension("new"), path).map_err(key_error(&self.source))?;
        }
        lock(&self.state).key = Some(new);
        Ok(())
    }
}

fn reseal(secret: &Binding, old: Option<&Key>, new: &Key) -> Result<Rewrite, Rejected> {
    let value = reveal(secret, old).ok_or(Rejected::OtherKey)?;
    let sealed = seal::seal(new, &secret.name, &value).ok_or(Rejected::OtherKey)?;
    Ok(Rewrite::Put(Binding { content: Content::Sealed(sealed), ..secret.clone() }))
}
