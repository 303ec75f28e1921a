//! What is made good in a directory before sled opens it.
//!
//! A start that was cut off leaves files with which sled does not open any more, although
//! nothing in them is needed; and what sled reads at a start it takes for lasting.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

/// Readies a directory, new or left by whatever ended the last process.
pub(crate) fn prepare(directory: &Path) -> io::Result<()> {
    forget_torn_settings(&directory.join("conf"))?;
    forget_unfinished_snapshots(directory)?;
    make_lasting(directory)
}

/// sled writes its settings before anything else, and syncs them never: a first start that was
/// cut off leaves a part of them. Without them it makes them anew. (Once they are whole we sync
/// them, before anything is acknowledged.)
fn forget_torn_settings(file: &Path) -> io::Result<()> {
    let Some(bytes) = there(fs::read(file))? else { return Ok(()) };
    let text = bytes.split_last_chunk::<4>().filter(|(_, sum)| **sum != [0; 4]);
    let whole = text.is_some_and(|(text, _)| text.starts_with(b"segment_size: ") && text.ends_with(b"\n"));
    if !whole {
        tracing::warn!(file = %file.display(), "the store's settings were cut off while they were written; they are made anew");
        fs::remove_file(file)?;
    }
    Ok(())
}

/// At each start sled writes a snapshot of its table of pages, under a name that says it is not
/// finished. If it never was, sled takes it for the newest all the same, finds it broken and
/// gives up. The one before it is still there, and so is the log.
fn forget_unfinished_snapshots(directory: &Path) -> io::Result<()> {
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

/// What a killed process wrote may be in memory only, and sled's snapshot, which it syncs, must not
/// speak of a log that a loss of power could still take back.
fn make_lasting(directory: &Path) -> io::Result<()> {
    let blobs = directory.join("blobs");
    for entry in there(fs::read_dir(&blobs))?.into_iter().flatten() {
        File::open(entry?.path())?.sync_all()?;
    }
    for file in [blobs, directory.join("db")] {
        if let Some(file) = there(File::open(file))? {
            file.sync_all()?;
        }
    }
    Ok(())
}

/// Nothing where there is no such file.
fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
