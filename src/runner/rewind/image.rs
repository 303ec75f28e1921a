//! The image: a copy of a cell's memory at its checkpoint, and the way to put it back.
//!
//! The copy has every populated page of every private mapping. A page that was not populated reads as
//! zeros, but for a mapping of a file, of which every page is copied.
//!
//! The **hot set** has the pages that some run has written. They are put back after each run, written or
//! not, and are never protected again: a page costs a fault once in the life of a cell and not once in
//! each run.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, Read, Seek},
    os::fd::AsFd,
    os::unix::fs::FileExt,
};

use crate::runner::rewind::{
    handover::Handles,
    kernel::{self, Region, WRITTEN},
    maps::{self, Mapping},
    position::Position,
};

/// Bytes of a page.
const PAGE: u64 = 4096;
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

/// A copy of a cell's memory.
pub(crate) struct Image {
    handles: Handles,
    mappings: Vec<Mapping>,
    /// Text of /proc/PID/maps with these mappings.
    maps: Vec<u8>,
    copy: Vec<u8>,
    /// Offsets in `copy`, by the address of the page.
    pages: HashMap<u64, usize>,
    /// Offsets of the hot pages, by their address; none stands for zeros.
    hot: BTreeMap<u64, Option<usize>>,
    /// Hot pages that are in `pages`.
    hot_copied: usize,
    /// The hot set's contents in order, as pieces of memory without gaps.
    pieces: Vec<(u64, Vec<u8>)>,
    regions: Vec<Region>,
    read: Vec<u8>,
    position: Position,
    /// Pieces of memory that no run may write: code, and constants of files.
    fixed: Vec<(u64, u64)>,
}

impl Image {
    /// Copies the memory of a cell that stands at its checkpoint, and protects it.
    ///
    /// # Errors
    /// When the kernel refuses a step.
    pub(crate) fn take(mut handles: Handles, position: Position) -> io::Result<Self> {
        let mut read = Vec::new();
        let maps = read_maps(&mut handles.maps, &mut read)?.to_vec();
        let mut fixed = Vec::new();
        for mapping in parse(&maps)?.iter().filter(|mapping| mapping.is_private()) {
            let is_of_file = mapping.is_of_file();
            let is_written = || kernel::has_copies(handles.pagemap.as_fd(), mapping.start, mapping.end);
            if mapping.is_fixed() && !is_written()? {
                fixed.push((mapping.start, mapping.end));
                continue;
            }
            if is_of_file {
                populate(&handles.memory, mapping)?;
            }
            kernel::register(handles.writes.as_fd(), mapping.start, mapping.end)?;
        }
        let maps = read_maps(&mut handles.maps, &mut read)?.to_vec();
        let mappings = parse(&maps)?;
        let mut regions = Vec::new();
        kernel::scan(handles.pagemap.as_fd(), &mut regions, true)?;
        let bytes: u64 = regions.iter().map(|region| region.end - region.start).sum();
        let mut copy = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        let (mut pages, mut offset) = (HashMap::new(), 0);
        for region in &regions {
            let length = usize::try_from(region.end - region.start).map_err(io::Error::other)?;
            handles.memory.read_exact_at(&mut copy[offset..offset + length], region.start)?;
            for address in (region.start..region.end).step_by(PAGE as usize) {
                pages.insert(address, offset);
                offset += PAGE as usize;
            }
        }
        Ok(Self {
            handles,
            mappings,
            maps,
            copy,
            pages,
            hot: BTreeMap::new(),
            hot_copied: 0,
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
        if !self.note_written() {
            return Err(Lost::Pages);
        }
        if self.hot.len() > HOTTEST {
            return Err(Lost::Hot(self.hot.len()));
        }
        for (address, bytes) in &self.pieces {
            self.handles.memory.write_all_at(bytes, *address)?;
        }
        Ok(added)
    }

    fn added_mappings(&mut self) -> Result<Vec<(u64, u64)>, Lost> {
        let now = read_maps(&mut self.handles.maps, &mut self.read)?;
        if now == self.maps {
            return Ok(Vec::new());
        }
        let now = parse(now)?;
        let added = maps::added(&self.mappings, &now).ok_or(Lost::Mappings)?;
        Ok(added.into_iter().map(|mapping| (mapping.start, mapping.end - mapping.start)).collect())
    }

    /// Adds the pages that were written to the hot set; `false` if others are gone.
    fn note_written(&mut self) -> bool {
        let (mut unwritten, mut is_new) = (0, false);
        for region in &self.regions {
            if region.categories & WRITTEN == 0 {
                unwritten += (region.end - region.start) / PAGE;
                continue;
            }
            for address in (region.start..region.end).step_by(PAGE as usize) {
                if !self.hot.contains_key(&address) {
                    let copied = self.pages.get(&address).copied();
                    self.hot_copied += usize::from(copied.is_some());
                    self.hot.insert(address, copied);
                    is_new = true;
                }
            }
        }
        if is_new {
            self.gather_pieces();
        }
        // A page that is not populated any more has no categories: it would be missing here.
        unwritten as usize == self.pages.len() - self.hot_copied
    }

    fn gather_pieces(&mut self) {
        self.pieces.clear();
        for (&address, &copied) in &self.hot {
            let zeros = [0; PAGE as usize];
            let bytes = copied.map_or(&zeros[..], |offset| &self.copy[offset..offset + PAGE as usize]);
            match self.pieces.last_mut() {
                Some((start, piece)) if *start + piece.len() as u64 == address => {
                    piece.extend_from_slice(bytes);
                }
                _ => self.pieces.push((address, bytes.to_vec())),
            }
        }
    }
}

/// Writes the pages of a file's mapping with their own content, so that they no longer depend on the file.
fn populate(memory: &File, mapping: &Mapping) -> io::Result<()> {
    let mut page = [0; PAGE as usize];
    for address in (mapping.start..mapping.end).step_by(PAGE as usize) {
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
