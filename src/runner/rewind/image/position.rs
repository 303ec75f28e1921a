//! Where the threads of a cell are. What is in their registers is in no image, so they must stand where
//! they stood when it was taken: the main thread in the read(2) of the [`checkpoint`](crate::runner::rewind::checkpoint),
//! which uses no register after it, and every other asleep since.
//!
//! The kernel tells it in /proc/PID/task/TID/syscall (proc_pid_syscall(5)), which the cell cannot change.
//! It tells only those that may trace the cell; so a cell is dumpable.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    time::Duration,
};

use rustix::process::Pid;

/// Between two looks at a thread that falls asleep.
const LOOK: Duration = Duration::from_micros(20);
/// Looks before a cell is given up.
const LOOKS: usize = 50_000;

/// The threads of a cell that stands at its checkpoint.
pub(crate) struct Position {
    main: File,
    /// The call that the main thread waits in.
    wait: Wait,
    /// The other threads: their status, and how often they have run.
    others: Vec<(File, String)>,
}

impl Position {
    /// Notes where the threads of a process are, once all of them sleep.
    ///
    /// # Errors
    /// When /proc does not tell, or a thread does not fall asleep.
    pub(crate) fn of(process: Pid) -> io::Result<Self> {
        let process = process.as_raw_nonzero();
        let main = File::open(format!("/proc/{process}/syscall"))
            .map_err(|error| io::Error::new(error.kind(), format!("/proc/PID/syscall: {error}")))?;
        let wait = look(|| Wait::of(&main))?;
        let mut others = Vec::new();
        for entry in fs::read_dir(format!("/proc/{process}/task"))? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_str() != Some(&process.to_string())) {
                let status = File::open(path.join("status"))?;
                let slept = look(|| sleep_of(&status))?;
                others.push((status, slept));
            }
        }
        Ok(Self { main, wait, others })
    }

    /// Whether all threads stand there again; waits for the main thread to arrive.
    ///
    /// # Errors
    /// When /proc does not tell, or the main thread does not fall asleep.
    pub(crate) fn is_held(&self) -> io::Result<bool> {
        // First the main thread: after it no one wakes the others.
        if look(|| Wait::of(&self.main))? != self.wait {
            return Ok(false);
        }
        for (status, slept) in &self.others {
            if sleep_of(status)?.as_ref() != Some(slept) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Waits until the only thread of a process sleeps in this system call.
///
/// # Errors
/// When /proc does not tell, or it does not fall asleep there.
pub(crate) fn until_asleep_in(process: Pid, call: libc::c_long) -> io::Result<()> {
    let process = process.as_raw_nonzero();
    let file = File::open(format!("/proc/{process}/syscall"))?;
    let call = call.to_string();
    look(|| Ok(Wait::of(&file)?.filter(|wait| wait.call == call)))?;
    Ok(())
}

fn look<T>(mut at: impl FnMut() -> io::Result<Option<T>>) -> io::Result<T> {
    for _ in 0..LOOKS {
        if let Some(found) = at()? {
            return Ok(found);
        }
        std::thread::sleep(LOOK);
    }
    Err(io::Error::other("a thread does not fall asleep"))
}

/// A system call that a thread sleeps in. The arguments that read(2) does not have, and the stack
/// pointer, are of no account.
#[derive(Debug, PartialEq, Eq)]
struct Wait {
    call: String,
    arguments: [String; 3],
    instruction: String,
}

impl Wait {
    /// That of a thread; `None` if it is awake.
    fn of(file: &File) -> io::Result<Option<Self>> {
        Ok(Self::parse(&read(file)?))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_ascii_whitespace().map(str::to_owned);
        let call = fields.next()?;
        let arguments = [fields.next()?, fields.next()?, fields.next()?];
        // Three more arguments and the stack pointer come between.
        Some(Self { call, arguments, instruction: fields.nth(4)? })
    }
}

/// How often a thread has given its processor up, as its status tells; `None` if it is awake.
fn sleep_of(status: &File) -> io::Result<Option<String>> {
    let text = read(status)?;
    let is_asleep = text.lines().any(|line| line.starts_with("State:\tS"));
    let switches: Vec<_> = text.lines().filter(|line| line.contains("ctxt_switches")).collect();
    Ok((is_asleep && !switches.is_empty()).then(|| switches.join("\n")))
}

/// The whole text of a file of /proc, which is made anew for a read from its start.
fn read(file: &File) -> io::Result<String> {
    let mut text = vec![0; 4096];
    let length = file.read_at(&mut text, 0)?;
    text.truncate(length);
    String::from_utf8(text).map_err(io::Error::other)
}
