//! The server as a process: started, killed, stopped, started again on the same directory.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::{Home, PATIENCE, api::Client, until};

/// How to start a server. The default is one runner, which is enough for most stories.
#[derive(Default)]
pub(crate) struct Options {
    environment: Vec<(String, String)>,
    shipped_handlers: bool,
    token: Option<String>,
}

impl Options {
    /// A setting by the name of its variable without the prefix, such as `LIMITS__CPU`.
    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        self.environment(&format!("ISOCHRON_{name}"), value)
    }

    /// Any variable.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With the handlers that isochron ships with.
    pub(crate) fn with_shipped_handlers(mut self) -> Self {
        self.shipped_handlers = true;
        self
    }

    /// With a token in `data/admin-token` already.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub(crate) fn start(self) -> Server {
        let home = Home::new();
        if let Some(token) = self.token {
            fs::create_dir(home.data()).expect("data/ made");
            fs::write(home.data().join("admin-token"), token).expect("the token written");
        }
        if self.shipped_handlers {
            home.copy_shipped_handlers();
        }
        Server::launch(home, self.environment)
            .unwrap_or_else(|said| panic!("the server did not start: {said}"))
    }

    /// Starts in a home that is there already: what it said when it does not.
    pub(crate) fn start_in(self, home: Home) -> Result<Server, String> {
        Server::launch(home, self.environment)
    }
}

/// A running server, killed when this is dropped.
pub(crate) struct Server {
    pub(crate) home: Home,
    environment: Vec<(String, String)>,
    child: Child,
    client: Client,
}

impl Server {
    pub(crate) fn start() -> Self {
        Options::default().start()
    }

    fn launch(home: Home, environment: Vec<(String, String)>) -> Result<Self, String> {
        let (child, url) = launch(&home, &environment)?;
        let client = Client::new(&url, &token(&home));
        Ok(Self { home, environment, child, client })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The processes that the server has started and that still live.
    pub(crate) fn runners(&self) -> Vec<u32> {
        let living = self.children().into_iter().filter(|(_, state)| state != "Z");
        living.map(|(process, _)| process).collect()
    }

    /// The same, and those that have ended and were not asked for yet; with their states.
    pub(crate) fn children(&self) -> Vec<(u32, String)> {
        children_of(self.pid())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal_process(self.pid(), signal);
    }

    /// What a terminal does at Ctrl-C: the signal goes to the server's whole group.
    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(pid_of(self.pid()), signal).expect("the group is signalled");
    }

    /// Waits for the server's end.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("the server ends", || child.try_wait().expect("its state"))
    }

    /// Whether it has ended, without waiting.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_some()
    }

    /// SIGKILL: it has no chance to do anything any more.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.exit();
    }

    /// Starts anew on the same directory, after the server has ended.
    pub(crate) fn start_again(&mut self) {
        assert!(self.has_ended(), "the server is still there");
        let started = launch(&self.home, &self.environment);
        let (child, url) = started.unwrap_or_else(|said| panic!("the server did not start: {said}"));
        self.child = child;
        self.client = Client::new(&url, &token(&self.home));
    }

    /// Starts anew and is killed after a while, wherever it is by then.
    pub(crate) fn start_and_kill(&mut self, after: Duration) {
        assert!(self.has_ended(), "the server is still there");
        self.child = spawn(&self.home, &self.environment);
        thread::sleep(after);
        self.kill();
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("--- the server's log ---\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
        }
    }
}

pub(crate) fn signal_process(process: u32, signal: Signal) {
    // It may have ended a moment ago.
    let _ = kill_process(pid_of(process), signal);
}

fn pid_of(process: u32) -> Pid {
    Pid::from_raw(process.cast_signed()).expect("a process id")
}

fn spawn(home: &Home, environment: &[(String, String)]) -> Child {
    let log = File::options().create(true).append(true).open(home.path().join("log")).expect("a log");
    let mut command = home.command(&["--listen", "127.0.0.1:0", "--log", "info"]);
    command.env("ISOCHRON_RUNNERS__MIN", "1");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    // A group of its own, so that a signal to the group does not reach the tests.
    command.stdout(Stdio::piped()).stderr(log).process_group(0);
    command.spawn().expect("the server starts")
}

/// The process and where it listens, or what it has logged instead.
fn launch(home: &Home, environment: &[(String, String)]) -> Result<(Child, String), String> {
    let mut child = spawn(home, environment);
    let stdout = BufReader::new(child.stdout.take().expect("its output"));
    let (lines, said) = mpsc::channel();
    // Reads on after the first line, or the server would write into a closed pipe.
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            // Nobody listens after the first line.
            let _ = lines.send(line);
        }
    });
    let Ok(first) = said.recv_timeout(PATIENCE) else {
        // It may have ended by itself.
        let _ = child.kill();
        let status = child.wait().expect("its end");
        let log = fs::read_to_string(home.path().join("log")).unwrap_or_default();
        return Err(format!("{status}: {log}"));
    };
    let url = first.strip_prefix("listening on ").unwrap_or_else(|| panic!("its first line is {first:?}"));
    Ok((child, url.to_owned()))
}

fn token(home: &Home) -> String {
    let text = fs::read_to_string(home.data().join("admin-token")).expect("the token's file");
    text.trim().to_owned()
}

/// A process's children and their states, by `/proc`.
fn children_of(parent: u32) -> Vec<(u32, String)> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let child = |process: u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The name before it is in parentheses and may hold anything.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut fields = rest.split_whitespace();
        let state = fields.next()?.to_owned();
        (fields.next() == Some(&parent.to_string())).then_some((process, state))
    };
    processes.filter_map(child).collect()
}
