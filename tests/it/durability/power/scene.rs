//! The recorded scene: a server at work, killed and started again in between, and the changes that
//! it acknowledged at each point of the record.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    disk::Disk,
    record::{Record, records},
};
use crate::{
    durability::kills::{DORMANT, HANDLERS, params},
    harness::{Chance, Client, Home, Options, Server, task, until},
};

/// Lives of the server in one record.
const LIVES: usize = 3;
/// Changes of each life.
const CHANGES: usize = 70;
const DRIVERS: usize = 3;
const TASKS: usize = 4;
/// Bytes of parameters in most scenes.
const FILLINGS: &[usize] = &[0, 0, 1_000, 20_000, 60_000, 200_000];
/// Bytes of parameters in some scenes: sixteen of these exceed one write of sled's log.
const LARGE_FILLINGS: &[usize] = &[180_000, 250_000];

/// A task's definition from one request on; `None` if the request deletes the task.
#[derive(Debug, Clone)]
pub(super) struct Version {
    /// The record's length before the request was sent.
    pub(super) sent: u64,
    /// The record's length after the answer.
    pub(super) acknowledged: Option<u64>,
    pub(super) body: Option<Value>,
}

/// The history of a task.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) name: String,
    id: String,
    pub(super) versions: Vec<Version>,
    /// Executions with the record's length when their ends were acknowledged.
    pub(super) executions: Vec<(u64, Value)>,
}

/// A record and its acknowledged changes.
pub(super) struct Scene {
    pub(super) log: Vec<u8>,
    pub(super) stories: Vec<Story>,
}

impl Scene {
    /// Records a scene.
    pub(super) fn record(shim: &Path, chance: &mut Chance) -> Self {
        let home = Home::new();
        for (name, source) in HANDLERS {
            home.write(name, source);
        }
        let log = home.path().join("record");
        let options = Options::default()
            .environment("LD_PRELOAD", shim.to_str().expect("a path"))
            .environment("POWER_DIR", home.path().to_str().expect("a path"))
            .environment("POWER_LOG", log.to_str().expect("a path"))
            // A small cache, so that pages are rewritten often.
            .set("STORE__CACHE", "1 MiB");
        let mut server = options.start_in(home).unwrap_or_else(|said| panic!("{said}"));
        let fillings = if chance.once_in(4) { LARGE_FILLINGS } else { FILLINGS };
        let driver = |name| Driver {
            name,
            chance: chance.fork(),
            log: log.clone(),
            fillings,
            stories: Vec::new(),
            open: Vec::new(),
        };
        let mut drivers: Vec<_> = (0..DRIVERS).map(driver).collect();
        for life in 0..LIVES {
            if life > 0 {
                server.start_again();
            }
            run_one_life(&mut server, &mut drivers);
            complete_record(&log, server.home.path());
        }
        let stories = drivers.into_iter().flat_map(|driver| driver.stories).collect();
        Self { log: fs::read(&log).expect("the record"), stories }
    }
}

/// Completes the record of a process that was killed: the last record may be cut off, and a
/// change may have been made whose record was never written.
fn complete_record(log: &Path, directory: &Path) {
    let mut bytes = fs::read(log).expect("the record");
    let whole = records(&bytes);
    let mut disk = Disk::default();
    whole.iter().for_each(|(_, record)| disk.apply(*record));
    let length = whole.last().map_or(0, |(end, _)| *end);
    let mut more = Vec::new();
    for (handle, (path, seen)) in (u64::MAX / 2..).zip(disk.seen()) {
        let Ok(found) = fs::read(directory.join(path)) else {
            Record::Unlink { path }.append_to(&mut more);
            continue;
        };
        if found == seen {
            continue;
        }
        let same = found.iter().zip(&seen).take_while(|(one, other)| one == other).count();
        Record::Open { handle, created: false, path }.append_to(&mut more);
        let (at, rest) = (same as u64, &found[same..]);
        Record::Truncate { handle, length: found.len() as u64 }.append_to(&mut more);
        Record::Write { handle, at, bytes: rest }.append_to(&mut more);
    }
    bytes.truncate(usize::try_from(length).expect("a length"));
    bytes.extend(more);
    fs::write(log, bytes).expect("the record written");
}

/// One life of the server: [`CHANGES`] changes, and a kill in the middle of the next.
fn run_one_life(server: &mut Server, drivers: &mut [Driver]) {
    let (client, changes) = (server.client(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for driver in drivers {
            scope.spawn(|| driver.work(client, &changes));
        }
        until("enough has changed", || (changes.load(Ordering::Relaxed) >= CHANGES).then_some(()));
        server.signal(Signal::KILL);
    });
    server.exit();
}

struct Driver {
    name: usize,
    chance: Chance,
    log: PathBuf,
    fillings: &'static [usize],
    stories: Vec<Story>,
    /// Indexes of the stories whose state is known.
    open: Vec<usize>,
}

struct Gone;

impl Driver {
    fn work(&mut self, client: &Client, changes: &AtomicUsize) {
        while self.do_something(client).is_ok() {
            changes.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn do_something(&mut self, client: &Client) -> Result<(), Gone> {
        if self.open.len() < TASKS {
            return self.create(client);
        }
        let at = self.chance.below(self.open.len());
        match self.chance.below(10) {
            0..5 => self.run(client, at),
            5..8 => self.edit(client, at),
            _ => self.delete(client, at),
        }
    }

    /// The length of the record now.
    fn moment(&self) -> u64 {
        fs::metadata(&self.log).expect("the record").len()
    }

    fn create(&mut self, client: &Client) -> Result<(), Gone> {
        let name = format!("recorded-{}-{:04}", self.name, self.stories.len());
        let more = json!({ "recurring": true, "params": self.params(), "keepExecutions": 8 });
        let handler = self.chance.of(&["quick", "chatty", "floods"]);
        let body = task(&name, handler, DORMANT, &more);
        let sent = self.moment();
        let version = Version { sent, acknowledged: None, body: Some(body.clone()) };
        self.stories.push(Story { name, id: String::new(), versions: vec![version], executions: Vec::new() });
        let answer = client.attempt("POST", "/admin/scheduler", Some(&body)).ok_or(Gone)?.expect(201);
        let moment = self.moment();
        let story = self.stories.last_mut().expect("just pushed");
        story.id = answer["task"]["_key"].as_str().expect("an id").to_owned();
        story.versions[0].acknowledged = Some(moment);
        self.open.push(self.stories.len() - 1);
        Ok(())
    }

    fn edit(&mut self, client: &Client, at: usize) -> Result<(), Gone> {
        let edit = json!({ "description": format!("edit {}", self.chance.next()), "params": self.params() });
        let story = &self.stories[self.open[at]];
        let mut body = story.versions.last().and_then(|version| version.body.clone()).expect("a body");
        for (key, value) in edit.as_object().expect("an object") {
            body[key] = value.clone();
        }
        self.change(client, at, "PUT", Some(&edit), Some(body))
    }

    fn delete(&mut self, client: &Client, at: usize) -> Result<(), Gone> {
        self.change(client, at, "DELETE", None, None)?;
        self.open.swap_remove(at);
        Ok(())
    }

    fn change(
        &mut self,
        client: &Client,
        at: usize,
        method: &str,
        sends: Option<&Value>,
        body: Option<Value>,
    ) -> Result<(), Gone> {
        let sent = self.moment();
        let which = self.open[at];
        self.stories[which].versions.push(Version { sent, acknowledged: None, body });
        let path = format!("/admin/scheduler/{}", self.stories[which].id);
        let Some(answer) = client.attempt(method, &path, sends) else {
            self.open.swap_remove(at);
            return Err(Gone);
        };
        answer.expect(200);
        let moment = self.moment();
        self.stories[which].versions.last_mut().expect("just pushed").acknowledged = Some(moment);
        Ok(())
    }

    fn run(&mut self, client: &Client, at: usize) -> Result<(), Gone> {
        let which = self.open[at];
        let path = format!("/admin/scheduler/{}/actions/run?wait=true", self.stories[which].id);
        let mut answer = client.attempt("POST", &path, None).ok_or(Gone)?.expect(200);
        let execution = answer["execution"].take();
        let moment = self.moment();
        self.stories[which].executions.push((moment, execution));
        Ok(())
    }

    fn params(&mut self) -> Value {
        let filling = self.chance.of(self.fillings);
        params(self.chance.below(1000), filling)
    }
}
