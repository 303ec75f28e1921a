//! The key of the secrets: from the environment, or in a file of the data directory.

use std::{
    fs, hint, io,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;

use crate::{clock::random_bytes, domain::binding::read_key};

/// 32 bytes, zeroed when they are dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.fill(0);
        hint::black_box(&self.0);
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Makes a key of random bytes.
    #[must_use]
    pub fn random() -> Self {
        Self(random_bytes())
    }

    /// Reads a key: 32 bytes as hexadecimal or base64.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        read_key(text).map(Self)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn text(&self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

/// The place of the key.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// The variable `ISOCHRON_SECRET_KEY`.
    Variable(Key),
    /// This file, which the first secret makes.
    File(PathBuf),
}

impl KeySource {
    /// The place, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Variable(_) => "the variable ISOCHRON_SECRET_KEY".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// Reads a key file; `None` if there is none. A file that others may read is made private, with a warning.
///
/// # Errors
/// When it cannot be read or holds no key.
pub(super) fn read(path: &Path) -> io::Result<Option<Key>> {
    use std::os::unix::fs::PermissionsExt;
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        tracing::warn!(
            path = %path.display(),
            mode = format!("{mode:03o}"),
            "other users could read the key of the secrets; the file is private now (600): if it may have been \
             read, run `isochron secret rotate-key` and change the secrets"
        );
    }
    let wrong = "it holds no key: 32 bytes as 64 hexadecimal digits or as base64 are expected";
    Key::parse(&text).map(Some).ok_or_else(|| io::Error::other(wrong))
}

/// Writes a key file atomically and durably, readable by its owner only (mode 0600).
pub(super) fn write(path: &Path, key: &Key) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let unfinished = path.with_extension("unfinished");
    // A leftover may have another mode.
    remove(&unfinished)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{}", key.text())?;
    file.sync_all()?;
    rename(&unfinished, path)
}

/// Renames a file durably.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD};

    use super::*;

    #[test]
    fn a_key_is_read_as_hexadecimal_and_as_base64() {
        let key = Key([0xfb; 32]);
        let texts = [HEXLOWER.encode(&key.0), HEXLOWER.encode(&key.0).to_uppercase(), BASE64.encode(&key.0)];
        for text in texts.iter().chain([&BASE64_NOPAD.encode(&key.0), &BASE64URL_NOPAD.encode(&key.0)]) {
            assert_eq!(Key::parse(&format!("{text}\n")), Some(key.clone()), "{text}");
        }
        for wrong in
            ["", "password", &"0".repeat(63), &"0".repeat(66), &BASE64.encode(&[1; 31]), &"x".repeat(64)]
        {
            assert_eq!(Key::parse(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{key:?}"), "Key(…)");
    }
}
