//! The directory of one server, and runs of the binary in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// A temporary directory with `tasks/`, removed on drop.
pub(crate) struct Home {
    directory: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::in_directory(tempfile::tempdir().expect("a temporary directory"))
    }

    /// A home in memory, if the system has `/dev/shm`: a sync takes no time there.
    pub(crate) fn in_memory() -> Self {
        tempfile::tempdir_in("/dev/shm").map_or_else(|_| Self::new(), Self::in_directory)
    }

    fn in_directory(directory: TempDir) -> Self {
        fs::create_dir(directory.path().join("tasks")).expect("tasks/ made");
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn tasks(&self) -> PathBuf {
        self.path().join("tasks")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Writes a file below `tasks/` in one step, by renaming. A name without extension gets `.js`.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let name = if Path::new(name).extension().is_some() { name.to_owned() } else { format!("{name}.js") };
        let path = self.tasks().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder made");
        let unfinished = path.with_extension("unfinished");
        fs::write(&unfinished, text).expect("the file written");
        fs::rename(&unfinished, &path).expect("the file in place");
    }

    /// Copies the handlers that isochron ships with.
    pub(crate) fn copy_shipped_handlers(&self) {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tasks");
        for entry in fs::read_dir(shipped).expect("the shipped handlers") {
            let entry = entry.expect("an entry");
            if entry.path().is_dir() {
                continue;
            }
            fs::copy(entry.path(), self.tasks().join(entry.file_name())).expect("copied");
        }
    }

    /// A command of the binary in this directory, with an empty environment. With `ISOCHRON_TEST_REWIND=false` in the
    /// environment of the tests, runners make an isolate for each run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_isochron"));
        command.args(arguments).current_dir(self.path()).env_clear().stdin(Stdio::null());
        if let Some(rewind) = std::env::var_os("ISOCHRON_TEST_REWIND") {
            command.env("ISOCHRON_RUNNERS__REWIND", rewind);
        }
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> CommandResult {
        CommandResult::of(&mut self.command(arguments))
    }
}

/// The result of a command.
#[derive(Debug)]
pub(crate) struct CommandResult(Output);

impl CommandResult {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        Self(command.output().expect("the binary runs"))
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}
