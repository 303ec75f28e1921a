//! Texts that runs were given: each new version of a handler keeps its text here until it is noted in the
//! store, so that a change of the file during the run loses none.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use crate::domain::lock::lock;

/// The most texts, and the most bytes of them; beyond that the oldest go.
const MOST: usize = 64;
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Handlers whose last version is remembered; beyond them all are forgotten.
const REMEMBERED: usize = 10_000;

/// SHA-256 of a file's bytes.
type Hash = [u8; 32];

/// The texts whose versions are not noted yet.
#[derive(Debug, Default)]
pub(super) struct GivenTexts(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    /// The version that each handler ran last.
    last: HashMap<String, Hash>,
    texts: VecDeque<(Hash, String)>,
}

impl GivenTexts {
    /// Keeps the text of a handler's file if the handler's last run had another version. `text` makes it.
    pub(super) fn add(&self, handler: &str, hash: Hash, text: impl FnOnce() -> String) {
        let mut inside = lock(&self.0);
        if inside.last.get(handler) == Some(&hash) {
            return;
        }
        if inside.last.len() >= REMEMBERED {
            inside.last.clear();
        }
        inside.last.insert(handler.to_owned(), hash);
        inside.texts.push_back((hash, text()));
        while inside.texts.len() > MOST
            || inside.texts.iter().map(|(_, text)| text.len()).sum::<usize>() > MOST_BYTES
        {
            inside.texts.pop_front();
        }
    }

    /// Takes the text of a version.
    pub(super) fn take(&self, hash: &Hash) -> Option<String> {
        let mut inside = lock(&self.0);
        let index = inside.texts.iter().position(|(found, _)| found == hash)?;
        inside.texts.remove(index).map(|(_, text)| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_version_keeps_its_text_until_it_is_taken() {
        let texts = GivenTexts::default();
        let add = |handler: &str, hash: u8, text: &str| texts.add(handler, [hash; 32], || text.to_owned());
        add("a", 1, "one");
        add("a", 2, "two");
        assert_eq!(texts.take(&[1; 32]).as_deref(), Some("one"), "an earlier run may end later");
        texts.add("a", [2; 32], || unreachable!("it is the version of the last run"));
        assert_eq!(texts.take(&[2; 32]).as_deref(), Some("two"));
        assert_eq!(texts.take(&[2; 32]), None);
        add("b", 2, "two");
        assert_eq!(texts.take(&[2; 32]).as_deref(), Some("two"), "of another handler");
    }

    #[test]
    fn texts_are_bounded_by_their_number_and_their_bytes() {
        let texts = GivenTexts::default();
        for hash in 0..=u8::try_from(MOST).expect("few") {
            texts.add("a", [hash; 32], || "x".to_owned());
        }
        assert_eq!((texts.take(&[0; 32]), texts.take(&[1; 32]).as_deref()), (None, Some("x")));
        texts.add("a", [200; 32], || "x".repeat(MOST_BYTES));
        assert!(texts.take(&[2; 32]).is_none() && texts.take(&[200; 32]).is_some());
    }
}
