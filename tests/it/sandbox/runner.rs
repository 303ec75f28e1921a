//! A runner whose server is the test.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, Command, Stdio},
};

use isochron::{
    domain::source::{Source, SourceKind},
    runtime::protocol::{Context, Done, FrameBuffer, FromRunner, Mode, Run, ToRunner, encode},
};

use tempfile::TempDir;

use crate::harness::cell_of;

use super::system_calls::probe::{settings, snapshot};

/// A runner and its socket.
pub(super) struct Runner {
    pub(super) process: Child,
    socket: UnixStream,
    unread: FrameBuffer,
    _folder: TempDir,
}

impl Runner {
    /// Starts a runner with more flags, and waits until it is ready.
    pub(super) fn start(flags: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let (socket, theirs) = UnixStream::pair().expect("a socket pair");
        let number = snapshot().as_raw_fd().to_string();
        let process = Command::new(env!("CARGO_BIN_EXE_isochron"))
            .args(["runner", "--snapshot-fd", &number])
            .args(flags)
            .env_clear()
            .process_group(0)
            .current_dir(&folder)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::piped())
            .spawn()
            .expect("a runner");
        let mut runner = Self { process, socket, unread: FrameBuffer::default(), _folder: folder };
        runner.send(&ToRunner::Start(settings()));
        runner.until_ready();
        runner
    }

    /// Waits until it can take a run; returns the description of its sandbox, if it gives one.
    pub(super) fn until_ready(&mut self) -> Option<String> {
        match self.receive() {
            FromRunner::Ready { sandbox, .. } => sandbox.map(|sandbox| sandbox.to_string()),
            other => panic!("not ready: {other:?}"),
        }
    }

    pub(super) fn send(&mut self, frame: &ToRunner) {
        self.socket.write_all(&encode(frame).expect("a frame")).expect("it reads");
    }

    pub(super) fn receive(&mut self) -> FromRunner {
        match self.receive_or_end() {
            Some(frame) => frame,
            None => panic!("the runner has ended: {}", self.written()),
        }
    }

    /// `None` if the runner has ended.
    fn receive_or_end(&mut self) -> Option<FromRunner> {
        loop {
            if let Some(frame) = self.unread.next_frame().expect("its frames") {
                return Some(frame);
            }
            let mut chunk = [0; 4096];
            // Fails if it ends before it has read everything.
            let read = self.socket.read(&mut chunk).unwrap_or_default();
            if read == 0 {
                return None;
            }
            self.unread.room().extend_from_slice(&chunk[..read]);
        }
    }

    pub(super) fn run(&mut self, text: &str) {
        let entry = Source {
            file: "tasks/h.js".to_owned(),
            text: text.to_owned(),
            kind: SourceKind::Script,
            hash: [0; 32],
            names: Vec::new(),
            cache: None,
        };
        self.send(&ToRunner::Run(Box::new(Run {
            run: 1,
            mode: Mode::Call,
            entry,
            params: "{}".to_owned(),
            context: Context::default(),
            timeout: 60_000,
            system: false,
            environment: Vec::new(),
        })));
    }

    /// Waits for the end of the run.
    pub(super) fn until_done(&mut self) -> Box<Done> {
        match self.until_done_or_ended() {
            Some(done) => done,
            None => panic!("the runner has ended: {}", self.written()),
        }
    }

    /// Waits for the end of the run; `None` if the runner has ended.
    pub(super) fn until_done_or_ended(&mut self) -> Option<Box<Done>> {
        loop {
            if let FromRunner::Done(done) = self.receive_or_end()? {
                return Some(done);
            }
        }
    }

    /// The process that runs its handlers, if that is another one.
    pub(super) fn cell(&self) -> Option<u32> {
        Some(cell_of(self.process.id())).filter(|cell| *cell != self.process.id())
    }

    /// Ends it; returns what it has written to its standard error.
    pub(super) fn end(mut self) -> String {
        self.socket.shutdown(Shutdown::Both).expect("it is open");
        self.written()
    }

    /// What it has written to its standard error until its end.
    fn written(&mut self) -> String {
        let mut written = String::new();
        let mut pipe = self.process.stderr.take().expect("a pipe");
        pipe.read_to_string(&mut written).expect("a text");
        self.process.wait().expect("it ends");
        written
    }
}
