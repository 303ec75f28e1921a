//! Opening: the lock, sled, the numbers, and the check as far as it goes at once.
//!
//! sled 0.34 meets damaged files in four ways: it refuses, it panics, it fails when it reads
//! them later, or it goes on without what it could not read. Whatever it does, what comes of
//! it here is either a store in which everything acknowledged is accounted for, or an error
//! that says how to go on.

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
        sled::{
            copy::import,
            engine::{
                keys,
                overflow::Records,
                txn::{Txn, Writes, read_counter},
            },
            open::{
                files::Files,
                lock::{Lock, LockError},
                recover_files,
            },
            scrub::report::Shared,
            write::commit::Committer,
        },
    },
};

/// sled writes its log in segments of this many bytes. What is larger than a quarter of one
/// becomes a file of its own, which no page does here ([`overflow`](super::super::engine::overflow)).
const SEGMENT: usize = 8 * 1024 * 1024;

/// How often a file that is still locked is tried, which is two seconds in all.
const TRIES: usize = 200;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// sled counts a page of its cache by its size on the disk. In memory, with a piece of its own
/// for every key and value, it takes some four times that (measured with a million tasks).
const IN_MEMORY: u64 = 4;
/// Less than this is no cache at all.
const LEAST_CACHE: u64 = 1024 * 1024;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or read.
    #[error("open the store in {path}")]
    Io {
        /// Where.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process has it.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// It holds a part of a copy.
    #[error("an import into the store in {path} was interrupted: remove that directory and import again")]
    HalfImported {
        /// Where.
        path: PathBuf,
    },
    /// Its files are not what they were.
    #[error(
        "the files of the store in {path} are damaged: {why}. Move that directory away, take in the newest file \
         of the backups with `isochron store import <data>/backups/<file>`, and start again"
    )]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong with them.
        why: String,
    },
    /// They can be read, but something that had been acknowledged is not there any more.
    #[error(
        "the store in {path} has lost something that had been acknowledged: {why}. Move that directory away, take \
         in the newest file of the backups with `isochron store import <data>/backups/<file>`, and start again; \
         or remove {path}/mark to go on with what is left"
    )]
    Lost {
        /// Where.
        path: PathBuf,
        /// What.
        why: String,
    },
}

/// A store that can be served.
pub(crate) struct Opened {
    pub(crate) db: Db,
    pub(crate) committer: Committer,
    pub(crate) lock: Lock,
    /// Whether the check has seen everything already.
    pub(crate) checked: bool,
}

/// Opens the store in `directory`, and checks it as long as that costs less than `at_once`.
pub(crate) fn open(
    directory: &Path,
    cache: u64,
    at_once: usize,
    report: &Shared,
) -> Result<Opened, OpenError> {
    std::fs::create_dir_all(directory)
        .map_err(|source| OpenError::Io { path: directory.to_owned(), source })?;
    let lock = Lock::take(directory)?;
    recover_files::prepare(directory)
        .map_err(|source| OpenError::Io { path: directory.to_owned(), source })?;
    guarded(directory, || {
        let db = open_tree(directory, cache).map_err(|error| explained(directory, error))?;
        start(db, directory, at_once, report, lock)
    })
}

fn start(db: Db, directory: &Path, at_once: usize, report: &Shared, lock: Lock) -> Result<Opened, OpenError> {
    let path = || directory.to_owned();
    let failed = |source| OpenError::Io { path: path(), source };
    let sled_failed = |error| explained(directory, error);
    if db.contains_key(import::marker()).map_err(sled_failed)? {
        return Err(OpenError::HalfImported { path: path() });
    }
    let tree = Records::new(&db);
    let mut committer = Committer::open(&tree, directory, report.clone()).map_err(failed)?;
    if let Some(why) = committer.behind() {
        return Err(OpenError::Lost { path: path(), why });
    }
    // One from before there were numbers is checked as a whole.
    let at_once = if committer.is_new() { usize::MAX } else { at_once };
    report.opened(committer.tasks());
    let mut spent = 0;
    let mut checked = false;
    while !checked && spent < at_once {
        let nothing = Writes::new();
        let mut txn = Txn::new(&tree, &nothing);
        let damaged = |error: StoreError| OpenError::Damaged { path: path(), why: error.to_string() };
        match committer.check(&mut txn).map_err(damaged)? {
            Some(cost) => spent += cost,
            None => checked = true,
        }
        // Before anything is mended: it may be wanted as it is.
        let missing = report.get().missing;
        if !missing.is_empty() {
            return Err(OpenError::Lost { path: path(), why: missing.join("; ") });
        }
        apply(&tree, &mut committer, &txn.into_writes()).map_err(sled_failed)?;
    }
    let epoch = count_start(&tree, &mut committer).map_err(sled_failed)?;
    report.counted(epoch);
    db.flush().map_err(sled_failed)?;
    Files::open(directory).and_then(|mut files| files.sync()).map_err(failed)?;
    committer.settled().map_err(failed)?;
    Ok(Opened { db, committer, lock, checked })
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

/// sled locks its file as well. Whoever had the directory last has given up our lock, but the
/// last descriptor of that file may be closed a moment later, by one of sled's threads or by
/// the kernel, and nothing tells when.
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

/// The size that a store was made with, which cannot be changed, or [`SEGMENT`] for a new one.
fn segment_size(directory: &Path) -> usize {
    let settings = std::fs::read(directory.join("conf")).unwrap_or_default();
    let settings = String::from_utf8_lossy(&settings);
    let size = settings.lines().find_map(|line| line.strip_prefix("segment_size: "));
    size.and_then(|size| size.trim().parse().ok()).unwrap_or(SEGMENT)
}

pub(crate) fn explained(directory: &Path, error: sled::Error) -> OpenError {
    let path = directory.to_owned();
    match error {
        // Neither the disk nor the permissions: something is not where sled left it.
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

/// Makes an error of a panic inside sled.
pub(crate) fn guarded<T>(
    directory: &Path,
    work: impl FnOnce() -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    // Whatever was being made is thrown away with the panic.
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(OpenError::Damaged { path: directory.to_owned(), why: line_of(&*panic) }))
}
