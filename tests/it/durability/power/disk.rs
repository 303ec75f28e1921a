//! The recorded changes that a disk surely holds at a point of the record, and those it may hold.
//!
//! A change to a file (a write, a truncation) is sure once a sync of that file that began after
//! the change has ended; a change of names (a creation, a renaming, a removal) once a sync of the
//! directory has. Every other change is pending: it may have reached the disk or not, regardless
//! of earlier and later changes.

use std::collections::{BTreeMap, HashMap};

use super::record::Record;

/// A file or a directory, whatever its names.
pub(super) type Node = usize;

/// A change to a file's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change<'a> {
    Write { at: u64, bytes: &'a [u8] },
    Truncate { length: u64 },
}

/// A change of names.
#[derive(Debug, Clone)]
pub(super) enum Naming<'a> {
    Link { path: &'a str, node: Node },
    Unlink { path: &'a str },
    Rename { old: &'a str, new: &'a str, node: Node },
}

impl Naming<'_> {
    fn directory(&self) -> &str {
        match self {
            Self::Link { path, .. } | Self::Unlink { path } | Self::Rename { new: path, .. } => parent(path),
        }
    }

    pub(super) fn apply(&self, names: &mut BTreeMap<String, Node>) {
        match self {
            Self::Link { path, node } => {
                names.insert((*path).to_owned(), *node);
            }
            Self::Unlink { path } => {
                names.remove(*path);
            }
            Self::Rename { old, new, node } => {
                names.remove(*old);
                names.insert((*new).to_owned(), *node);
            }
        }
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// A pending change, with its index among all changes.
pub(super) type Pending<T> = (usize, T);

#[derive(Debug, Default, Clone)]
pub(super) struct File<'a> {
    pub(super) is_directory: bool,
    /// The bytes that are surely on the disk.
    pub(super) sure: Vec<u8>,
    pub(super) pending: Vec<Pending<Change<'a>>>,
}

/// A disk at a point of the record.
#[derive(Debug, Default, Clone)]
pub(super) struct Disk<'a> {
    pub(super) files: Vec<File<'a>>,
    /// The names that are surely on the disk.
    pub(super) sure: BTreeMap<String, Node>,
    pub(super) pending: Vec<Pending<Naming<'a>>>,
    /// The names as a running process sees them.
    seen: BTreeMap<String, Node>,
    handles: HashMap<u64, (Node, &'a str)>,
    syncs: HashMap<u64, (usize, u64)>,
    clock: usize,
}

impl<'a> Disk<'a> {
    /// Applies the next record.
    pub(super) fn apply(&mut self, record: Record<'a>) {
        self.clock += 1;
        let now = self.clock;
        match record {
            Record::Start => self.handles.clear(),
            Record::Open { handle, created: true, path } => {
                let node = self.make(path, false);
                self.handles.insert(handle, (node, path));
            }
            Record::Open { handle, created: false, path } => {
                // The recorded directory itself has no name.
                let node = self.seen.get(path).copied().unwrap_or(usize::MAX);
                self.handles.insert(handle, (node, path));
            }
            Record::Write { handle, at, bytes } => self.change(handle, Change::Write { at, bytes }),
            Record::Truncate { handle, length } => self.change(handle, Change::Truncate { length }),
            Record::SyncBegins { handle, number } => {
                self.syncs.insert(number, (now, handle));
            }
            Record::SyncIsOver { number } => {
                if let Some((began, handle)) = self.syncs.remove(&number) {
                    self.sync(handle, began);
                }
            }
            Record::Rename { old, new } => {
                let node = self.seen[old];
                self.name(Naming::Rename { old, new, node });
            }
            Record::Unlink { path } => self.name(Naming::Unlink { path }),
            Record::Mkdir { path } => {
                self.make(path, true);
            }
        }
    }

    /// The names and the bytes of the files as a running process sees them.
    pub(super) fn seen(&self) -> impl Iterator<Item = (&str, Vec<u8>)> {
        let files = self.seen.iter().filter(|(_, node)| !self.files[**node].is_directory);
        files.map(|(path, node)| {
            let file = &self.files[*node];
            let mut bytes = file.sure.clone();
            file.pending.iter().for_each(|(_, change)| apply(change, &mut bytes));
            (path.as_str(), bytes)
        })
    }

    fn make(&mut self, path: &'a str, is_directory: bool) -> Node {
        let node = self.files.len();
        self.files.push(File { is_directory, ..File::default() });
        self.name(Naming::Link { path, node });
        node
    }

    fn name(&mut self, naming: Naming<'a>) {
        naming.apply(&mut self.seen);
        self.pending.push((self.clock, naming));
    }

    fn change(&mut self, handle: u64, change: Change<'a>) {
        let (node, _) = self.handles[&handle];
        self.files[node].pending.push((self.clock, change));
    }

    fn sync(&mut self, handle: u64, began: usize) {
        let Some(&(node, path)) = self.handles.get(&handle) else { return };
        if self.files.get(node).is_none_or(|file| file.is_directory) {
            let mine = |(at, naming): &mut Pending<Naming<'a>>| *at < began && naming.directory() == path;
            let now_sure: Vec<_> = self.pending.extract_if(.., mine).collect();
            for (_, naming) in now_sure {
                naming.apply(&mut self.sure);
            }
        } else {
            let file = &mut self.files[node];
            let now_sure: Vec<_> = file.pending.extract_if(.., |(at, _)| *at < began).collect();
            for (_, change) in now_sure {
                apply(&change, &mut file.sure);
            }
        }
    }
}

/// Applies a whole change to a file's bytes.
pub(super) fn apply(change: &Change<'_>, bytes: &mut Vec<u8>) {
    match *change {
        Change::Write { at, bytes: written } => write(at, written, bytes),
        Change::Truncate { length } => bytes.resize(usize::try_from(length).expect("a length"), 0),
    }
}

/// Writes at an offset; a gap between the end and the offset becomes zeros.
pub(super) fn write(at: u64, written: &[u8], bytes: &mut Vec<u8>) {
    let at = usize::try_from(at).expect("an offset");
    let end = at + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(written);
}
