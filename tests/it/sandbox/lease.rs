//! Runners of a server that shares its store: they end at the end of its lease, even if it stands still.

use std::{
    io::{Read, Write},
    os::{fd::AsRawFd, fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
};

use isochron::{
    clock::{Clock, SystemClock},
    domain::source::{Source, SourceKind},
    runtime::protocol::{Context, FrameBuffer, FromRunner, Mode, Run, ToRunner, encode},
};

use super::system_calls::probe::{settings, snapshot};

/// A runner, whose server is the test.
struct Runner {
    process: Child,
    socket: UnixStream,
    unread: FrameBuffer,
}

impl Runner {
    /// Starts a runner, and waits until it is ready.
    fn start() -> Self {
        let (socket, theirs) = UnixStream::pair().expect("a socket pair");
        let number = snapshot().as_raw_fd().to_string();
        let process = Command::new(env!("CARGO_BIN_EXE_isochron"))
            .args(["runner", "--snapshot-fd", &number])
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::null())
            .spawn()
            .expect("a runner");
        let mut runner = Self { process, socket, unread: FrameBuffer::default() };
        runner.send(&ToRunner::Start(settings()));
        assert!(matches!(runner.receive(), FromRunner::Ready { .. }));
        runner
    }

    fn send(&mut self, frame: &ToRunner) {
        self.socket.write_all(&encode(frame).expect("a frame")).expect("it reads");
    }

    fn receive(&mut self) -> FromRunner {
        loop {
            if let Some(frame) = self.unread.next_frame().expect("its frames") {
                return frame;
            }
            let mut chunk = [0; 4096];
            let read = self.socket.read(&mut chunk).expect("it writes");
            assert!(read > 0, "the runner has ended");
            self.unread.room().extend_from_slice(&chunk[..read]);
        }
    }

    fn run(&mut self, text: &str) {
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
}

/// So many milliseconds from now, by the clock of leases.
fn after(millis: i64) -> u64 {
    (SystemClock.boot() + millis).unsigned_abs()
}

#[test]
fn a_runner_ends_in_the_middle_of_a_run_when_the_lease_of_a_server_that_stands_still_is_over() {
    let mut runner = Runner::start();
    let until = after(1500);
    runner.send(&ToRunner::Lease { until });
    runner.run("module.exports = () => { for (;;); };");
    let status = runner.process.wait().expect("it ends");
    let late = SystemClock.boot() - until.cast_signed();
    assert_eq!(status.code(), Some(1));
    assert!((0..30_000).contains(&late), "it ended {late} ms after the end of the lease");
}

#[test]
fn a_renewed_lease_lets_a_run_go_on_and_one_without_a_run_ends_nothing() {
    let mut runner = Runner::start();
    // It is over, but there is no run yet.
    runner.send(&ToRunner::Lease { until: after(0) });
    runner.send(&ToRunner::Lease { until: after(1000) });
    runner.run("module.exports = () => new Promise((done) => setTimeout(() => done(7), 2000));");
    runner.send(&ToRunner::Lease { until: after(60_000) });
    loop {
        if let FromRunner::Done(done) = runner.receive() {
            let end = format!("{:?}", done.end);
            assert!(end.contains('7'), "{end}");
            break;
        }
    }
    runner.process.kill().expect("it lives");
    runner.process.wait().expect("it ends");
}
