//! A link between a server and the database that can be cut or fall silent.

use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

/// What the link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Works = 0,
    /// Connections end, and new ones do not get through.
    Cut = 1,
    /// Connections stand, and nothing gets through.
    Silent = 2,
}

/// The link of one server.
pub(super) struct Link {
    folder: tempfile::TempDir,
    mode: Arc<AtomicU8>,
}

impl Link {
    /// A link to the database with a socket.
    pub(super) fn to(socket: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("link").tempdir_in("/tmp").expect("a folder");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("a socket");
        let (mode, target) = (Arc::<AtomicU8>::default(), socket.to_owned());
        let of_thread = mode.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if of_thread.load(Ordering::SeqCst) != Mode::Cut as u8
                    && let Ok(far) = UnixStream::connect(target.join(".s.PGSQL.5432"))
                {
                    join(&near, &far, &of_thread);
                    join(&far, &near, &of_thread);
                }
            }
        });
        Self { folder, mode }
    }

    pub(super) fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }

    /// The folder of its socket.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

/// Passes on what one side says, in a thread.
fn join(from: &UnixStream, to: &UnixStream, mode: &Arc<AtomicU8>) {
    let (mut from, mut to) = (from.try_clone().expect("a copy"), to.try_clone().expect("a copy"));
    let mode = mode.clone();
    from.set_read_timeout(Some(Duration::from_millis(50))).expect("a time limit");
    thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        loop {
            let length = match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
                Err(_) => break,
            };
            while mode.load(Ordering::SeqCst) == Mode::Silent as u8 {
                thread::sleep(Duration::from_millis(10));
            }
            if mode.load(Ordering::SeqCst) == Mode::Cut as u8 || to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        // Fails if the other side has ended.
        let _ = (from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both));
    });
}
