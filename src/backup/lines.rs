//! A copy as text: one line of JSON per record between a first and a last line.
//!
//! ```text
//! {"format":"isochron export","version":1,"schema":1,"made":1772445600000}
//! {"task":{…}}
//! {"execution":{…}}
//! {"end":{"counts":{"tasks":1,"executions":1,…},"sha256":"…"}}
//! ```
//!
//! The last line counts the records and holds the SHA-256 of every byte before it. `version`
//! is that of the lines, `schema` that of what is in the records.

use std::io::{self, BufRead, Write};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    domain::Millis,
    store::copy::{Counts, Record},
};

const FORMAT: &str = "isochron export";
const VERSION: u32 = 1;
const SCHEMA: u32 = 1;
/// No line is longer: the largest is one of output, of which a run has 16 MiB at most.
const LONGEST: u64 = 256 * 1024 * 1024;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line is not what it should be.
    #[error("line {line}: {problem}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    format: String,
    version: u32,
    schema: u32,
    made: Millis,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    end: End,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    counts: Counts,
    sha256: String,
}

/// Writes a copy.
pub(super) struct Lines<W> {
    out: W,
    hash: Sha256,
    counts: Counts,
    line: Vec<u8>,
}

impl<W: Write> Lines<W> {
    /// Begins one that is made at this moment.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn begin(out: W, made: Millis) -> io::Result<Self> {
        let mut lines = Self { out, hash: Sha256::new(), counts: Counts::default(), line: Vec::new() };
        lines.write(&First { format: FORMAT.to_owned(), version: VERSION, schema: SCHEMA, made })?;
        Ok(lines)
    }

    /// Adds a record.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn add(&mut self, record: &Record) -> io::Result<()> {
        self.counts.add(record);
        self.write(record)
    }

    /// Writes the last line; the counts and what was written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn end(mut self) -> io::Result<(Counts, W)> {
        let sha256 = HEXLOWER.encode(&self.hash.clone().finalize());
        self.write(&Last { end: End { counts: self.counts, sha256 } })?;
        Ok((self.counts, self.out))
    }

    fn write(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, value)?;
        self.line.push(b'\n');
        self.hash.update(&self.line);
        self.out.write_all(&self.line)
    }
}

/// Reads a copy, and checks everything that its last line says.
pub(super) struct Reader<R> {
    from: R,
    hash: Sha256,
    counts: Counts,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// When it is not the first line of a copy, or of one that this version cannot read.
    pub(super) fn begin(from: R) -> Result<Self, LineError> {
        let mut reader =
            Self { from, hash: Sha256::new(), counts: Counts::default(), line: Vec::new(), number: 0 };
        if !reader.read()? {
            return Err(reader.wrong("the file is empty"));
        }
        let first: First = serde_json::from_slice(&reader.line)
            .ok()
            .filter(|first: &First| first.format == FORMAT)
            .ok_or_else(|| {
                reader.wrong("this is no export of isochron: the first line should name its format")
            })?;
        if (first.version, first.schema) != (VERSION, SCHEMA) {
            let (version, schema) = (first.version, first.schema);
            return Err(reader.wrong(format!(
                "version {version} with schema {schema} is not known: this isochron reads version {VERSION} \
                 with schema {SCHEMA}"
            )));
        }
        reader.hash.update(&reader.line);
        Ok(reader)
    }

    /// The next record; none once the last line has been read and is right.
    ///
    /// # Errors
    /// When the line is no record, when the last line says otherwise, or when there is none.
    pub(super) fn next_record(&mut self) -> Result<Option<Record>, LineError> {
        if !self.read()? {
            self.number += 1;
            return Err(self.wrong("the file ends without its last line: a part of it is missing"));
        }
        if self.line.starts_with(br#"{"end":"#) {
            return self.check_end().map(|()| None);
        }
        let record = serde_json::from_slice(&self.line).map_err(|e| self.wrong(e.to_string()))?;
        self.hash.update(&self.line);
        self.counts.add(&record);
        Ok(Some(record))
    }

    /// How many records there were so far.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// The number of the line read last, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.number
    }

    fn check_end(&mut self) -> Result<(), LineError> {
        let Last { end } = serde_json::from_slice(&self.line).map_err(|e| self.wrong(e.to_string()))?;
        if end.counts != self.counts {
            return Err(self.wrong(format!("it counts {}, but there are {}", end.counts, self.counts)));
        }
        let sha256 = HEXLOWER.encode(&self.hash.clone().finalize());
        if end.sha256 != sha256 {
            let expected = end.sha256;
            return Err(self.wrong(format!(
                "the file has been changed: its SHA-256 is {sha256}, it should be {expected}"
            )));
        }
        if self.read()? {
            return Err(self.wrong("nothing may follow the last line"));
        }
        Ok(())
    }

    /// Reads a line, with its end; false at the end of the file.
    fn read(&mut self) -> Result<bool, LineError> {
        self.line.clear();
        let mut limited = io::Read::take(&mut self.from, LONGEST);
        let read = limited.read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        if !self.line.ends_with(b"\n") {
            return Err(self.wrong("the file ends in the middle of a line: a part of it is missing"));
        }
        Ok(true)
    }

    fn wrong(&self, problem: impl Into<String>) -> LineError {
        LineError::Line { line: self.number.max(1), problem: problem.into() }
    }
}
