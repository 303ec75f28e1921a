//! Opening: values by their key, and the key of a file after a kill.

use std::{io, path::Path};

use super::{
    key::{self, Key},
    seal,
};
use crate::domain::binding::{Binding, Content};

/// The value of a binding; `None` if the key does not open it.
pub(super) fn reveal(binding: &Binding, key: Option<&Key>) -> Option<String> {
    match &binding.content {
        Content::Plain(value) => Some(value.clone()),
        Content::Sealed(sealed) => seal::open(key?, &binding.name, sealed),
    }
}

/// The names of the secrets that the key does not open.
pub(super) fn closed<'a>(bindings: &'a [Binding], key: Option<&Key>) -> Vec<&'a str> {
    let closed = bindings.iter().filter(|binding| reveal(binding, key).is_none());
    closed.map(|binding| binding.name.as_str()).collect()
}

/// The key of a file; an interrupted rotation is finished or taken back.
pub(super) fn recover(path: &Path, bindings: &[Binding]) -> io::Result<Option<Key>> {
    let beside = path.with_extension("new");
    let current = key::read(path)?;
    let Some(new) = key::read(&beside)? else { return Ok(current) };
    if closed(bindings, current.as_ref()).is_empty() {
        key::remove(&beside)?;
        return Ok(current);
    }
    if closed(bindings, Some(&new)).is_empty() {
        key::rename(&beside, path)?;
        tracing::info!(path = %path.display(), "a rotation of the key that was interrupted is finished");
        return Ok(Some(new));
    }
    Ok(current)
}
