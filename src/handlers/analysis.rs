//! Analysis: what is read out of a file's text once, and kept by the hash of the file.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::{
    scan::{Scan, scan},
    types,
};
use crate::domain::{lock::lock, source::is_typescript};

/// All analyses together take at most this many bytes; beyond, all are dropped and made anew.
const MOST: usize = 32 * 1024 * 1024;

/// The text that runs and the result of its scan.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    /// The text without types; `None` where the file's own text runs.
    pub(super) stripped: Option<String>,
    pub(super) scan: Scan,
}

impl Analysis {
    fn size(&self) -> usize {
        let strings =
            self.scan.wanted.iter().map(|(_, text)| text).chain(&self.scan.names).chain(&self.scan.passed_on);
        self.stripped.as_ref().map_or(0, String::len)
            + strings.map(|text| text.len() + 32).sum::<usize>()
            + 256
    }
}

type Kept = Arc<Result<Analysis, String>>;

/// The analyses of files, by their hash and whether they have types.
#[derive(Debug, Default)]
pub(super) struct Analyses {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    bytes: usize,
    by_key: HashMap<([u8; 32], bool), Kept>,
}

impl Analyses {
    /// The analysis of a file, without the names that it exports if it asks for no file.
    pub(super) fn without_names(&self, path: &str, hash: [u8; 32], text: &str) -> Kept {
        if !is_typescript(path) && is_plain(text) {
            return Arc::new(Ok(Analysis::default()));
        }
        self.of(path, hash, text)
    }

    /// The analysis of a file. Takes long for a large file that is new.
    pub(super) fn of(&self, path: &str, hash: [u8; 32], text: &str) -> Kept {
        let typed = is_typescript(path);
        if let Some(kept) = lock(&self.known).by_key.get(&(hash, typed)) {
            // The error of another file of the same content names that file.
            if kept.as_ref().as_ref().err().is_none_or(|error| error.contains(path)) {
                return kept.clone();
            }
        }
        let made = Arc::new(analyse(path, typed, text));
        let size = made.as_ref().as_ref().map_or(256, Analysis::size);
        let mut known = lock(&self.known);
        if known.bytes + size > MOST {
            *known = Known::default();
        }
        known.bytes += size;
        known.by_key.insert((hash, typed), made.clone());
        made
    }
}

fn analyse(path: &str, typed: bool, text: &str) -> Result<Analysis, String> {
    if !typed {
        return Ok(Analysis { stripped: None, scan: scan(text) });
    }
    let stripped = types::strip(path, text)?;
    let scan = scan(&stripped);
    Ok(Analysis { stripped: Some(stripped), scan })
}

/// Whether a text surely asks for no file and is no ES module. Most handlers are so.
fn is_plain(text: &str) -> bool {
    !text.contains("import")
        && !text.contains("require")
        && text.match_indices("export").all(|(at, _)| text[at..].starts_with("exports"))
}
