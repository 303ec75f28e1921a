//! Copies in files: complete under their name or not there at all.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{
    lines::{LineError, Lines, Reader},
    order::Order,
};
use crate::{
    domain::Millis,
    store::{
        Store, StoreError,
        copy::{Counts, Cursor, Import, Part, Record},
    },
};

/// Records that an import puts into one commit.
const AT_ONCE: usize = 1024;
/// What stands behind the name of a file that is not complete.
pub const UNFINISHED: &str = ".unfinished";

/// Why a copy could not be made or taken in.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The file cannot be written or read.
    #[error("{doing} {path}")]
    Io {
        /// Such as `write`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is not a whole copy.
    #[error("{path} cannot be imported: line {line}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// Where, counted from 1.
        line: u64,
        /// What is wrong there.
        problem: String,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes a copy of everything in the store; the file is there under its name only when all
/// of it is on the disk. Its owner alone may read it.
///
/// # Errors
/// When the store or the disk fails; nothing is left of the file then.
pub async fn export(store: &dyn Store, path: &Path, made: Millis) -> Result<Counts, TransferError> {
    let failed = |source| TransferError::Io { doing: "write", path: path.to_owned(), source };
    let unfinished = Unfinished::beside(path);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished.0)
        .map_err(failed)?;
    let mut lines = Lines::begin(BufWriter::new(file), made).map_err(failed)?;
    let mut rest = Some(Cursor::default());
    while let Some(from) = rest {
        let part: Part = store.export(from).await?;
        for record in &part.records {
            lines.add(record).map_err(failed)?;
        }
        rest = part.rest;
    }
    let (counts, mut out) = lines.end().map_err(failed)?;
    out.flush().and_then(|()| out.get_ref().sync_all()).map_err(failed)?;
    drop(out);
    unfinished.finish(path).map_err(failed)?;
    Ok(counts)
}

/// Takes a copy into an empty store. The whole file is checked before the store hears of it,
/// and again while it is read the second time.
///
/// # Errors
/// When the file is not a whole copy, or the store is not empty or fails; the store is empty then.
pub async fn import(store: &dyn Store, path: &Path) -> Result<Counts, TransferError> {
    let mut order = Order::default();
    let mut checked = Checked::open(path)?;
    while let Some(record) = checked.next()? {
        order.look(&record).map_err(|problem| checked.wrong(problem))?;
    }
    drop(order);
    let taken_in = take_in(store, path).await;
    if taken_in.is_err() {
        store.import(Import::Abandon).await?;
    }
    taken_in
}

async fn take_in(store: &dyn Store, path: &Path) -> Result<Counts, TransferError> {
    let mut file = Checked::open(path)?;
    let mut records = Vec::new();
    while let Some(record) = file.next()? {
        records.push(record);
        if records.len() == AT_ONCE {
            store.import(Import::Records(std::mem::take(&mut records))).await?;
        }
    }
    store.import(Import::Records(records)).await?;
    store.import(Import::Complete).await?;
    Ok(file.reader.counts())
}

struct Checked<'a> {
    path: &'a Path,
    reader: Reader<BufReader<File>>,
}

impl<'a> Checked<'a> {
    fn open(path: &'a Path) -> Result<Self, TransferError> {
        let file = File::open(path).map_err(|source| TransferError::Io {
            doing: "open",
            path: path.to_owned(),
            source,
        })?;
        let reader = Reader::begin(BufReader::new(file)).map_err(|error| explain(path, error))?;
        Ok(Self { path, reader })
    }

    fn next(&mut self) -> Result<Option<Record>, TransferError> {
        self.reader.next_record().map_err(|error| explain(self.path, error))
    }

    fn wrong(&self, problem: String) -> TransferError {
        TransferError::File { path: self.path.to_owned(), line: self.reader.line(), problem }
    }
}

fn explain(path: &Path, error: LineError) -> TransferError {
    let path = path.to_owned();
    match error {
        LineError::Io(source) => TransferError::Io { doing: "read", path, source },
        LineError::Line { line, problem } => TransferError::File { path, line, problem },
    }
}

/// A file on its way; removed unless it is finished.
struct Unfinished(PathBuf);

impl Unfinished {
    fn beside(path: &Path) -> Self {
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        name.push(UNFINISHED);
        Self(path.with_file_name(name))
    }

    /// Gives it its name, for good.
    fn finish(self, path: &Path) -> io::Result<()> {
        fs::rename(&self.0, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Once it has its name there is nothing left to remove.
        let _ = fs::remove_file(&self.0);
    }
}
