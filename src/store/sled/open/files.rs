//! Syncs the files that sled writes.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Far more than the resolution of a file system's times.
const TICKS: Duration = Duration::from_millis(200);

/// sled's files in the store's directory.
pub(crate) struct Files {
    db: File,
    blobs: PathBuf,
    synced: BTreeSet<std::ffi::OsString>,
    /// The blob folder's time at the last sync, if so old that the next new file must change it.
    unchanged_since: Option<SystemTime>,
}

impl Files {
    /// Syncs the database, sled's settings and the names of all folders. sled syncs neither its settings,
    /// without which it does not open again, nor any folder.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let db = File::open(directory.join("db"))?;
        db.sync_all()?;
        File::open(directory.join("conf"))?.sync_all()?;
        sync_folders(directory)?;
        Ok(Self { db, blobs: directory.join("blobs"), synced: BTreeSet::new(), unchanged_since: None })
    }

    /// Syncs the database and new blobs. Stores written before `overflow` existed keep large values in blob
    /// files; sled writes each blob once, under a new name.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let changed = std::fs::metadata(&self.blobs)?.modified()?;
        if self.unchanged_since != Some(changed) {
            self.sync_blobs()?;
            // sled has just written the database, so the file's time is the current time.
            let now = self.db.metadata()?.modified()?;
            let old = now.duration_since(changed).is_ok_and(|age| age > TICKS);
            self.unchanged_since = old.then_some(changed);
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
                    // sled removes blobs that it no longer needs.
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

/// Syncs a folder and all its ancestors: a new folder is on the disk only once its parent is synced.
fn sync_folders(directory: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};

    File::open(directory)?.sync_all()?;
    for folder in directory.ancestors().skip(1) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        match File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| (e.kind(), e)) {
            // A folder without permission is not ours; some file systems cannot sync folders.
            Ok(()) | Err((PermissionDenied | ReadOnlyFilesystem | InvalidInput | Unsupported, _)) => {}
            Err((_, error)) => return Err(error),
        }
    }
    Ok(())
}
