//! Recovers the files of a directory before sled opens it.
//!
//! An interrupted start leaves files that keep sled from opening, although their content is not needed;
//! and sled takes everything it reads at a start for durable.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

/// Prepares a directory, new or left by a process that ended in any way.
pub(crate) fn prepare(directory: &Path) -> io::Result<()> {
    remove_torn_settings(&directory.join("conf"))?;
    remove_unfinished_snapshots(directory)?;
    sync_files(directory)
}

/// sled writes its settings first and never syncs them, so an interrupted first start may leave a part of
/// them. If the file is missing, sled writes it anew. (A complete file we sync before the first
/// acknowledgement.)
fn remove_torn_settings(file: &Path) -> io::Result<()> {
    let Some(bytes) = ignore_missing(fs::read(file))? else { return Ok(()) };
    let text = bytes.split_last_chunk::<4>().filter(|(_, sum)| **sum != [0; 4]);
    let whole = text.is_some_and(|(text, _)| text.starts_with(b"segment_size: ") && text.ends_with(b"\n"));
    if !whole {
        tracing::warn!(file = %file.display(), "the store's settings are incomplete after an interrupted start; they are written anew");
        fs::remove_file(file)?;
    }
    Ok(())
}

/// At each start sled writes a snapshot of its page table under the name of an unfinished one. If the
/// process ends before the snapshot is finished, sled later takes the file for the newest snapshot, finds
/// it broken and gives up. The snapshot before it and the log are complete.
fn remove_unfinished_snapshots(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b"snap.") && name.as_encoded_bytes().ends_with(b".generating")
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Syncs the log and the blobs: the writes of a killed process may be in memory only, and sled's snapshot,
/// which sled syncs, must not refer to a part of the log that a loss of power could still remove.
fn sync_files(directory: &Path) -> io::Result<()> {
    let blobs = directory.join("blobs");
    for entry in ignore_missing(fs::read_dir(&blobs))?.into_iter().flatten() {
        File::open(entry?.path())?.sync_all()?;
    }
    for file in [blobs, directory.join("db")] {
        if let Some(file) = ignore_missing(File::open(file))? {
            file.sync_all()?;
        }
    }
    Ok(())
}

/// Turns the error of a missing file into `None`.
fn ignore_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
