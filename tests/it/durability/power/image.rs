//! One of the pictures that a disk may show after a loss of power.

use std::{collections::BTreeMap, fs, path::Path};

use super::disk::{Change, Disk, Naming, Node, Pending, apply, write};
use crate::harness::Chance;

/// Which pending changes have reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Picture {
    /// None of it.
    Nothing,
    /// All of it, as after the kill of a process.
    Everything,
    /// Every change before some index, the last write torn.
    Ordered,
    /// Any pages of any writes; names in their order, as journals keep them.
    Shuffled,
    /// Any pages of any writes, any names.
    Wild,
    /// Everything but one page or one name.
    AllButOne,
    /// Nothing but the last write or two.
    OnlyTheLast,
}

impl Picture {
    pub(super) const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Everything,
        Self::Ordered,
        Self::Shuffled,
        Self::Wild,
        Self::AllButOne,
        Self::OnlyTheLast,
    ];
}

/// How much of a write reaches the disk at a time: a sector, a page, all of it.
const GRAINS: [usize; 3] = [512, 4096, usize::MAX];

/// Decides for each part of a pending change whether it has reached the disk.
struct Lot {
    picture: Picture,
    chance: Chance,
    grain: usize,
    /// Percentage of parts that reach the disk.
    odds: usize,
    /// The index that ends an ordered picture, or the part that alone is decided otherwise.
    chosen: usize,
    last: usize,
}

impl Lot {
    fn new(picture: Picture, disk: &Disk<'_>, chance: &mut Chance) -> Self {
        let mut chance = chance.fork();
        let changes = disk.files.iter().flat_map(|file| file.pending.iter().map(|(at, _)| *at));
        let mut moments: Vec<_> = changes.chain(disk.pending.iter().map(|(at, _)| *at)).collect();
        moments.sort_unstable();
        let (grain, odds) = (chance.of(&GRAINS), chance.of(&[10, 50, 90]));
        let chosen = if moments.is_empty() { 0 } else { chance.of(&moments) };
        let back = 1 + chance.below(2);
        let last = moments.iter().rev().nth(back - 1).copied().unwrap_or_default();
        Self { picture, chance, grain, odds, chosen, last }
    }

    /// Whether a part has reached the disk. The caller tears the last write of an ordered picture.
    fn takes(&mut self, moment: usize) -> bool {
        match self.picture {
            Picture::Nothing => false,
            Picture::Everything => true,
            Picture::Ordered => moment < self.chosen,
            Picture::Shuffled | Picture::Wild => self.chance.below(100) < self.odds,
            Picture::AllButOne => moment != self.chosen || !self.chance.once_in(4),
            Picture::OnlyTheLast => moment >= self.last,
        }
    }
}

/// A picture of a disk: its files by name; a directory has no bytes.
pub(super) struct Image(BTreeMap<String, Option<Vec<u8>>>);

impl Image {
    /// Draws a picture by chance.
    pub(super) fn draw(disk: &Disk<'_>, picture: Picture, chance: &mut Chance) -> Self {
        let mut lot = Lot::new(picture, disk, chance);
        let names = names(disk, &mut lot);
        let there = |path: &str| path.is_empty() || names.contains_key(path);
        let mut files = BTreeMap::new();
        for (path, node) in &names {
            let mut folders = path.match_indices('/').map(|(at, _)| &path[..at]);
            if folders.all(there) {
                let file = &disk.files[*node];
                files.insert(path.clone(), (!file.is_directory).then(|| bytes(disk, *node, &mut lot)));
            }
        }
        Self(files)
    }

    /// Writes the files below a directory.
    pub(super) fn lay_out(&self, directory: &Path) {
        for (path, bytes) in &self.0 {
            let path = directory.join(path);
            match bytes {
                None => fs::create_dir(&path).expect("a directory made"),
                Some(bytes) => fs::write(&path, bytes).expect("a file written"),
            }
        }
    }
}

fn names(disk: &Disk<'_>, lot: &mut Lot) -> BTreeMap<String, Node> {
    let mut names = disk.sure.clone();
    // A journal loses names only from its end on.
    let journal = match lot.picture {
        Picture::Shuffled => lot.chance.below(disk.pending.len() + 1),
        _ => disk.pending.len(),
    };
    for (at, naming) in &disk.pending[..journal] {
        if lot.picture == Picture::Shuffled || lot.takes(*at) {
            naming.apply(&mut names);
        } else if let Naming::Rename { .. } = naming
            && lot.picture == Picture::Wild
            && lot.chance.once_in(4)
        {
            // The new name without the removal of the old one.
            let old = names.clone();
            naming.apply(&mut names);
            names.extend(old);
        }
    }
    names
}

fn bytes(disk: &Disk<'_>, node: Node, lot: &mut Lot) -> Vec<u8> {
    let file = &disk.files[node];
    let mut bytes = file.sure.clone();
    for (at, change) in &file.pending {
        match change {
            Change::Truncate { .. } => {
                if lot.takes(*at) {
                    apply(change, &mut bytes);
                }
            }
            Change::Write { at: place, bytes: written } => {
                write_pieces(*at, *place, written, &mut bytes, lot);
            }
        }
    }
    // The disk may know a file's length before its bytes, which are zeros then.
    if matches!(lot.picture, Picture::Shuffled | Picture::Wild) && lot.chance.once_in(2) {
        let longest = file.pending.iter().map(end).max().unwrap_or_default();
        if bytes.len() < longest {
            bytes.resize(longest, 0);
        }
    }
    bytes
}

fn end((_, change): &Pending<Change<'_>>) -> usize {
    match change {
        Change::Write { at, bytes } => usize::try_from(*at).expect("an offset") + bytes.len(),
        Change::Truncate { .. } => 0,
    }
}

fn write_pieces(moment: usize, place: u64, written: &[u8], bytes: &mut Vec<u8>, lot: &mut Lot) {
    if lot.picture == Picture::Ordered && moment == lot.chosen {
        let sectors = lot.chance.below(written.len() / 512 + 1);
        return write(place, &written[..sectors * 512], bytes);
    }
    // Parts end at the file's block boundaries.
    let mut from = 0;
    while from < written.len() {
        let in_block = usize::try_from(place).expect("an offset").wrapping_add(from) % lot.grain;
        let to = written.len().min(from.saturating_add(lot.grain - in_block));
        if lot.takes(moment) {
            write(place + from as u64, &written[from..to], bytes);
        }
        from = to;
    }
}
