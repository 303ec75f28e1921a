//! The mappings of a cell (proc_pid_maps(5)).

use std::io;

/// A mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// The rest of its line: rights, offset, file, name.
    rest: String,
}

impl Mapping {
    fn parse(line: &str) -> Option<Self> {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).ok());
        Some(Self { start: start?, end: end?, rest: rest.to_owned() })
    }

    fn rights(&self) -> &[u8] {
        self.rest.as_bytes().get(..4).unwrap_or_default()
    }

    /// Whether a page that is not populated reads as the content of a file.
    pub(crate) fn is_of_file(&self) -> bool {
        self.rest.split_ascii_whitespace().nth(3).is_some_and(|inode| inode != "0")
    }

    /// Whether the kernel alone writes to it, and no right lets a process do so.
    fn is_of_kernel(&self) -> bool {
        ["[vvar", "[vsyscall"].iter().any(|name| self.rest.contains(name))
    }

    /// Whether it is the part of the heap that brk(2) moves: unmapping leaves its end where it is.
    fn is_heap(&self) -> bool {
        self.rest.ends_with("[heap]")
    }

    /// Whether its content is this process's own, or would be after a change of its rights and a write.
    pub(crate) fn is_private(&self) -> bool {
        self.rights().get(3) == Some(&b'p') && !self.is_of_kernel()
    }

    /// Whether it is code or constants, which a process gets a copy of if it writes to them.
    pub(crate) fn is_fixed(&self) -> bool {
        self.rights().get(1) == Some(&b'-') && (self.is_of_file() || self.rest.contains("[vdso]"))
    }
}

/// Parses the text of /proc/PID/maps.
///
/// # Errors
/// When a line is none.
pub(crate) fn parse(text: &str) -> io::Result<Vec<Mapping>> {
    let mappings = text.lines().map(Mapping::parse).collect::<Option<Vec<_>>>();
    mappings.ok_or_else(|| io::Error::other("/proc/PID/maps has an unknown line"))
}

/// The mappings that a run has added; `None` if it has changed or removed one, or added one that
/// cannot be unmapped.
pub(crate) fn added<'a>(before: &[Mapping], after: &'a [Mapping]) -> Option<Vec<&'a Mapping>> {
    let mut before = before.iter().peekable();
    let mut added = Vec::new();
    for mapping in after {
        if before.next_if(|old| *old == mapping).is_none() {
            added.push(mapping);
        }
    }
    (before.next().is_none() && !added.iter().any(|mapping| mapping.is_heap() || mapping.is_of_kernel()))
        .then_some(added)
}
