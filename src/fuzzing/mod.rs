//! Fuzzing: what the targets in `fuzz/` call.
//!
//! Each function takes any bytes at all, does with them what the server does with bytes that it did
//! not make, and panics when a promise is broken. What needs a room's own words lies in that room.
//! A target of `fuzz/` is one call of one of these; the tests call them with every file of the corpus,
//! so that what was found once stays mended without the fuzzer.
//!
//! It can be misused as an interface: it is none, and only the feature `fuzzing` lets it out.

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
