//! Loss of power at any point: a server that is started on the bytes that a disk may then hold has
//! every change that it had acknowledged.
//!
//! A shim in C, preloaded into the real server, records every change to its files and every
//! sync ([`record`]). The record tells for every point which changes a disk surely holds and which
//! it may hold ([`disk`]). Pictures of the disk are drawn by chance ([`image`]): none of the
//! unsynced bytes, some pages of them, names without files, lengths without bytes. A server that is
//! started on a picture must show every change that it had acknowledged before the cut ([`judge`]),
//! as the record's driver ([`scene`]) saw it.
//!
//! `ISOCHRON_CUTS=2000 cargo test --test it power -- --nocapture` draws 2000 pictures.

mod disk;
mod image;
mod judge;
mod record;
mod scene;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    thread,
};

use self::{
    disk::Disk,
    image::{Image, Picture},
    judge::{Outcome, judge},
    record::{Record, records},
    scene::Scene,
};
use crate::harness::{Chance, from_environment, seed};

/// Pictures of a usual test run.
const CUTS: u64 = 40;
/// Pictures of one record.
const CUTS_OF_A_RECORD: u64 = 150;
/// Number of records of a start.
const START: usize = 60;
/// Bytes of a segment of the store's log; each segment has its own head.
const SEGMENT: u64 = 8 * 1024 * 1024;
/// Number of records in which the log passes from one segment to the next.
const CROSSING: usize = 12;
/// Servers that are judged at the same time.
const JUDGES: usize = 3;

/// Outcomes of the pictures of one kind.
#[derive(Debug, Default)]
struct Tally {
    whole: usize,
    mended: usize,
    closed: usize,
    lost: usize,
}

#[test]
fn what_was_acknowledged_survives_a_loss_of_power_at_any_moment() {
    let cuts = from_environment("ISOCHRON_CUTS").unwrap_or(CUTS);
    let seed = seed("ISOCHRON_SEED");
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let place = tempfile::tempdir().expect("a temporary directory");
    let shim = compile(place.path());
    let (mut tallies, mut told): (BTreeMap<_, Tally>, BTreeMap<String, usize>) = Default::default();
    let mut left = cuts;
    while left > 0 {
        let scene = Scene::record(&shim, &mut chance);
        let some = left.min(CUTS_OF_A_RECORD);
        left -= some;
        for (picture, cut, outcome) in cut(&scene, some, &mut chance) {
            let tally = tallies.entry(picture).or_default();
            let what = match outcome {
                Outcome::Whole => {
                    tally.whole += 1;
                    continue;
                }
                Outcome::Repaired(what) => {
                    tally.mended += 1;
                    format!("mended: {what}")
                }
                Outcome::Closed(what) => {
                    tally.closed += 1;
                    format!("closed: {what}")
                }
                Outcome::Lost(what) => {
                    tally.lost += 1;
                    format!("lost at {cut}: {}", what.join("; "))
                }
            };
            *told.entry(format!("{picture:?} {what}")).or_default() += 1;
        }
    }
    for (picture, tally) in &tallies {
        println!("{picture:?}: {tally:?}");
    }
    for (what, times) in &told {
        println!("{times} x {what}");
    }
    let bad = tallies.values().map(|tally| tally.lost + tally.closed).sum::<usize>();
    assert_eq!(
        bad, 0,
        "of {cuts} pictures; the same chances again: ISOCHRON_SEED={seed} ISOCHRON_CUTS={cuts}"
    );
}

/// Draws and judges pictures of one record.
fn cut(scene: &Scene, pictures: u64, chance: &mut Chance) -> Vec<(Picture, u64, Outcome)> {
    let records = records(&scene.log);
    let mut moments = moments(scene, &records, pictures, chance);
    moments.sort_unstable();
    let (mut disk, mut done) = (Disk::default(), 0);
    // A picture is drawn only when a judge is free, because all pictures together are large.
    let drawn = moments.into_iter().map(|moment| {
        for (_, record) in &records[done..moment] {
            disk.apply(*record);
        }
        done = moment;
        let picture = chance.of(&Picture::ALL);
        (picture, records[moment - 1].0, Image::draw(&disk, picture, chance))
    });
    let (waiting, judged) = (Mutex::new(drawn), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..JUDGES {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("a lock").next();
                    let Some((picture, cut, image)) = next else { return };
                    let outcome = judge(scene, &image, cut);
                    judged.lock().expect("a lock").push((picture, cut, outcome));
                }
            });
        }
    });
    judged.into_inner().expect("a lock")
}

/// Points to cut at, as numbers of records: random ones, those just after an acknowledgement, those
/// in a start, and those at which a new segment of the store's log begins.
fn moments(scene: &Scene, records: &[(u64, Record<'_>)], pictures: u64, chance: &mut Chance) -> Vec<usize> {
    let versions = scene.stories.iter().flat_map(|story| &story.versions);
    let executions = scene.stories.iter().flat_map(|story| &story.executions);
    let acknowledged: Vec<_> =
        versions.filter_map(|version| version.acknowledged).chain(executions.map(|(at, _)| *at)).collect();
    let starts = records.iter().enumerate().filter(|(_, (_, record))| matches!(record, Record::Start));
    let starts: Vec<_> = starts.map(|(at, _)| at).collect();
    let crosses = |(at, (_, record)): (usize, &(u64, Record<'_>))| match record {
        Record::Write { at: place, .. } if *place > 0 && place % SEGMENT == 0 => Some(at),
        _ => None,
    };
    let crossings: Vec<_> = records.iter().enumerate().filter_map(crosses).collect();
    let moment = |_| match chance.below(5) {
        2 if !crossings.is_empty() => 1 + chance.of(&crossings) + chance.below(CROSSING),
        0 => {
            let at = chance.of(&acknowledged);
            1 + records.partition_point(|(end, _)| *end < at)
        }
        1 => 1 + chance.of(&starts) + chance.below(START),
        _ => 1 + chance.below(records.len()),
    };
    (0..pictures).map(moment).map(|moment| moment.min(records.len())).collect()
}

/// Compiles the shim.
fn compile(place: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/durability/power/shim.c");
    let shim = place.join("shim.so");
    let output = Command::new("cc")
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
        .args([&shim, &source])
        .args(["-ldl", "-lpthread"])
        .output()
        .expect("a C compiler named cc, which this test needs beside the linker");
    assert!(output.status.success(), "the shim: {}", String::from_utf8_lossy(&output.stderr));
    shim
}
