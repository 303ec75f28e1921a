//! The image: a cell's memory at its checkpoint, and the way to put it back.
//!
//! The image has every populated page of every private mapping that can change. Most are still those of the
//! blank, whose memory stays as it is while the cell lives: of these the image notes that they are, and
//! copies one when a run has written it. A page that was not populated reads as zeros, but for a mapping of a file, of which every page is copied. Code and constants
//! of the program and its libraries cannot change: the cell has sealed them ([`seal`]). Where the kernel
//! cannot seal (before 6.10) it is asked after each run whether someone has written to them.
//!
//! The **hot set** has the pages that some run has written. They are put back after each run, written or
//! not, and are not protected again: a page costs a fault once and not once in each run. After every
//! [`LEARNT_FOR`] runs the set is learnt anew, so that what one run has written does not burden all later ones.

mod maps;
pub(crate) mod position;

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, Read, Seek},
    iter,
    os::fd::AsFd,
    os::unix::fs::FileExt,
};

use rustix::process::Pid;

use self::{maps::Mapping, position::Position};
use crate::runner::rewind::{
    handover::Handles,
    kernel::{self, Outline, Region, WRITTEN},
};

/// Bytes of a page.
const PAGE: usize = 4096;
const ZEROS: [u8; PAGE] = [0; PAGE];
/// Bytes of memory that are read at once.
const AT_ONCE: usize = 64 * PAGE;
/// Runs after which the hot set is learnt anew: often enough to forget, seldom enough for its faults not to count.
const LEARNT_FOR: u32 = 32;
/// Pages that may be hot: with more, another cell costs less.
const HOTTEST: usize = 4000;

/// Why a cell's memory cannot be put back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("the run changed mappings of the checkpoint")]
    Mappings,
    #[error("pages of the checkpoint are gone")]
    Pages,
    #[error("runs have written {0} pages, more than {HOTTEST}")]
    Hot(usize),
    #[error("a thread of the cell is not where it was")]
    Position,
    #[error("the run changed code")]
    Code,
    #[error(transparent)]
    Kernel(#[from] io::Error),
}

/// The memory of a cell at its checkpoint.
pub(crate) struct Image {
    process: Pid,
    handles: Handles,
    mappings: Vec<Mapping>,
    /// Text of /proc/PID/maps with these mappings.
    maps: Vec<u8>,
    /// The same, where the kernel tells it faster.
    outlines: Option<Vec<Outline>>,
    /// /proc/PID/mem of the blank.
    blank: File,
    /// Copies of pages.
    copy: Vec<u8>,
    pages: HashMap<u64, Content>,
    /// The offset of each hot page in the copy; none stands for zeros.
    hot: BTreeMap<u64, Option<usize>>,
    /// Hot pages that are in `pages`.
    hot_copied: usize,
    /// Runs since the hot set began.
    runs: u32,
    /// The hot set in order, as pieces of memory without gaps.
    pieces: Vec<Piece>,
    regions: Vec<Region>,
    read: Vec<u8>,
    position: Position,
    /// Code and constants of files, if the cell could not seal them.
    fixed: Vec<(u64, u64)>,
}

/// The content of a page.
#[derive(Debug, Clone, Copy)]
enum Content {
    Zeros,
    /// What the blank has there.
    Blank,
    /// At this offset in the copy.
    Copied(usize),
}

/// Pages behind each other, with the offset of the first in the copy; none stands for zeros.
struct Piece {
    address: u64,
    copied: Option<usize>,
    length: usize,
}

impl Image {
    /// Notes the memory of a cell that stands at its checkpoint, and protects it. `blank` is the memory of
    /// a process that changes nothing in it while the image is used.
    ///
    /// # Errors
    /// When the kernel refuses a step.
    pub(crate) fn take(
        process: Pid,
        mut handles: Handles,
        position: Position,
        blank: File,
    ) -> io::Result<Self> {
        let mut read = Vec::new();
        let maps = read_maps(&mut handles.maps, &mut read)?.to_vec();
        let (mut fixed, is_sealed) = (Vec::new(), kernel::can_seal());
        for mapping in parse(&maps)?.iter().filter(|mapping| mapping.is_private()) {
            if mapping.is_fixed() && is_sealed {
                continue;
            }
            if mapping.is_fixed() && !kernel::has_copies(handles.pagemap.as_fd(), mapping.start, mapping.end)?
            {
                fixed.push((mapping.start, mapping.end));
                continue;
            }
            if mapping.is_of_file() {
                populate(&handles.memory, mapping)?;
            }
            kernel::register(handles.writes.as_fd(), mapping.start, mapping.end)?;
        }
        let maps = read_maps(&mut handles.maps, &mut read)?.to_vec();
        let mappings = parse(&maps)?;
        let outlines = kernel::outlines(handles.maps.as_fd()).ok();
        let mut regions = Vec::new();
        kernel::scan(handles.pagemap.as_fd(), &mut regions, true)?;
        let (copy, pages) = contents(&handles.memory, &blank, &regions)?;
        Ok(Self {
            process,
            handles,
            mappings,
            maps,
            outlines,
            blank,
            copy,
            pages,
            hot: BTreeMap::new(),
            hot_copied: 0,
            runs: 0,
            pieces: Vec::new(),
            regions,
            read,
            position,
            fixed,
        })
    }

    /// Puts the memory back. Returns the mappings that the cell has to unmap.
    ///
    /// # Errors
    /// When the cell is of no further use.
    pub(crate) fn put_back(&mut self) -> Result<Vec<(u64, u64)>, Lost> {
        if !self.position.is_held()? {
            return Err(Lost::Position);
        }
        for (start, end) in &self.fixed {
            if kernel::has_copies(self.handles.pagemap.as_fd(), *start, *end)? {
                return Err(Lost::Code);
            }
        }
        let added = self.added_mappings()?;
        kernel::scan(self.handles.pagemap.as_fd(), &mut self.regions, false)?;
        if !self.note_written()? {
            return Err(Lost::Pages);
        }
        if self.hot.len() > HOTTEST {
            return Err(Lost::Hot(self.hot.len()));
        }
        let pieces: Vec<_> = self.pieces.iter().map(|piece| (piece.address, self.bytes_of(piece))).collect();
        if !kernel::write_all(self.process, &pieces) {
            // This way also reaches pages that the cell itself may not write now.
            for (address, bytes) in pieces {
                self.handles.memory.write_all_at(bytes, address)?;
            }
        }
        self.runs += 1;
        if self.runs == LEARNT_FOR {
            self.learn_anew()?;
        }
        Ok(added)
    }

    /// Empties the hot set of a cell whose memory is put back: all its pages count as not written.
    fn learn_anew(&mut self) -> io::Result<()> {
        let known = std::mem::take(&mut self.hot).into_iter();
        self.pages.extend(known.map(|(at, copied)| (at, copied.map_or(Content::Zeros, Content::Copied))));
        self.pieces.clear();
        (self.hot_copied, self.runs) = (0, 0);
        kernel::scan(self.handles.pagemap.as_fd(), &mut self.regions, true)
    }

    /// The bytes in which a cell at its checkpoint differs from the image, by their addresses.
    ///
    /// # Errors
    /// When its memory cannot be read.
    pub(crate) fn differences(&self) -> io::Result<Vec<u64>> {
        let (mut now, mut then) = ([0; PAGE], [0; PAGE]);
        let mut differing = Vec::new();
        let known = self.pages.iter().map(|(address, content)| (*address, *content));
        let new = self.hot.keys().filter(|address| !self.pages.contains_key(address));
        for (address, content) in known.chain(new.map(|address| (*address, Content::Zeros))) {
            self.handles.memory.read_exact_at(&mut now, address)?;
            match content {
                Content::Zeros => then = ZEROS,
                Content::Blank => self.blank.read_exact_at(&mut then, address)?,
                Content::Copied(offset) => then.copy_from_slice(&self.copy[offset..offset + PAGE]),
            }
            if now == then {
                continue;
            }
            differing.extend(
                (address..).zip(now.iter().zip(&then)).filter(|(_, (a, b))| a != b).map(|(at, _)| at),
            );
        }
        differing.sort_unstable();
        Ok(differing)
    }

    fn bytes_of(&self, piece: &Piece) -> &[u8] {
        match piece.copied {
            Some(offset) => &self.copy[offset..offset + piece.length],
            None => &ZEROS,
        }
    }

    fn added_mappings(&mut self) -> Result<Vec<(u64, u64)>, Lost> {
        if let Some(outlines) = &self.outlines
            && kernel::has_only(self.handles.maps.as_fd(), outlines)?
        {
            return Ok(Vec::new());
        }
        let now = read_maps(&mut self.handles.maps, &mut self.read)?;
        if now == self.maps {
            return Ok(Vec::new());
        }
        let now = parse(now)?;
        let added = maps::added(&self.mappings, &now).ok_or(Lost::Mappings)?;
        Ok(added.into_iter().map(|mapping| (mapping.start, mapping.end - mapping.start)).collect())
    }

    /// Adds the pages that were written to the hot set; `false` if others are gone.
    fn note_written(&mut self) -> io::Result<bool> {
        let (mut unwritten, mut is_new) = (0, false);
        for region in &self.regions {
            let addresses = (region.start..region.end).step_by(PAGE);
            if region.categories & WRITTEN == 0 {
                unwritten += addresses.count();
                continue;
            }
            for address in addresses {
                if !self.hot.contains_key(&address) {
                    let content = self.pages.get(&address).copied();
                    self.hot_copied += usize::from(content.is_some());
                    let copied = match content {
                        None | Some(Content::Zeros) => None,
                        Some(Content::Copied(offset)) => Some(offset),
                        Some(Content::Blank) => {
                            let offset = self.copy.len();
                            self.copy.resize(offset + PAGE, 0);
                            self.blank.read_exact_at(&mut self.copy[offset..], address)?;
                            Some(offset)
                        }
                    };
                    self.hot.insert(address, copied);
                    is_new = true;
                }
            }
        }
        if is_new {
            self.gather_pieces();
        }
        // A page that is not populated any more has no categories: it would be missing here.
        Ok(unwritten == self.pages.len() - self.hot_copied)
    }

    fn gather_pieces(&mut self) {
        self.pieces.clear();
        for (&address, &copied) in &self.hot {
            if let Some(last) = self.pieces.last_mut()
                && last.address + last.length as u64 == address
                && last.copied.is_some_and(|offset| Some(offset + last.length) == copied)
            {
                last.length += PAGE;
            } else {
                self.pieces.push(Piece { address, copied, length: PAGE });
            }
        }
    }
}

/// What the pages of a cell have in them, and the copies of those that its blank does not have.
fn contents(memory: &File, blank: &File, regions: &[Region]) -> io::Result<(Vec<u8>, HashMap<u64, Content>)> {
    let (mut copy, mut pages) = (Vec::new(), HashMap::new());
    let (mut now, mut before) = (vec![0; AT_ONCE], vec![0; AT_ONCE]);
    for region in regions {
        for start in (region.start..region.end).step_by(AT_ONCE) {
            let length = usize::try_from(region.end - start).map_or(AT_ONCE, |rest| rest.min(AT_ONCE));
            let now = &mut now[..length];
            memory.read_exact_at(now, start)?;
            // The memory of the blank may end earlier.
            let known = blank.read_at(&mut before[..length], start).unwrap_or_default();
            let before = before[..known].chunks_exact(PAGE).map(Some).chain(iter::repeat(None));
            for ((address, page), before) in (start..).step_by(PAGE).zip(now.chunks_exact(PAGE)).zip(before) {
                let content = if page == ZEROS {
                    Content::Zeros
                } else if before == Some(page) {
                    Content::Blank
                } else {
                    copy.extend_from_slice(page);
                    Content::Copied(copy.len() - PAGE)
                };
                pages.insert(address, content);
            }
        }
    }
    Ok((copy, pages))
}

/// Seals the code and the constants of this process, if the kernel can. `maps` is its /proc/self/maps.
///
/// # Errors
/// When the kernel refuses it although it can, or does not tell the mappings.
pub(crate) fn seal(maps: &mut File) -> io::Result<()> {
    if !kernel::can_seal() {
        return Ok(());
    }
    let mappings = parse(read_maps(maps, &mut Vec::new())?)?;
    let mut fixed = mappings.iter().filter(|mapping| mapping.is_private() && mapping.is_fixed());
    fixed.try_for_each(|mapping| kernel::seal(mapping.start, mapping.end))
}

/// Has copies of this process get all its memory: V8 keeps its heap from them (madvise(2), `MADV_DONTFORK`).
///
/// # Errors
/// When the kernel does not tell the mappings, or refuses it.
pub(crate) fn let_copies_have_all() -> io::Result<()> {
    let mappings = parse(&fs::read("/proc/self/maps")?)?;
    let mut changing = mappings.iter().filter(|mapping| mapping.is_private() && !mapping.is_fixed());
    changing.try_for_each(|mapping| kernel::let_copies_have(mapping.start, mapping.end))
}

/// Writes the pages of a file's mapping with their own content, so that they no longer depend on the file.
fn populate(memory: &File, mapping: &Mapping) -> io::Result<()> {
    let mut page = [0; PAGE];
    for address in (mapping.start..mapping.end).step_by(PAGE) {
        memory.read_exact_at(&mut page, address)?;
        memory.write_all_at(&page, address)?;
    }
    Ok(())
}

fn read_maps<'a>(file: &mut File, into: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
    file.rewind()?;
    into.clear();
    file.read_to_end(into)?;
    Ok(into)
}

fn parse(text: &[u8]) -> io::Result<Vec<Mapping>> {
    maps::parse(std::str::from_utf8(text).map_err(io::Error::other)?)
}
