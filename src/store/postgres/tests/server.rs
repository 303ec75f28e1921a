//! A PostgreSQL server for the tests of this process, on a Unix socket in a directory of its own.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use crate::store::{
    Now, Store, StoreError,
    contract::nodes::join,
    postgres::{PgStore, Settings},
};

/// The file of the log, and the name of the user.
const USER: &str = "postgres";

/// A running server, which ends with this value or with the process.
pub(super) struct Server {
    // Before the folder, so that the server ends first.
    _life: ChildStdin,
    folder: tempfile::TempDir,
}

/// The server, started at the first call. `None` if PostgreSQL is not installed, which a test then says.
///
/// # Panics
/// If it is not installed and `CI` is set.
pub(super) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| binaries().map(|binaries| start(&binaries, 5432, &[]))).as_ref();
    if server.is_none() {
        assert!(env::var_os("CI").is_none(), "there is no PostgreSQL (apt-get install postgresql-15)");
        println!("skipped: no PostgreSQL (apt-get install postgresql-15)");
    }
    server
}

impl Server {
    /// The folder of its socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// The settings of a store in a schema of this server.
    pub(super) fn settings(&self, schema: &str) -> Settings {
        Self::settings_at(&self.socket(), schema)
    }

    /// The settings of a store that is reached at another socket.
    pub(super) fn settings_at(socket: &Path, schema: &str) -> Settings {
        let socket = socket.display().to_string().replace('/', "%2F");
        let mut settings = Settings::new(&format!("postgres://{USER}@{socket}/postgres")).expect("a URL");
        schema.clone_into(&mut settings.schema);
        settings.connections = 1;
        settings
    }

    /// The schema that stands for a directory.
    pub(super) fn schema_of(directory: &Path) -> String {
        format!("test_{}", directory.file_name().expect("a name").to_string_lossy())
    }

    pub(super) fn open(&self, schema: &str) -> PgStore {
        let store = open(self.settings(schema), None).expect("it opens");
        join(&store);
        store
    }
}

/// Opens a store, with a clock of the test's or the database's.
pub(super) fn open(settings: Settings, now: Option<Now>) -> Result<PgStore, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let store = runtime.block_on(PgStore::open_with(settings, now))?;
    <dyn Store>::shared(&store).expect("many share it").end_start();
    Ok(store)
}

/// The folder of the server's programs.
fn binaries() -> Option<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let given = env::var_os("ISOCHRON_PG_BIN").map(PathBuf::from);
    let mut found: Vec<_> = installed.map(|version| version.path().join("bin")).collect();
    found.sort();
    given.into_iter().chain(found.into_iter().rev()).find(|folder| folder.join("initdb").exists())
}

/// The arguments that run a program as a user other than root, which the server refuses.
fn as_user(program: &Path) -> Vec<&OsStr> {
    let user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"].map(OsStr::new);
    let is_root = rustix::process::geteuid().is_root();
    user.into_iter().filter(|_| is_root).chain([program.as_os_str()]).collect()
}

/// A command that ends a program by a signal once its own standard input ends, and so with this process however
/// that ends.
pub(super) fn bound(program: &Path, signal: &str) -> Command {
    let script = format!("\"$@\" & read line; kill -{signal} $!; wait");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).args(as_user(program));
    command.stdin(Stdio::piped());
    command
}

/// Starts a server that only the test uses which asks for it, at a port of this machine with TLS.
pub(super) fn encrypted() -> Option<(Server, u16)> {
    let binaries = binaries()?;
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let settings =
        ["listen_addresses=127.0.0.1", "ssl=on", "ssl_cert_file=../valid.pem", "ssl_key_file=../server.key"];
    Some((start(&binaries, port, &settings), port))
}

fn start(binaries: &Path, port: u16, settings: &[&str]) -> Server {
    let folder = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").expect("a folder");
    for name in ["data", "socket"] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    for name in ["valid.pem", "server.key"] {
        let path = folder.path().join(name);
        fs::copy(Path::new("tests/cases/tls").join(name), &path).expect("it copies");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is its owner's");
    }
    if rustix::process::geteuid().is_root() {
        let chown = Command::new("chown").args(["-R", "postgres"]).arg(folder.path()).status();
        assert!(chown.expect("it runs").success());
    }
    let data = folder.path().join("data");
    let program = binaries.join("initdb");
    let words = as_user(&program);
    let made = Command::new(words[0])
        .args(&words[1..])
        .arg("-D")
        .arg(&data)
        .args([
            "-N",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "-U",
            USER,
            "-E",
            "UTF8",
            "--locale=C",
        ])
        .stdout(Stdio::null())
        .status();
    assert!(made.expect("it runs").success(), "initdb");
    let socket = folder.path().join("socket");
    let mut server = bound(&binaries.join("postgres"), "QUIT");
    server.arg("-D").arg(&data).arg("-k").arg(&socket).arg("-p").arg(port.to_string());
    let common = ["listen_addresses=", "fsync=off", "max_connections=300", "logging_collector=off"];
    for setting in common.iter().chain(settings) {
        server.arg("-c").arg(setting);
    }
    let log = fs::File::create(folder.path().join("log")).expect("a file");
    let mut child = server.stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
    let life = child.stdin.take().expect("a pipe");
    std::thread::spawn(move || child.wait());
    // The server's own word: its socket is there before it takes connections.
    let state = data.join("postmaster.pid");
    for _ in 0..1000 {
        if fs::read_to_string(&state).is_ok_and(|state| state.contains("ready")) {
            return Server { _life: life, folder };
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    panic!("the server does not start: {log}");
}
