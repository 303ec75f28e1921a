//! A PostgreSQL server for tests, on a Unix socket in a directory of its own.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use rustix::process::Signal;

use super::{signal_process, until};

/// The superuser of the server.
const USER: &str = "postgres";

/// A server, which a test may stop and start.
pub(crate) struct Database {
    folder: tempfile::TempDir,
    binaries: PathBuf,
    settings: Vec<&'static str>,
    /// The library that changes the clock of a program, if this server's clock is wrong.
    clock: Option<PathBuf>,
    process: Mutex<Option<Program>>,
}

/// A running program with the thread that waits for its end: the program ends with the thread that has started it.
pub(super) struct Program {
    number: u32,
    waiting: JoinHandle<()>,
}

impl Program {
    /// Starts a command, whose errors go to a file.
    pub(super) fn start(mut command: Command, log: &Path) -> Self {
        let log = fs::File::create(log).expect("a file");
        let (started, number) = mpsc::channel();
        let waiting = thread::spawn(move || {
            let mut child = command.stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
            let _ = started.send(child.id());
            let _ = child.wait();
        });
        Self { number: number.recv().expect("it starts"), waiting }
    }

    /// Signals the program, and waits for its end.
    pub(super) fn end(self, signal: Signal) {
        signal_process(self.number, signal);
        // It has no panic of its own.
        let _ = self.waiting.join();
    }
}

/// A connection that is taken.
pub(crate) struct Occupied {
    asked: Option<ChildStdin>,
    child: Child,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        // It ends in order with its input.
        self.asked = None;
        let _ = self.child.wait();
    }
}

impl Database {
    /// The server of all tests, started at the first call. `None` if PostgreSQL is not installed, which a test
    /// then says.
    ///
    /// # Panics
    /// If it is not installed and `CI` is set.
    pub(crate) fn of_all() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<Database>> = OnceLock::new();
        SERVER.get_or_init(Self::new).as_ref()
    }

    /// A server of one test; see [`Self::of_all`].
    pub(crate) fn new() -> Option<Self> {
        Self::with(&[])
    }

    /// A server of one test with settings such as `max_connections=40`; see [`Self::of_all`].
    pub(crate) fn with(settings: &[&'static str]) -> Option<Self> {
        Self::make(settings, None)
    }

    /// A server of one test whose clock is wrong by an offset such as `+1h`; see [`Self::of_all`].
    pub(crate) fn with_clock(offset: &str) -> Option<Self> {
        let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
        let Some(library) = libraries.find(|library| library.exists()) else {
            assert!(env::var_os("CI").is_none(), "there is no libfaketime (apt-get install libfaketime)");
            println!("skipped: no libfaketime (apt-get install libfaketime)");
            return None;
        };
        Self::make(&[], Some(&(library, offset)))
    }

    fn make(settings: &[&'static str], clock: Option<&(PathBuf, &str)>) -> Option<Self> {
        let Some(binaries) = find_binaries() else {
            assert!(env::var_os("CI").is_none(), "there is no PostgreSQL (apt-get install postgresql-15)");
            println!("skipped: no PostgreSQL (apt-get install postgresql-15)");
            return None;
        };
        let folder = make_folder(&["data", "socket"]);
        let made = command(&binaries.join("initdb"))
            .arg("-D")
            .arg(folder.path().join("data"))
            .args(["-N", "--auth=trust", "-U", USER, "-E", "UTF8", "--locale=C"])
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("it runs").success(), "initdb");
        let (settings, library) = (settings.to_vec(), clock.map(|(library, _)| library.clone()));
        let database = Self { folder, binaries, settings, clock: library, process: Mutex::default() };
        if let Some((_, offset)) = clock {
            database.set_clock(offset);
        }
        database.start();
        Some(database)
    }

    /// Starts a standby that gets the commits of this server as they are made.
    pub(crate) fn standby(&self) -> Self {
        let folder = make_folder(&["socket"]);
        let mut copy = command(&self.binaries.join("pg_basebackup"));
        copy.args(["-R", "-X", "stream", "-c", "fast", "--no-sync", "-U", USER, "-h"]).arg(self.socket());
        let copied = copy.arg("-D").arg(folder.path().join("data")).status();
        assert!(copied.expect("it runs").success(), "pg_basebackup");
        let (binaries, settings) = (self.binaries.clone(), self.settings.clone());
        let standby = Self { folder, binaries, settings, clock: None, process: Mutex::default() };
        standby.start();
        standby
    }

    /// Makes a standby the server that takes writes.
    pub(crate) fn promote(&self) {
        assert_eq!(self.ask("SELECT pg_promote()"), "t");
    }

    /// Sets the clock of a server that has a wrong one.
    pub(crate) fn set_clock(&self, offset: &str) {
        fs::write(self.folder.path().join("clock"), offset).expect("it writes");
    }

    /// The answer of the server to a statement of the superuser.
    #[track_caller]
    pub(crate) fn ask(&self, statement: &str) -> String {
        let mut psql = command(&self.binaries.join("psql"));
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", USER, "-c", statement, "-h"]);
        let said = psql.arg(self.socket()).output().expect("it runs");
        assert!(said.status.success(), "{statement}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }

    /// Takes one of the connections, until the value is dropped.
    pub(crate) fn occupy(&self) -> Occupied {
        self.occupy_with("")
    }

    /// Takes a connection, which then does these statements.
    pub(crate) fn occupy_with(&self, statements: &str) -> Occupied {
        let mut psql = command(&self.binaries.join("psql"));
        psql.args(["-X", "-A", "-t", "-q", "-U", USER, "-h"]).arg(self.socket());
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut asked = child.stdin.take().expect("its input");
        writeln!(asked, "{statements} SELECT 'taken';").expect("it asks");
        let mut said = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut said).expect("it answers");
        assert_eq!(said, "taken\n");
        Occupied { asked: Some(asked), child }
    }

    /// The address for `store.url`.
    pub(crate) fn url(&self) -> String {
        Self::url_at(&self.socket())
    }

    /// The same, for a socket in another folder.
    pub(crate) fn url_at(socket: &Path) -> String {
        let socket = socket.display().to_string().replace('/', "%2F");
        format!("postgres://{USER}@{socket}/postgres")
    }

    /// The folder of its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Starts the server, and waits until it takes connections.
    pub(crate) fn start(&self) {
        let data = self.folder.path().join("data");
        let program = self.binaries.join("postgres");
        let mut server = match &self.clock {
            None => command(&program),
            Some(library) => {
                // The library is not for the program that changes the user.
                let mut server = command(Path::new("env"));
                server.arg(format!("LD_PRELOAD={}", library.display())).arg("FAKETIME_DONT_FAKE_MONOTONIC=1");
                server.arg(format!("FAKETIME_TIMESTAMP_FILE={}", self.folder.path().join("clock").display()));
                server.arg("FAKETIME_NO_CACHE=1").arg(program);
                server
            }
        };
        server.arg("-D").arg(&data).arg("-k").arg(self.folder.path().join("socket"));
        let common = ["listen_addresses=", "fsync=off", "max_connections=200", "logging_collector=off"];
        for setting in common.iter().chain(&self.settings) {
            server.arg("-c").arg(setting);
        }
        let program = Program::start(server, &self.folder.path().join("log"));
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(program);
        // The server's own word: its socket is there before it takes connections.
        let state = data.join("postmaster.pid");
        until("the database takes connections", || {
            fs::read_to_string(&state).is_ok_and(|state| state.contains("ready")).then_some(())
        });
    }

    /// Stops the server at once, with all its connections.
    pub(crate) fn stop(&self) {
        self.end(Signal::INT);
    }

    /// Has the server crash: it writes nothing more, and tells its standby nothing more.
    pub(crate) fn crash(&self) {
        self.end(Signal::QUIT);
    }

    fn end(&self, signal: Signal) {
        let program = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(program) = program {
            program.end(signal);
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The folder of the server's programs.
fn find_binaries() -> Option<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let given = env::var_os("ISOCHRON_PG_BIN").map(PathBuf::from);
    let mut found: Vec<_> = installed.map(|version| version.path().join("bin")).collect();
    found.sort();
    given.into_iter().chain(found.into_iter().rev()).find(|folder| folder.join("initdb").exists())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A folder that the user of the server may write, with folders in it.
pub(super) fn make_folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").expect("a folder");
    for name in names {
        fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    if is_root() {
        let chown = Command::new("chown").args(["-R", USER]).arg(folder.path()).status();
        assert!(chown.expect("it runs").success());
    }
    folder
}

/// A command as a user other than root, whom the server refuses; it ends with its thread.
pub(super) fn command(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let user = format!("--reuid={USER}");
    let group = format!("--regid={USER}");
    let mut command = Command::new("setpriv");
    command.args([&user, &group, "--clear-groups", "--pdeathsig", "QUIT"]).arg(program);
    command
}
