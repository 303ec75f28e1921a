//! Finds the file of tasks in the handlers' folder.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use sha2::{Digest, Sha256};

use super::finding::Finding;
use crate::{domain::Millis, handlers::read_below};

/// The names of the file: plain JSON, and JSON with comments.
pub const NAMES: [&str; 2] = ["tasks.json", "tasks.jsonc"];
/// The coarsest clock of a file system, in nanoseconds.
const COARSEST: i128 = 3_000_000_000;

/// The file of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The folder is not there.
    NoFolder,
    /// The folder has no file of tasks.
    Absent,
    /// The file is there.
    Text {
        /// One of [`NAMES`].
        name: &'static str,
        /// The whole text, without a byte order mark.
        text: String,
    },
    /// The file cannot be read, or both names are there.
    Broken(Finding),
}

impl Found {
    /// A hash by which two readings are compared.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(format!("{self:?}")).into()
    }
}

/// The state of both names in the file system, without their texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    is_folder: bool,
    /// Inode, size, and the times of the last change of the text and of anything, in nanoseconds.
    files: [Option<(u64, u64, i128, i128)>; 2],
}

impl Stamp {
    pub(super) fn read(folder: &Path) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        let stamp = |name: &str| {
            let found = fs::metadata(folder.join(name)).ok()?;
            let changed = nanoseconds(found.ctime(), found.ctime_nsec());
            Some((found.ino(), found.size(), nanoseconds(found.mtime(), found.mtime_nsec()), changed))
        };
        Self { is_folder: folder.is_dir(), files: NAMES.map(stamp) }
    }

    /// Whether the last change is so long ago that a later one has another time on any file system.
    pub(super) fn is_old(&self, now: Millis) -> bool {
        let before = i128::from(now) * 1_000_000 - COARSEST;
        self.files.iter().flatten().all(|(.., changed)| *changed < before)
    }
}

/// The name of a file of tasks in messages.
#[must_use]
pub fn shown(name: &str) -> String {
    format!("tasks/{name}")
}

/// Reads the file of tasks of the handlers' folder.
#[must_use]
pub fn find(folder: &Path) -> Found {
    let mut there = NAMES.into_iter().filter(|name| fs::symlink_metadata(folder.join(name)).is_ok());
    let Some(name) = there.next() else {
        return if folder.is_dir() { Found::Absent } else { Found::NoFolder };
    };
    if let Some(other) = there.next() {
        let problem = format!("{} is there as well: keep one of the two", shown(other));
        return Found::Broken(Finding::whole(&shown(name), problem));
    }
    match read(folder, name) {
        Ok(text) => Found::Text { name, text },
        Err(error) => Found::Broken(Finding::whole(&shown(name), format!("cannot be read: {error}"))),
    }
}

/// Reads the file as handlers are read: it is regular, not too large, and no link leads it out of the folder.
fn read(folder: &Path, name: &str) -> io::Result<String> {
    let bytes = read_below(folder, name)?;
    let bytes = bytes.ok_or_else(|| io::Error::other("it is no file, or a link to none"))?;
    let mut text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}
