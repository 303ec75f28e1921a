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

/// How to start a server. The default is one runner, which suffices for most tests.
#[derive(Default)]
pub(crate) struct Options {
    environment: Vec<(String, String)>,
    shipped_handlers: bool,
    token: Option<String>,
}

impl Options {
    /// Sets the variable `ISOCHRON_` + `name`, such as `LIMITS__CPU`.
    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        self.environment(&format!("ISOCHRON_{name}"), value)
    }

    /// Sets an environment variable.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Copies the handlers that isochron ships with.
    pub(crate) fn with_shipped_handlers(mut self) -> Self {
        self.shipped_handlers = true;
        self
    }

    /// Writes `data/admin-token` before the start.
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

    /// Starts in an existing home. The error is the server's log.
    pub(crate) fn start_in(self, home: Home) -> Result<Server, String> {
        Server::launch(home, self.environment)
    }
}

/// A running server, killed on drop.
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

    /// The runners that still live.
    pub(crate) fn runners(&self) -> Vec<u32> {
        let living = self.children().into_iter().filter(|(_, state)| state != "Z");
        living.map(|(process, _)| process).collect()
    }

    /// All runners with their states, also the ended ones that are not reaped yet. The process that they get
    /// their isolates from is none.
    pub(crate) fn children(&self) -> Vec<(u32, String)> {
        let children = children_of(self.pid()).into_iter();
        children.filter(|(process, _)| name_of(*process) != "template").collect()
    }

    /// All processes below the server.
    pub(crate) fn below(&self) -> Vec<u32> {
        let mut found = vec![self.pid()];
        for at in 0.. {
            let Some(process) = found.get(at) else { break };
            found.extend(children_of(*process).into_iter().map(|(child, _)| child));
        }
        found.split_off(1)
    }

    /// The process below the server that has this name, if there is one.
    pub(crate) fn named(&self, name: &str) -> Option<u32> {
        self.below().into_iter().find(|process| name_of(*process) == name)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal_process(self.pid(), signal);
    }

    /// Signals the server's whole process group, as a terminal does at Ctrl-C.
    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(pid_of(self.pid()), signal).expect("the group is signalled");
    }

    /// Waits for the server's end.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("the server ends", || child.try_wait().expect("its state"))
    }

    /// Whether the server has ended; does not wait.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_some()
    }

    /// Kills the server (SIGKILL) and waits for its end.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.exit();
    }

    /// Starts the server again on the same directory. It must have ended.
    pub(crate) fn start_again(&mut self) {
        assert!(self.has_ended(), "the server is still there");
        let started = launch(&self.home, &self.environment);
        let (child, url) = started.unwrap_or_else(|said| panic!("the server did not start: {said}"));
        self.child = child;
        self.client = Client::new(&url, &token(&self.home));
    }

    /// Starts the server again on the same directory and a certain port.
    pub(crate) fn start_again_on(&mut self, port: &str) {
        self.environment.push(("ISOCHRON_LISTEN".to_owned(), format!("127.0.0.1:{port}")));
        self.start_again();
    }

    /// Starts the server again and kills it after a time, however far its start has got.
    pub(crate) fn start_and_kill(&mut self, after: Duration) {
        assert!(self.has_ended(), "the server is still there");
        self.child = spawn(&self.home, &self.environment);
        thread::sleep(after);
        self.kill();
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails if the server has ended already.
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
    // Fails if the process has ended.
    let _ = kill_process(pid_of(process), signal);
}

fn pid_of(process: u32) -> Pid {
    Pid::from_raw(process.cast_signed()).expect("a process id")
}

fn spawn(home: &Home, environment: &[(String, String)]) -> Child {
    let log = File::options().create(true).append(true).open(home.path().join("log")).expect("a log");
    let named = environment.iter().find(|(name, _)| name == "ISOCHRON_LISTEN");
    let listen = named.map_or("127.0.0.1:0", |(_, address)| address);
    let mut command = home.command(&["--listen", listen, "--log", "info"]);
    command.env("ISOCHRON_RUNNERS__MIN", "1");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    // A group of its own, so that a signal to the group does not reach the tests.
    command.stdout(Stdio::piped()).stderr(log).process_group(0);
    command.spawn().expect("the server starts")
}

/// Starts a server: its process and address, or its log as the error.
fn launch(home: &Home, environment: &[(String, String)]) -> Result<(Child, String), String> {
    let mut child = spawn(home, environment);
    let stdout = BufReader::new(child.stdout.take().expect("its output"));
    let (lines, said) = mpsc::channel();
    // Read on after the first line, or the server would write into a closed pipe.
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            // Fails after the first line, when the receiver is gone.
            let _ = lines.send(line);
        }
    });
    let Ok(first) = said.recv_timeout(PATIENCE) else {
        // Fails if the server has ended by itself.
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

/// The process that runs a runner's handlers: with rewind another one of its group.
pub(crate) fn cell_of(runner: u32) -> u32 {
    let is_cell = |process: &u32| {
        name_of(*process) == "cell" && fields_of(*process).get(2) == Some(&runner.to_string())
    };
    processes().find(is_cell).unwrap_or(runner)
}

/// The name of a process.
fn name_of(process: u32) -> String {
    fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default().trim().to_owned()
}

/// What `/proc` tells of a process: its state, its parent, its group, and others; nothing if it is gone.
fn fields_of(process: u32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name before the state is in parentheses and may contain any character.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_whitespace().map(str::to_owned).collect()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A process's children and their states.
fn children_of(parent: u32) -> Vec<(u32, String)> {
    let child = |process: u32| {
        let fields = fields_of(process);
        (fields.get(1)? == &parent.to_string()).then(|| (process, fields[0].clone()))
    };
    processes().filter_map(child).collect()
}
