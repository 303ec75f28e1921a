//! The server as a service: what systemd hears of it, and the socket that systemd opens for it.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;

use crate::harness::{Home, PATIENCE, signal_process, until};

/// A socket like that of systemd, in a home.
fn notify_socket(home: &Home) -> UnixDatagram {
    let socket = UnixDatagram::bind(home.path().join("notify")).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

/// The lines of the messages up to the first with this line.
fn hear_until(socket: &UnixDatagram, wanted: &str) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let length =
            socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted}: {error} after {heard:?}"));
        heard.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
        if heard.iter().any(|line| line == wanted) {
            return heard;
        }
    }
}

fn threads_stand_still(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("its threads").flatten();
    let mut states =
        threads.map(|thread| std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default());
    states.all(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
}

fn wait(child: &mut Child) -> Option<i32> {
    until("the server ends", || child.try_wait().expect("its state")).code()
}

#[test]
fn systemd_hears_that_the_server_is_ready_alive_and_stopping() {
    let home = Home::new();
    let socket = notify_socket(&home);
    let mut server = home
        .command(&["--listen", "127.0.0.1:0"])
        .env("NOTIFY_SOCKET", home.path().join("notify"))
        .env("WATCHDOG_USEC", "300000")
        .env("ISOCHRON_SHUTDOWN_GRACE", "20000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let ready = hear_until(&socket, "READY=1");
    assert!(ready.iter().any(|line| line.starts_with("STATUS=listening on http://127.0.0.1:")), "{ready:?}");
    assert!(!ready.iter().any(|line| line == "WATCHDOG=1"), "no sign of life before it is ready: {ready:?}");
    for _ in 0..3 {
        hear_until(&socket, "WATCHDOG=1");
    }
    signal_process(server.id(), Signal::TERM);
    let stopping = hear_until(&socket, "STOPPING=1");
    assert!(stopping.iter().any(|line| line == "EXTEND_TIMEOUT_USEC=35000000"), "{stopping:?}");
    assert_eq!(wait(&mut server), Some(0));
}

#[test]
fn a_server_that_is_stopped_by_a_signal_of_the_debugger_shows_no_life() {
    let home = Home::new();
    let socket = notify_socket(&home);
    let mut server = home
        .command(&["--listen", "127.0.0.1:0"])
        .env("NOTIFY_SOCKET", home.path().join("notify"))
        .env("WATCHDOG_USEC", "200000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    hear_until(&socket, "WATCHDOG=1");
    signal_process(server.id(), Signal::STOP);
    until("each of its threads stands still", || threads_stand_still(server.id()).then_some(()));
    socket.set_nonblocking(true).expect("set");
    while socket.recv(&mut [0; 4096]).is_ok() {}
    socket.set_nonblocking(false).expect("set");
    socket.set_read_timeout(Some(std::time::Duration::from_secs(1))).expect("set");
    assert!(socket.recv(&mut [0; 4096]).is_err(), "five signs would have come");
    signal_process(server.id(), Signal::CONT);
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    hear_until(&socket, "WATCHDOG=1");
    signal_process(server.id(), Signal::TERM);
    assert_eq!(wait(&mut server), Some(0));
}

/// Starts a server with a listening socket as descriptor 3, as systemd does.
fn start_with(home: &Home, listener: &TcpListener) -> Child {
    let shell = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" serve 3<&0 </dev/null";
    let socket = OwnedFd::from(listener.try_clone().expect("a second descriptor"));
    Command::new("sh")
        .args(["-c", shell, env!("CARGO_BIN_EXE_isochron")])
        .current_dir(home.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the shell runs")
}

#[test]
fn a_restart_behind_a_socket_of_systemd_refuses_nobody() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let ask = || {
        let mut connection = TcpStream::connect(address).expect("the kernel accepts it");
        connection.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        connection.write_all(b"GET /health HTTP/1.0\r\n\r\n").expect("sent");
        connection
    };
    let answer = |mut connection: TcpStream| {
        let mut text = String::new();
        connection.read_to_string(&mut text).expect("an answer");
        text
    };
    let before = ask();
    let mut server = start_with(&home, &listener);
    assert!(answer(before).starts_with("HTTP/1.0 200"), "who came before the start is answered");
    signal_process(server.id(), Signal::TERM);
    assert_eq!(wait(&mut server), Some(0));
    let between = ask();
    let mut server = start_with(&home, &listener);
    assert!(answer(between).starts_with("HTTP/1.0 200"));
    signal_process(server.id(), Signal::TERM);
    assert_eq!(wait(&mut server), Some(0));
}

#[test]
fn the_units_are_right_and_leave_little_exposed() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("the units are not verified: there is no systemd-analyze");
        return;
    }
    let home = Home::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd");
    for name in ["isochron.service", "isochron.socket"] {
        let unit = fs::read_to_string(shipped.join(name)).expect("a unit");
        let unit = unit.replace("/usr/bin/isochron", env!("CARGO_BIN_EXE_isochron"));
        fs::write(home.path().join(name), unit).expect("written");
    }
    let analyze = |arguments: &[&str]| {
        let ran = Command::new("systemd-analyze").args(arguments).current_dir(home.path()).output();
        let ran = ran.expect("systemd-analyze runs");
        let said = [ran.stdout, ran.stderr].concat();
        (ran.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let verified = analyze(&["verify", "--man=no", "./isochron.service", "./isochron.socket"]);
    assert_eq!(verified, (true, String::new()));
    let (secure, said) =
        analyze(&["security", "--offline=true", "--threshold=25", "--no-pager", "./isochron.service"]);
    assert!(secure, "more exposed than 2.5: {said}");
}
