//! The acknowledged file: the number of the last acknowledged commit, in a file of its own (`mark`).
//!
//! The number is written after its commit is on the disk and needs no sync: a lost write leaves an
//! earlier number, never a later one. A store whose last commit has a lower number has lost commits.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

const NAME: &str = "mark";
const SIZE: usize = 12;

pub(crate) struct AckFile(File);

/// The content of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastAck {
    /// The file was missing: the store is new, or the operator accepts the store with its losses.
    Nothing,
    /// The content is no number with its checksum.
    Damaged,
    /// The commit with this number was acknowledged.
    Commit(u64),
}

impl AckFile {
    pub(crate) fn open(directory: &Path) -> io::Result<(Self, LastAck)> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join(NAME))?;
        let mut bytes = [0; SIZE + 1];
        let last_ack = match file.read_at(&mut bytes, 0)? {
            0 => LastAck::Nothing,
            SIZE => read(&bytes[..SIZE]).map_or(LastAck::Damaged, LastAck::Commit),
            _ => LastAck::Damaged,
        };
        Ok((Self(file), last_ack))
    }

    pub(crate) fn write(&self, commit: u64) -> io::Result<()> {
        let number = commit.to_be_bytes();
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(&number);
        bytes[8..].copy_from_slice(&crc32c::crc32c(&number).to_be_bytes());
        self.0.write_all_at(&bytes, 0)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

fn read(bytes: &[u8]) -> Option<u64> {
    let (number, checksum) = bytes.split_at_checked(8)?;
    let number: [u8; 8] = number.try_into().ok()?;
    (crc32c::crc32c(&number).to_be_bytes() == checksum).then(|| u64::from_be_bytes(number))
}
