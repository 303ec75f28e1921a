//! Days of backups, by a clock that the tests set.

use std::{
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicI64, Ordering},
};

use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::Notify, task::JoinHandle};

use crate::{backup::*, clock::Sleep, store::sled::SledStore};

/// The 24th of November 2026, 10:00 UTC.
const START: Millis = 1_795_514_400_000;
const HOUR: Millis = 3_600_000;

/// Shows what it is set to; waiting ends whenever it is set.
#[derive(Default)]
struct SetClock {
    now: AtomicI64,
    set: Notify,
    asleep: Notify,
}

impl Clock for SetClock {
    fn now(&self) -> Millis {
        self.now.load(Ordering::SeqCst)
    }

    fn sleep_until(&self, _moment: Millis) -> Sleep<'_> {
        let set = self.set.notified();
        self.asleep.notify_one();
        Box::pin(set)
    }

    fn roll(&self) -> f64 {
        0.5
    }

    fn bits(&self) -> u128 {
        0
    }
}

struct Scene {
    directory: TempDir,
    clock: Arc<SetClock>,
    store: Arc<dyn Store>,
    runtime: Runtime,
    backups: Arc<Backups>,
    stop: watch::Sender<bool>,
    running: Option<JoinHandle<()>>,
}

impl Scene {
    fn new(least_free: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(SetClock::default());
        clock.now.store(START, Ordering::SeqCst);
        let store: Arc<dyn Store> = Arc::new(
            SledStore::open(&directory.path().join("store"), 8 << 20, Arc::new(|| 0)).expect("it opens"),
        );
        let backups = Arc::new(Backups {
            store: store.clone(),
            clock: clock.clone(),
            directory: directory.path().join("backups"),
            least_free,
            error: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("a runtime");
        Self { directory, clock, store, runtime, backups, stop: watch::channel(false).0, running: None }
    }

    /// Starts, and waits until there is nothing more to do at this hour.
    fn start(&mut self) {
        self.running = Some(self.runtime.spawn(self.backups.clone().run(self.stop.subscribe())));
        self.runtime.block_on(self.clock.asleep.notified());
    }

    /// Lets the clock show another time, and waits until that has had its effect.
    fn at(&self, time: Millis) {
        self.clock.now.store(time, Ordering::SeqCst);
        self.clock.set.notify_one();
        self.runtime.block_on(self.clock.asleep.notified());
    }

    fn stop(&mut self) {
        self.stop.send_replace(true);
        let running = self.running.take().expect("it runs");
        self.runtime.block_on(running).expect("no panic");
        self.runtime.block_on(self.store.close()).expect("it closes");
    }

    fn names(&self) -> Vec<String> {
        let folder = self.directory.path().join("backups");
        let mut names: Vec<_> =
            files(&folder).map(|path| path.file_name().expect("a name").display().to_string()).collect();
        names.sort();
        names
    }

    fn leave(&self, name: &str) {
        let folder = self.directory.path().join("backups");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(name), "left").expect("written");
    }
}

#[test]
fn one_is_made_at_the_start_and_every_day_and_the_newest_seven_are_kept() {
    let mut scene = Scene::new(0);
    scene.start();
    assert_eq!(scene.names(), ["isochron-20261124T100000Z.jsonl"]);
    let folder = scene.directory.path().join("backups");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join(&scene.names()[0]))), (0o700, 0o600));
    let state = scene.backups.state();
    assert_eq!((state.time, state.file, state.error), (Some(START), scene.names().pop(), None));

    scene.at(START + 23 * HOUR);
    assert_eq!(scene.names().len(), 1, "it is not a day old");
    for day in 1..=9 {
        scene.at(START + day * 24 * HOUR);
    }
    let names = scene.names();
    assert_eq!(names.len(), 7);
    assert_eq!(
        (&*names[0], &*names[6]),
        ("isochron-20261127T100000Z.jsonl", "isochron-20261203T100000Z.jsonl")
    );
    // And each is a copy.
    let other: Arc<dyn Store> = Arc::new(
        SledStore::open(&scene.directory.path().join("other"), 8 << 20, Arc::new(|| 0)).expect("it opens"),
    );
    scene.runtime.block_on(file::import(&*other, &folder.join(&names[6]))).expect("it is whole");
    scene.runtime.block_on(other.close()).expect("it closes");
    scene.stop();
}

#[test]
fn a_restart_makes_one_only_when_the_newest_is_a_day_old_and_what_is_no_backup_stays() {
    let mut scene = Scene::new(0);
    scene.leave("isochron-20261123T120000Z.jsonl");
    scene.leave("notes.txt");
    scene.leave("isochron-20261123T110000Z.jsonl.unfinished");
    scene.start();
    assert_eq!(scene.names().len(), 3, "{:?}", scene.names());
    scene.at(START + 2 * HOUR);
    let expected = ["isochron-20261123T120000Z.jsonl", "isochron-20261124T120000Z.jsonl", "notes.txt"];
    assert_eq!(scene.names(), expected, "what was not finished has gone");
    scene.stop();
}

#[test]
fn one_from_the_future_does_not_hold_up_the_others() {
    let mut scene = Scene::new(0);
    scene.leave("isochron-20301124T100000Z.jsonl");
    scene.start();
    scene.at(START + HOUR);
    assert_eq!(scene.names(), ["isochron-20261124T100000Z.jsonl", "isochron-20301124T100000Z.jsonl"]);
    scene.stop();
}

#[test]
fn one_that_fails_is_told_about_and_tried_again_an_hour_later() {
    let mut scene = Scene::new(0);
    // A file where the folder should be.
    fs::write(scene.directory.path().join("backups"), "").expect("written");
    scene.start();
    let error = scene.backups.state().error.expect("it failed");
    assert!(error.contains("backups"), "{error}");
    fs::remove_file(scene.directory.path().join("backups")).expect("removed");
    scene.at(START + HOUR / 2);
    assert!(scene.backups.state().error.is_some() && scene.names().is_empty());
    scene.at(START + HOUR);
    assert_eq!((scene.backups.state().error, scene.names().len()), (None, 1));
    scene.stop();
}

#[test]
fn none_is_made_where_there_is_no_room() {
    let mut scene = Scene::new(u64::MAX / 2);
    scene.start();
    let error = scene.backups.state().error.expect("it failed");
    assert!(error.contains("make room"), "{error}");
    assert_eq!(scene.names(), Vec::<String>::new());
    scene.stop();
}
