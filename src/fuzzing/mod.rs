//! Fuzzing: the functions that the targets in `fuzz/` call.
//!
//! Each function takes arbitrary bytes, treats them as the server treats foreign bytes, and panics when a
//! promise is broken. A function that needs the private items of a room lies in that room. Each target in
//! `fuzz/` calls one function; the tests call it with every file of the corpus, so that a fixed fault stays
//! fixed without the fuzzer.
//!
//! Misuse to avoid: this is no interface for others; only the feature `fuzzing` makes it public.

mod frames;
mod schedule;

pub use self::{frames::frames, schedule::schedule};
pub use crate::{api::fuzzing::bodies, store::sled::fuzzing::records};

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    type Target = fn(&[u8]);

    #[test]
    fn every_file_of_the_corpus_passes() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        let targets: [(&str, Target); 4] =
            [("schedule", schedule), ("frames", frames), ("records", records), ("bodies", bodies)];
        for (name, target) in targets {
            let files = fs::read_dir(corpus.join(name)).expect("a folder for each target");
            let files: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
            assert!(!files.is_empty(), "{name} has no corpus");
            for file in files {
                let bytes = fs::read(&file).expect("a file");
                let passed = std::panic::catch_unwind(|| target(&bytes)).is_ok();
                assert!(passed, "{}", file.display());
            }
        }
    }
}
