//! Bundle: a version of all handlers' files, by the hash of its manifest.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::Millis;

/// Files are kept in chunks of this many bytes.
pub const CHUNK: usize = 512 * 1024;
/// The most files of a bundle.
pub const MOST_FILES: usize = 50_000;
/// The most bytes of a bundle.
pub const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// The most chunks of a manifest.
pub const MOST_PARTS: usize = 64;
/// The longest path of a file, in bytes.
const LONGEST_PATH: usize = 1024;

/// The files of a bundle by their paths, which have / between their parts.
pub type Manifest = BTreeMap<String, FileEntry>;

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Bytes.
    pub size: u64,
    /// SHA-256 (hexadecimal) of each chunk, in order.
    pub chunks: Vec<String>,
}

/// A bundle, without its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// SHA-256 (hexadecimal) of the manifest.
    pub id: String,
    /// When it was pushed first, epoch milliseconds.
    pub pushed_at: Millis,
    /// Who pushed it.
    pub pushed_by: String,
    /// Files.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The chunks of the manifest.
    pub manifest: Vec<String>,
}

/// SHA-256 (hexadecimal) of bytes.
#[must_use]
pub fn hash_of(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// Reads a manifest.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn read_manifest(bytes: &[u8]) -> Result<Manifest, String> {
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|error| format!("the manifest cannot be read: {error}"))?;
    if manifest.is_empty() {
        return Err("the bundle has no file".to_owned());
    }
    if manifest.len() > MOST_FILES {
        return Err(format!("the bundle has {} files; the most are {MOST_FILES}", manifest.len()));
    }
    let bytes: u64 = manifest.values().fold(0, |sum, file| sum.saturating_add(file.size));
    if bytes > MOST_BYTES {
        return Err(format!("the bundle has {bytes} bytes; the most are {MOST_BYTES}"));
    }
    for (path, file) in &manifest {
        check_path(path)?;
        let mut folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        if let Some(folder) = folders.find(|folder| manifest.contains_key(*folder)) {
            return Err(format!("the bundle has a file and a folder of one name: {folder:?}"));
        }
        let needed = file.size.div_ceil(CHUNK as u64);
        if file.chunks.len() as u64 != needed || !file.chunks.iter().all(|hash| is_hash(hash)) {
            return Err(format!("the file {path:?} has {} bytes and not the chunks for them", file.size));
        }
    }
    Ok(manifest)
}

/// Whether a text is a SHA-256 in lowercase hexadecimal.
#[must_use]
pub fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Refuses a path that leads out of a folder, or that is no path of a file there.
///
/// # Errors
/// A sentence.
pub fn check_path(path: &str) -> Result<(), String> {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.len() <= 255;
    if path.len() <= LONGEST_PATH && !path.contains(['\0', '\\']) && path.split('/').all(is_part) {
        Ok(())
    } else {
        Err(format!("{path:?} is no path of a file below the handlers' folder"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(paths: &[&str]) -> Result<Manifest, String> {
        let files: BTreeMap<_, _> =
            paths.iter().map(|path| (*path, FileEntry { size: 1, chunks: vec![hash_of(b"a")] })).collect();
        read_manifest(&serde_json::to_vec(&files).expect("JSON"))
    }

    #[test]
    fn a_manifest_names_files_below_the_folder_and_nothing_else() {
        assert!(manifest(&["a.js", "lib/b.js", "lib-c.js", "node_modules/@x/y/package.json"]).is_ok());
        for path in ["", "/a.js", "../a.js", "a/../b.js", "a//b.js", "./a.js", "a/", "a\\b.js", "a\0.js"] {
            assert!(manifest(&[path]).is_err(), "{path:?}");
        }
        assert!(manifest(&[&"a".repeat(2000)]).is_err());
        assert!(manifest(&[]).is_err());
        assert!(manifest(&["a", "a/b.js"]).is_err());
        assert!(manifest(&["a", "a-b", "a/b.js"]).is_err());
    }

    #[test]
    fn a_file_has_the_chunks_of_its_size() {
        let read = |size: u64, chunks: &[&str]| {
            let chunks = chunks.iter().map(|hash| (*hash).to_owned()).collect();
            let files = BTreeMap::from([("a.js", FileEntry { size, chunks })]);
            read_manifest(&serde_json::to_vec(&files).expect("JSON"))
        };
        let hash = hash_of(b"a");
        assert!(read(0, &[]).is_ok());
        assert!(read(CHUNK as u64, &[&hash]).is_ok());
        assert!(read(CHUNK as u64 + 1, &[&hash, &hash]).is_ok());
        assert!(read(CHUNK as u64 + 1, &[&hash]).is_err());
        assert!(read(1, &["no hash"]).is_err());
        assert!(read(u64::MAX, &[]).is_err());
    }
}
