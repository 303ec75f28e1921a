//! Probes and their results.

use std::{
    collections::HashSet,
    fs::File,
    io::Write,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::Command,
    sync::OnceLock,
};

use isochron::runtime::protocol::{Settings, ToRunner, encode};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_isochron");
const SIGSYS: i32 = 31;

/// The result of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeded,
    Errno(i32),
    Killed,
}

use Outcome::{Errno, Killed, Succeeded};

/// The output of a probe.
pub(super) struct Probed {
    /// The description of its sandbox.
    pub(super) sandbox: String,
    pub(super) outcome: Outcome,
    /// All lines of its output.
    pub(super) lines: HashSet<String>,
}

/// Makes a call in a probe of its own.
pub(super) fn probe(call: &str, options: &[&str]) -> Probed {
    let folder = TempDir::new().expect("a folder");
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    (&ours).write_all(&encode(&ToRunner::Start(settings())).expect("a frame")).expect("room for a frame");
    let number = snapshot().as_raw_fd().to_string();
    let output = Command::new(BINARY)
        .args(["runner", "--snapshot-fd", &number, "--probe", call])
        .args(options)
        .env_clear()
        .current_dir(&folder)
        .stdin(OwnedFd::from(theirs))
        .output()
        .expect("a probe");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: HashSet<String> = text.lines().map(str::to_owned).collect();
    let sandbox = text.lines().next().unwrap_or_default().to_owned();
    let outcome = match (output.status.signal(), text.lines().last().unwrap_or_default()) {
        (Some(SIGSYS), _) => Killed,
        (None, "SUCCEEDED") => Succeeded,
        (None, last) if last.starts_with("errno ") => Errno(last[6..].parse().expect("a number")),
        _ => panic!("{call} {options:?}: {output:?}"),
    };
    Probed { sandbox, outcome, lines }
}

pub(in crate::sandbox) fn settings() -> Settings {
    Settings {
        heap: 128 << 20,
        buffers: 64 << 20,
        cpu: 60_000,
        output_bytes: 1 << 20,
        output_lines: 10_000,
        result: 10_000,
        web_assembly: true,
        eval: true,
        rewind: false,
    }
}

/// The startup snapshot, made once, in a descriptor that children inherit.
pub(in crate::sandbox) fn snapshot() -> &'static File {
    static SNAPSHOT: OnceLock<File> = OnceLock::new();
    SNAPSHOT.get_or_init(|| {
        let file = inheritable(&tempfile::tempfile().expect("a file"));
        let number = file.as_raw_fd().to_string();
        let made = Command::new(BINARY).args(["runner", "--build-snapshot-fd", &number]).output();
        let made = made.expect("a child");
        assert!(made.status.success(), "{made:?}");
        file
    })
}

/// A second descriptor of a file that stays open across exec, with a number that no descriptor of a
/// probe has.
pub(super) fn inheritable(file: &File) -> File {
    let second = fcntl_dupfd_cloexec(file, 40).expect("a descriptor");
    fcntl_setfd(&second, FdFlags::empty()).expect("its flag");
    second.into()
}
