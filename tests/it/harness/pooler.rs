//! PgBouncer in transaction mode, where each transaction may have another connection.

use std::{env, fs, os::unix::net::UnixStream, path::Path};

use rustix::process::Signal;

use super::{
    Database,
    postgres::{Program, command, make_folder},
    until,
};

const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// A pooler in front of a database, which a test may stop and start.
pub(crate) struct Pooler {
    folder: tempfile::TempDir,
    program: Option<Program>,
}

impl Pooler {
    /// Starts a pooler that has so many connections to the database. `None` if PgBouncer is not installed, which
    /// a test then says.
    ///
    /// # Panics
    /// If it is not installed and `CI` is set.
    pub(crate) fn to(database: &Database, connections: u32) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            assert!(env::var_os("CI").is_none(), "there is no pgbouncer (apt-get install pgbouncer)");
            println!("skipped: no pgbouncer (apt-get install pgbouncer)");
            return None;
        }
        let folder = make_folder(&[]);
        let (path, socket) = (folder.path().display(), database.socket());
        let settings = format!(
            "[databases]\n* = host={} port=5432 user=postgres\n[pgbouncer]\nunix_socket_dir = {path}\n\
             listen_port = 5432\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {connections}\n\
             max_client_conn = 200\nlogfile = {path}/log\npidfile = {path}/pid\n",
            socket.display()
        );
        fs::write(folder.path().join("settings"), settings).expect("it writes");
        let mut pooler = Self { folder, program: None };
        pooler.start();
        Some(pooler)
    }

    /// The address for `store.url`.
    pub(crate) fn url(&self) -> String {
        Database::url_at(self.folder.path())
    }

    /// Starts the pooler, and waits until it takes connections.
    pub(crate) fn start(&mut self) {
        let mut pooler = command(Path::new(PROGRAM));
        pooler.arg("-q").arg(self.folder.path().join("settings"));
        self.program = Some(Program::start(pooler, &self.folder.path().join("errors")));
        let socket = self.folder.path().join(".s.PGSQL.5432");
        until("the pooler takes connections", || UnixStream::connect(&socket).ok());
    }

    /// Stops the pooler at once, with all its connections.
    pub(crate) fn stop(&mut self) {
        if let Some(program) = self.program.take() {
            program.end(Signal::TERM);
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.stop();
    }
}
