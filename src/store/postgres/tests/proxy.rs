//! A proxy before the server, which cuts connections at a chosen moment.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    thread,
};

/// What the proxy does with the next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Cut {
    Nothing,
    /// The commit does not reach the server.
    Before,
    /// The server makes the commit, and its answer is lost.
    After,
}

/// A proxy, on a socket in a folder of its own.
pub(super) struct Proxy {
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    server: PathBuf,
    cut: AtomicU8,
    /// How often the open connections were made mute.
    mutes: AtomicUsize,
    /// The open connections; `None` while none is accepted.
    open: Mutex<Option<Vec<UnixStream>>>,
}

impl Proxy {
    pub(super) fn start(server: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("pgp").tempdir_in("/tmp").expect("a folder");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("it listens");
        let shared = Arc::new(Shared {
            server: server.join(".s.PGSQL.5432"),
            cut: AtomicU8::new(Cut::Nothing as u8),
            mutes: AtomicUsize::new(0),
            open: Mutex::new(Some(Vec::new())),
        });
        let of_thread = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                of_thread.serve(client);
            }
        });
        Self { folder, shared }
    }

    pub(super) fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// Cuts the connection of the next commit.
    pub(super) fn cut(&self, cut: Cut) {
        self.shared.cut.store(cut as u8, Ordering::SeqCst);
    }

    /// Whether the next commit is still to be cut.
    pub(super) fn is_armed(&self) -> bool {
        self.shared.cut.load(Ordering::SeqCst) != Cut::Nothing as u8
    }

    /// Passes nothing more on over the connections that are open; they do not end.
    pub(super) fn mute(&self) {
        self.shared.mutes.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends all connections, and refuses new ones.
    pub(super) fn take_away(&self) {
        let open = self.shared.open.lock().expect("no panic").take();
        open.into_iter().flatten().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }

    pub(super) fn bring_back(&self) {
        *self.shared.open.lock().expect("no panic") = Some(Vec::new());
    }
}

impl Shared {
    fn serve(self: &Arc<Self>, client: UnixStream) {
        let mut open = self.open.lock().expect("no panic");
        let Some(list) = open.as_mut() else { return };
        let Ok(server) = UnixStream::connect(&self.server) else { return };
        let copy = |stream: &UnixStream| stream.try_clone().expect("a copy");
        list.extend([copy(&client), copy(&server)]);
        for (from, to, is_client) in [(copy(&client), copy(&server), true), (server, client, false)] {
            let shared = self.clone();
            thread::spawn(move || shared.forward(from, to, is_client));
        }
    }

    fn forward(&self, mut from: UnixStream, mut to: UnixStream, is_client: bool) {
        let mut buffer = vec![0; 64 * 1024];
        let mutes = self.mutes.load(Ordering::SeqCst);
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..length];
            let has_commit = bytes.windows(7).any(|part| part == b"COMMIT\0");
            if mutes != self.mutes.load(Ordering::SeqCst) {
                continue;
            }
            // A client's commit is a query, a server's is the tag of its answer.
            let cut = if is_client { Cut::Before } else { Cut::After } as u8;
            let none = Cut::Nothing as u8;
            if has_commit && self.cut.compare_exchange(cut, none, Ordering::SeqCst, Ordering::SeqCst).is_ok()
            {
                break;
            }
            if to.write_all(bytes).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}
