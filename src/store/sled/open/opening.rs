//! Opening: the lock, sled, the totals, and the first part of the scrub.
//!
//! sled 0.34 reacts to damaged files in four ways: it refuses them, panics, fails at a later read, or
//! silently goes on without a part of them. In each case the result here is either a store in which
//! every acknowledged record is accounted for, or an error that says what to do.

use std::{
    io::{self, ErrorKind},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sled::Db;

use crate::{
    domain::panic::line_of,
    store::{
        StoreError,
        disk::directory::{Lock, LockError},
        sled::{
            copy::import,
            engine::{
                keys,
                overflow::Records,
                txn::{Txn, Writes, read_counter},
            },
            open::{files::Files, recover_files},
            scrub::report::SharedReport,
            write::commit::Committer,
        },
    },
};

/// The size of a segment of sled's log, in bytes. sled stores a page of more than a quarter of it in a
/// blob; [`overflow`](super::super::engine::overflow) keeps pages smaller.
const SEGMENT: usize = 8 * 1024 * 1024;

/// Tries to open sled's file while it is locked: two seconds in all.
const TRIES: usize = 200;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// sled counts a cached page by its size on the disk. In memory a page, with one allocation per key and
/// value, takes about this many times as much (measured with a million tasks).
const IN_MEMORY: u64 = 4;
/// The least page cache, in bytes.
const LEAST_CACHE: u64 = 1024 * 1024;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or read.
    #[error("open the store in {path}")]
    Io {
        /// The store's directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process has the store open.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The store holds only a part of a copy.
    #[error("an import into the store in {path} was interrupted: remove that directory and import again")]
    HalfImported {
        /// The store's directory.
        path: PathBuf,
    },
    /// The files cannot be read.
    #[error(
        "the files of the store in {path} are damaged: {why}. Move that directory away, import the newest backup \
         with `isochron store import <data>/backups/<file>`, and start again"
    )]
    Damaged {
        /// The store's directory.
        path: PathBuf,
        /// The text of sled's error or panic.
        why: String,
    },
    /// The files can be read, but acknowledged records are lost.
    #[error(
        "the store in {path} has lost something that had been acknowledged: {why}. Move that directory away, \
         import the newest backup with `isochron store import <data>/backups/<file>`, and start again; or remove \
         {path}/mark to go on without the lost records"
    )]
    Lost {
        /// The store's directory.
        path: PathBuf,
        /// The lost records or commits.
        why: String,
    },
}

/// An open store.
pub(crate) struct Opened {
    pub(crate) db: Db,
    pub(crate) committer: Committer,
    pub(crate) lock: Lock,
    /// Whether the scrub is done.
    pub(crate) scrubbed: bool,
}

/// Opens the store in `directory`, and scrubs it until that has cost `at_once`.
pub(crate) fn open(
    directory: &Path,
    cache: u64,
    at_once: usize,
    report: &SharedReport,
) -> Result<Opened, OpenError> {
    std::fs::create_dir_all(directory)
        .map_err(|source| OpenError::Io { path: directory.to_owned(), source })?;
    let lock = Lock::take(directory)?;
    recover_files::prepare(directory)
        .map_err(|source| OpenError::Io { path: directory.to_owned(), source })?;
    catch_panic(directory, || {
        let db = open_tree(directory, cache).map_err(|error| explain(directory, error))?;
        start(db, directory, at_once, report, lock)
    })
}

fn start(
    db: Db,
    directory: &Path,
    at_once: usize,
    report: &SharedReport,
    lock: Lock,
) -> Result<Opened, OpenError> {
    let path = || directory.to_owned();
    let failed = |source| OpenError::Io { path: path(), source };
    let sled_failed = |error| explain(directory, error);
    if db.contains_key(import::marker()).map_err(sled_failed)? {
        return Err(OpenError::HalfImported { path: path() });
    }
    let tree = Records::new(&db);
    let mut committer = Committer::open(&tree, directory, report.clone()).map_err(failed)?;
    if let Some(why) = committer.lost_commits() {
        return Err(OpenError::Lost { path: path(), why });
    }
    // Without totals, in a store from before they existed, the whole scrub runs now.
    let at_once = if committer.is_new() { usize::MAX } else { at_once };
    report.begin(committer.tasks());
    let mut spent = 0;
    let mut scrubbed = false;
    while !scrubbed && spent < at_once {
        let nothing = Writes::new();
        let mut txn = Txn::new(&tree, &nothing);
        let damaged = |error: StoreError| OpenError::Damaged { path: path(), why: error.to_string() };
        match committer.scrub(&mut txn).map_err(damaged)? {
            Some(cost) => spent += cost,
            None => scrubbed = true,
        }
        // Refuse before any repair is written: the operator may want the files unchanged.
        let missing = report.get().missing;
        if !missing.is_empty() {
            return Err(OpenError::Lost { path: path(), why: missing.join("; ") });
        }
        apply(&tree, &mut committer, &txn.into_writes()).map_err(sled_failed)?;
    }
    let epoch = count_start(&tree, &mut committer).map_err(sled_failed)?;
    report.set_epoch(epoch);
    db.flush().map_err(sled_failed)?;
    Files::open(directory).and_then(|mut files| files.sync()).map_err(failed)?;
    committer.acknowledge_synced().map_err(failed)?;
    Ok(Opened { db, committer, lock, scrubbed })
}

fn apply(tree: &Records, committer: &mut Committer, writes: &Writes) -> sled::Result<()> {
    if writes.is_empty() {
        return Ok(());
    }
    let batch = committer.batch(tree, writes)?;
    tree.apply(batch)
}

fn count_start(tree: &Records, committer: &mut Committer) -> sled::Result<u64> {
    let key = keys::meta("epoch");
    let epoch = 1 + tree.get(&key)?.map_or(0, |bytes| read_counter(&bytes));
    apply(tree, committer, &Writes::from([(key, Some(epoch.to_be_bytes().to_vec()))]))?;
    Ok(epoch)
}

/// Opens sled, which locks its own file as well. After the last process has released our lock, one of
/// sled's threads or the kernel may close the last descriptor of that file a little later, so a locked
/// file is tried again.
pub(crate) fn open_tree(directory: &Path, cache: u64) -> sled::Result<Db> {
    let cache = (cache / IN_MEMORY).max(LEAST_CACHE);
    let config = sled::Config::new()
        .path(directory)
        .cache_capacity(cache)
        .segment_size(segment_size(directory))
        .flush_every_ms(None);
    for _ in 0..TRIES {
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().starts_with("could not acquire lock") => {
                thread::sleep(BETWEEN_TRIES);
            }
            result => return result,
        }
    }
    config.open()
}

/// The segment size of an existing store, which cannot be changed, or [`SEGMENT`] for a new one.
fn segment_size(directory: &Path) -> usize {
    let settings = std::fs::read(directory.join("conf")).unwrap_or_default();
    let settings = String::from_utf8_lossy(&settings);
    let size = settings.lines().find_map(|line| line.strip_prefix("segment_size: "));
    size.and_then(|size| size.trim().parse().ok()).unwrap_or(SEGMENT)
}

/// Tells trouble with the disk or its permissions from damaged files.
pub(crate) fn explain(directory: &Path, error: sled::Error) -> OpenError {
    let path = directory.to_owned();
    match error {
        // These kinds mean that a file of sled's is missing or damaged.
        sled::Error::Io(source)
            if !matches!(
                source.kind(),
                ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData
            ) =>
        {
            OpenError::Io { path, source }
        }
        other => OpenError::Damaged { path, why: other.to_string() },
    }
}

/// Turns a panic inside sled into an error.
pub(crate) fn catch_panic<T>(
    directory: &Path,
    work: impl FnOnce() -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    // Unwind safe: a panic drops the half-opened store.
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(OpenError::Damaged { path: directory.to_owned(), why: line_of(&*panic) }))
}
