//! The files that sled writes, and their way to the disk.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Far more than the grain of a file system's times.
const TICKS: Duration = Duration::from_millis(200);

/// The files that sled writes.
pub(crate) struct Files {
    db: File,
    blobs: PathBuf,
    synced: BTreeSet<std::ffi::OsString>,
    /// The folder's time at the last look, if it was old enough then to change with the next file.
    settled: Option<SystemTime>,
}

impl Files {
    /// What sled and we have made and written so far reaches the disk: sled syncs neither its
    /// settings, without which it does not open again, nor any name.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let db = File::open(directory.join("db"))?;
        db.sync_all()?;
        File::open(directory.join("conf"))?.sync_all()?;
        sync_folders(directory)?;
        Ok(Self { db, blobs: directory.join("blobs"), synced: BTreeSet::new(), settled: None })
    }

    /// In a store from before large values lay in pieces, some of what lies together is files of
    /// their own, written once under a new name.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let changed = std::fs::metadata(&self.blobs)?.modified()?;
        if self.settled != Some(changed) {
            self.sync_blobs()?;
            // sled has just written the database, so its time is now.
            let now = self.db.metadata()?.modified()?;
            let old = now.duration_since(changed).is_ok_and(|age| age > TICKS);
            self.settled = old.then_some(changed);
        }
        self.db.sync_data()
    }

    fn sync_blobs(&mut self) -> io::Result<()> {
        let mut present = BTreeSet::new();
        for entry in std::fs::read_dir(&self.blobs)? {
            let entry = entry?;
            if !self.synced.contains(&entry.file_name()) {
                match File::open(entry.path()) {
                    Ok(file) => file.sync_all()?,
                    // sled removes those it no longer needs.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                    Err(e) => return Err(e),
                }
            }
            present.insert(entry.file_name());
        }
        if present.difference(&self.synced).next().is_some() {
            File::open(&self.blobs)?.sync_all()?;
        }
        self.synced = present;
        Ok(())
    }
}

/// Syncs a folder and those above it: a folder that was made is on the disk only when the one
/// that it is in has been synced.
fn sync_folders(directory: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};

    File::open(directory)?.sync_all()?;
    for folder in directory.ancestors().skip(1) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        match File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| (e.kind(), e)) {
            // One that we may not read or write was not made by us; some file systems have no such sync.
            Ok(()) | Err((PermissionDenied | ReadOnlyFilesystem | InvalidInput | Unsupported, _)) => {}
            Err((_, error)) => return Err(error),
        }
    }
    Ok(())
}
