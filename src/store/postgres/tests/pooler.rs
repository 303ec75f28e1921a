//! The contract through PgBouncer in transaction mode: each transaction may have another connection.

use std::{
    fs,
    path::Path,
    process::{ChildStdin, Command, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::server::{Server, bound, server};
use crate::store::{
    Now, Store,
    contract::{nodes::joined, passes, shares},
};

const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// A running pooler, which ends with the process.
struct Pooler {
    _life: ChildStdin,
    folder: tempfile::TempDir,
}

/// The pooler, which is started at the first call.
fn pooler() -> Option<&'static Pooler> {
    static POOLER: OnceLock<Option<Pooler>> = OnceLock::new();
    let pooler = POOLER.get_or_init(|| {
        let server = server()?;
        Path::new(PROGRAM).exists().then(|| start(server))
    });
    if pooler.is_none() {
        assert!(std::env::var_os("CI").is_none(), "there is no pgbouncer (apt-get install pgbouncer)");
        println!("skipped: no pgbouncer (apt-get install pgbouncer)");
    }
    pooler.as_ref()
}

fn start(server: &Server) -> Pooler {
    let folder = tempfile::Builder::new().prefix("pgb").tempdir_in("/tmp").expect("a folder");
    let path = folder.path().display();
    let settings = format!(
        "[databases]\n* = host={} port=5432\n[pgbouncer]\nunix_socket_dir = {path}\nlisten_port = 5432\nauth_type = any\n\
         pool_mode = transaction\ndefault_pool_size = 40\nmax_client_conn = 2000\nlogfile = {path}/log\npidfile = {path}/pid\n\
         [users]\n",
        server.socket().display()
    );
    // Every name of a user stands for the owner of the server.
    let settings = settings.replace("port=5432\n[pg", "port=5432 user=postgres\n[pg");
    fs::write(folder.path().join("settings"), settings).expect("it writes");
    if rustix::process::geteuid().is_root() {
        let chown = Command::new("chown").args(["-R", "postgres"]).arg(folder.path()).status();
        assert!(chown.expect("it runs").success());
    }
    let mut pooler = bound(Path::new(PROGRAM), "TERM");
    pooler.arg("-q").arg(folder.path().join("settings")).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = pooler.spawn().expect("it starts");
    let life = child.stdin.take().expect("a pipe");
    std::thread::spawn(move || child.wait());
    let ready = folder.path().join(".s.PGSQL.5432");
    for _ in 0..1000 {
        if std::os::unix::net::UnixStream::connect(&ready).is_ok() {
            return Pooler { _life: life, folder };
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!(
        "the pooler does not start: {}",
        fs::read_to_string(folder.path().join("log")).unwrap_or_default()
    );
}

fn open(directory: &Path, now: Now) -> Arc<dyn Store> {
    let folder = pooler().expect("a pooler").folder.path();
    let mut settings = Server::settings_at(folder, &format!("{}_pooled", Server::schema_of(directory)));
    settings.pooler = true;
    let store = super::server::open(settings, Some(now));
    joined(Arc::new(store.unwrap_or_else(|error| panic!("it opens: {error}"))))
}

passes!(super::open, super::pooler().is_some());
shares!(super::open, super::pooler().is_some());
