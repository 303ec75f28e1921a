//! The lock of a directory: one process at a time, by a lock on a file that names the process.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

/// Looks at a lock that a dead process has left, for five seconds: a runner that it was about to start has its
/// files open until it becomes another program.
const LOOKS: u32 = 1000;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Why a directory cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds the lock.
    #[error(
        "the store in {path} is in use by another isochron, process {process}: stop that one first, or choose another --data directory"
    )]
    Held {
        /// The directory.
        path: PathBuf,
        /// The other process's id, read from the file.
        process: String,
    },
    /// The file cannot be written or locked.
    #[error("lock the store in {path}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// A lock, held until it is dropped or the process ends.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a directory. Blocks for five seconds at most, and not at all while the other process
    /// lives.
    ///
    /// # Errors
    /// When another process has it, or the file cannot be written.
    pub(crate) fn take(directory: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { path: directory.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join("lock"))
            .map_err(failed)?;
        let mut looks = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) => {}
            }
            let mut process = String::new();
            file.rewind().and_then(|()| file.read_to_string(&mut process)).map_err(failed)?;
            if is_alive(&process) || looks == LOOKS {
                return Err(LockError::Held {
                    path: directory.to_owned(),
                    process: process.trim().to_owned(),
                });
            }
            looks += 1;
            sleep(LOOK_EVERY);
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Whether a process lives. One that was killed before it wrote its number does not.
fn is_alive(process: &str) -> bool {
    let number = process.trim().parse().ok().and_then(Pid::from_raw);
    number.is_some_and(|process| test_kill_process(process) != Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command, thread};

    use super::*;

    /// A lock that another holds while the file names a process.
    fn held_by(directory: &Path, process: u32) -> File {
        let path = directory.join("lock");
        fs::write(&path, format!("{process}\n")).expect("it is written");
        let file = File::open(path).expect("it opens");
        file.lock().expect("it is free");
        file
    }

    #[test]
    fn a_lock_that_a_dead_process_has_left_is_waited_for() {
        let directory = tempfile::tempdir().expect("a folder");
        let mut dead = Command::new("true").spawn().expect("it runs");
        dead.wait().expect("it ends");
        let left = held_by(directory.path(), dead.id());
        let taken = thread::scope(|scope| {
            let taking = scope.spawn(|| Lock::take(directory.path()));
            // Long enough for a few looks; a look after it passes as well.
            sleep(LOOK_EVERY * 10);
            drop(left);
            taking.join().expect("no panic")
        });
        taken.expect("it is free by then");
        let named = fs::read_to_string(directory.path().join("lock")).expect("it reads");
        assert_eq!(named.trim(), std::process::id().to_string());
    }

    #[test]
    fn a_lock_of_a_living_process_is_refused() {
        let directory = tempfile::tempdir().expect("a folder");
        let _held = held_by(directory.path(), std::process::id());
        let refused = Lock::take(directory.path()).err().expect("it is held").to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    }
}
