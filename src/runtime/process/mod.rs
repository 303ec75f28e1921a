//! One runner process and the socket to it.

mod command;
mod snapshot;
mod template;

use std::{
    fs::File,
    io,
    os::{
        fd::OwnedFd,
        unix::{fs::FileExt, net::UnixStream as StdStream},
    },
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    process::Child,
    time::timeout,
};

use crate::domain::lock::lock;

use self::command::command;
pub(super) use self::{snapshot::Snapshot, template::Template};
use super::protocol::{self, FrameBuffer, FromRunner, Sandbox, Settings, ToRunner};

/// Bytes that are kept of a runner's standard error: the engine's last words.
const LAST_WORDS: usize = 4096;
/// The time for making an isolate; it takes milliseconds on a machine that is not overwhelmed.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// The time that a runner whose socket has closed has to end.
const REAPED_WITHIN: Duration = Duration::from_secs(2);

/// A runner.
pub(super) struct Process {
    child: Child,
    socket: UnixStream,
    unread: FrameBuffer,
    last_words: Arc<Mutex<String>>,
    /// The engine's name, from its last `Ready`.
    pub(super) engine: String,
    /// Its sandbox, as it described it before its first run.
    pub(super) sandbox: Option<Sandbox>,
    /// Runs so far.
    pub(super) runs: u64,
    /// The process in which handlers run, if it is another one.
    cell: Option<u32>,
    /// That process, and its /proc/PID/statm.
    statm: Option<(u32, File)>,
}

impl Process {
    /// Starts a runner and waits until it is ready.
    pub(super) async fn start(
        snapshot: &Snapshot,
        template: Option<&Template>,
        settings: &Settings,
    ) -> io::Result<Self> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = command();
        command.args(["--snapshot-fd", &snapshot.number()]).stdin(Stdio::from(OwnedFd::from(theirs)));
        if settings.rewind {
            command.arg("--rewind");
            command
                .args(template.iter().flat_map(|template| ["--template-fd".to_owned(), template.number()]));
        }
        let mut child = command.spawn()?;
        drop(command);
        let last_words = Arc::new(Mutex::new(String::new()));
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(listen(BufReader::new(stderr), child.id(), last_words.clone()));
        }
        let socket = UnixStream::from_std(ours)?;
        let mut process = Self {
            child,
            socket,
            unread: FrameBuffer::default(),
            last_words,
            engine: String::new(),
            sandbox: None,
            runs: 0,
            cell: None,
            statm: None,
        };
        // A runner that has died already closes the socket; its end, which `ready` tells, says more.
        let sent = process.send(&ToRunner::Start(settings.clone())).await;
        process.ready().await?;
        sent.map(|()| process)
    }

    /// Waits for its `Ready`: its next isolate stands.
    pub(super) async fn ready(&mut self) -> io::Result<()> {
        let next = async {
            loop {
                match self.receive().await? {
                    // Frames of the last run, after its end.
                    Some(FromRunner::Usage(_) | FromRunner::Line { .. }) => {}
                    frame => return Ok::<_, io::Error>(frame),
                }
            }
        };
        let frame = timeout(READY_WITHIN, next)
            .await
            .map_err(|_| io::Error::other("it did not get ready in time"))??;
        match frame {
            Some(FromRunner::Ready { engine, sandbox, process }) => {
                // Only believed before a handler has run: then the process may be taken over.
                if self.runs == 0 {
                    self.engine = engine;
                    self.sandbox = self.sandbox.take().or(sandbox);
                    self.cell = process;
                }
                // A runner in which no handler has run tells the truth.
                self.cell = self.cell.and(process);
                self.watch_memory();
                Ok(())
            }
            Some(other) => {
                Err(io::Error::other(format!("it sent the frame {} instead of Ready", other.name())))
            }
            None => Err(io::Error::other(self.explain_death().await)),
        }
    }

    /// Opens /proc/PID/statm of the process in which handlers run, if it is another one than before.
    fn watch_memory(&mut self) {
        let process = self.cell.or(self.id());
        if self.statm.as_ref().map(|(of, _)| *of) != process {
            let open = |process| Some((process, File::open(format!("/proc/{process}/statm")).ok()?));
            self.statm = process.and_then(open);
        }
    }

    /// The death of a runner that was to get ready: how it ended, and its last words.
    async fn explain_death(&mut self) -> String {
        let status = match timeout(REAPED_WITHIN, self.reap()).await {
            Ok(status) => status.map_or_else(|| "an unknown status".to_owned(), |status| status.to_string()),
            Err(_) => "its socket closed".to_owned(),
        };
        match self.last_words() {
            words if words.is_empty() => format!("it died while it got ready ({status}) and said nothing"),
            words => format!("it died while it got ready ({status}): {words}"),
        }
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub(super) async fn send(&mut self, frame: &ToRunner) -> io::Result<()> {
        self.socket.write_all(&protocol::encode(frame)?).await
    }

    /// The next frame, or nothing when the runner is gone. May be dropped and called again.
    pub(super) async fn receive(&mut self) -> io::Result<Option<FromRunner>> {
        loop {
            if let Some(frame) = self.unread.next_frame()? {
                return Ok(Some(frame));
            }
            match self.socket.read_buf(self.unread.room()).await {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(e) => return Err(e),
            }
        }
    }

    /// Resolves when it has died by itself, or sent a frame unasked.
    pub(super) async fn gone(&mut self) {
        // An idle runner sends nothing, so anything that can be read is its end.
        let _ = self.receive().await;
    }

    /// Bytes of resident memory of the process in which handlers run; `None` where the system does not tell.
    pub(super) fn resident(&self) -> Option<u64> {
        let (_, statm) = self.statm.as_ref()?;
        let mut text = [0; 128];
        let length = statm.read_at(&mut text, 0).ok()?;
        let pages: u64 = std::str::from_utf8(&text[..length]).ok()?.split(' ').nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }

    pub(super) fn kill(&mut self) {
        // A dead process is as good as a killed one.
        let _ = self.child.start_kill();
    }

    /// Waits for its end.
    pub(super) async fn reap(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// The end of its standard error.
    pub(super) fn last_words(&self) -> String {
        lock(&self.last_words).trim().to_owned()
    }
}

#[cfg(test)]
impl Process {
    /// A runner that is a shell's command, with our end of a socket whose other end is closed.
    fn shell(command: &str) -> io::Result<Self> {
        let (ours, _) = StdStream::pair()?;
        let process = Self::played_by(ours)?;
        let child = tokio::process::Command::new("sh").args(["-c", command]).kill_on_drop(true).spawn()?;
        Ok(Self { child, ..process })
    }

    /// A runner whose frames the test writes into the other end of `socket`.
    pub(super) fn played_by(socket: StdStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            child: tokio::process::Command::new("sleep").arg("60").kill_on_drop(true).spawn()?,
            socket: UnixStream::from_std(socket)?,
            unread: FrameBuffer::default(),
            last_words: Arc::default(),
            engine: String::new(),
            sandbox: None,
            runs: 0,
            cell: None,
            statm: None,
        })
    }
}

/// Logs a runner's standard error and keeps its end.
pub(super) async fn listen(
    mut stderr: impl AsyncBufReadExt + Unpin,
    runner: Option<u32>,
    last_words: Arc<Mutex<String>>,
) {
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without end is read in parts.
        match (&mut stderr).take(LAST_WORDS as u64).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        tracing::debug!(runner, "{}", text.trim_end());
        let mut kept = lock(&last_words);
        kept.push_str(&text);
        if kept.len() > LAST_WORDS {
            let mut cut = kept.len() - LAST_WORDS;
            while !kept.is_char_boundary(cut) {
                cut += 1;
            }
            kept.drain(..cut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_death_before_readiness_is_told_with_its_signal_or_its_exit_code() {
        for (command, words) in [("kill -9 $$", "signal: 9"), ("exit 3", "exit status: 3")] {
            let error = Process::shell(command).expect("a shell").ready().await.expect_err("it is dead");
            let text = error.to_string();
            assert!(text.contains("died while it got ready") && text.contains(words), "{text}");
        }
    }
}
