//! The shim's log: a server's changes to its files, in order.

/// A record. Paths are below the recorded directory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Record<'a> {
    /// A process starts, without the handles of an earlier process.
    Start,
    Open {
        handle: u64,
        created: bool,
        path: &'a str,
    },
    Write {
        handle: u64,
        at: u64,
        bytes: &'a [u8],
    },
    Truncate {
        handle: u64,
        length: u64,
    },
    SyncBegins {
        handle: u64,
        number: u64,
    },
    SyncIsOver {
        number: u64,
    },
    Rename {
        old: &'a str,
        new: &'a str,
    },
    Unlink {
        path: &'a str,
    },
    Mkdir {
        path: &'a str,
    },
}

impl Record<'_> {
    /// Appends the record to a log.
    pub(super) fn append_to(&self, log: &mut Vec<u8>) {
        let (kind, first, second, bytes) = match *self {
            Self::Start => (b'S', 0, 0, &[][..]),
            Self::Open { handle, created, path } => (b'O', handle, u64::from(created), path.as_bytes()),
            Self::Write { handle, at, bytes } => (b'W', handle, at, bytes),
            Self::Truncate { handle, length } => (b'T', handle, length, &[][..]),
            Self::Unlink { path } => (b'U', 0, 0, path.as_bytes()),
            Self::SyncBegins { .. } | Self::SyncIsOver { .. } | Self::Rename { .. } | Self::Mkdir { .. } => {
                panic!("only the shim records {self:?}")
            }
        };
        log.push(kind);
        for number in [first, second, bytes.len() as u64] {
            log.extend(number.to_le_bytes());
        }
        log.extend(bytes);
    }
}

const HEAD: usize = 25;

/// The records of a log, each with the log's length after it: a moment to cut the power at.
pub(super) fn records(log: &[u8]) -> Vec<(u64, Record<'_>)> {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some(head) = log.get(at..at + HEAD) {
        let number = |n: usize| u64::from_le_bytes(head[n..n + 8].try_into().expect("eight bytes"));
        let (first, second) = (number(1), number(9));
        let length = usize::try_from(number(17)).expect("a length");
        // The process that wrote it was killed.
        let Some(bytes) = log.get(at + HEAD..at + HEAD + length) else { break };
        let text = || std::str::from_utf8(bytes).expect("a path");
        let record = match head[0] {
            b'S' => Record::Start,
            b'O' => Record::Open { handle: first, created: second == 1, path: text() },
            b'W' => Record::Write { handle: first, at: second, bytes },
            b'T' => Record::Truncate { handle: first, length: second },
            b'B' => Record::SyncBegins { handle: first, number: second },
            b'E' => Record::SyncIsOver { number: second },
            b'R' => {
                let (old, new) = text().split_at(usize::try_from(first).expect("a length"));
                Record::Rename { old, new }
            }
            b'U' => Record::Unlink { path: text() },
            b'M' => Record::Mkdir { path: text() },
            _ => panic!("the store's files are written in a way that is not recorded: {}", text()),
        };
        at += HEAD + length;
        records.push((at as u64, record));
    }
    records
}
