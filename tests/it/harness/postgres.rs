//! A PostgreSQL server for tests, on a Unix socket in a directory of its own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
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
    /// The process, and the thread that waits for its end: a server ends with the thread that has started it.
    process: Mutex<Option<(u32, JoinHandle<()>)>>,
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
        let Some(binaries) = find_binaries() else {
            assert!(env::var_os("CI").is_none(), "there is no PostgreSQL (apt-get install postgresql-15)");
            println!("skipped: no PostgreSQL (apt-get install postgresql-15)");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").expect("a folder");
        for name in ["data", "socket"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        if is_root() {
            let chown = Command::new("chown").args(["-R", USER]).arg(folder.path()).status();
            assert!(chown.expect("it runs").success());
        }
        let made = command(&binaries.join("initdb"))
            .arg("-D")
            .arg(folder.path().join("data"))
            .args(["-N", "--auth=trust", "-U", USER, "-E", "UTF8", "--locale=C"])
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("it runs").success(), "initdb");
        let database = Self { folder, binaries, process: Mutex::default() };
        database.start();
        Some(database)
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
        let mut server = command(&self.binaries.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(self.folder.path().join("socket"));
        for setting in ["listen_addresses=", "fsync=off", "max_connections=200", "logging_collector=off"] {
            server.arg("-c").arg(setting);
        }
        let log = fs::File::create(self.folder.path().join("log")).expect("a file");
        let (started, number) = mpsc::channel();
        let waiting = thread::spawn(move || {
            let mut child = server.stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
            let _ = started.send(child.id());
            let _ = child.wait();
        });
        let number = number.recv().expect("it starts");
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, waiting));
        // The server's own word: its socket is there before it takes connections.
        let state = data.join("postmaster.pid");
        until("the database takes connections", || {
            fs::read_to_string(&state).is_ok_and(|state| state.contains("ready")).then_some(())
        });
    }

    /// Stops the server at once, with all its connections.
    pub(crate) fn stop(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((number, waiting)) = process {
            signal_process(number, Signal::INT);
            // It has no panic of its own.
            let _ = waiting.join();
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

/// A command as a user other than root, whom the server refuses; it ends with its thread.
fn command(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let user = format!("--reuid={USER}");
    let group = format!("--regid={USER}");
    let mut command = Command::new("setpriv");
    command.args([&user, &group, "--clear-groups", "--pdeathsig", "QUIT"]).arg(program);
    command
}
