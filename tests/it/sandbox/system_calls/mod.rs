//! The sandbox from inside: which system calls a handler can make that has broken out of V8.
//!
//! A probe (`isochron runner --probe CALL`) is a runner that makes one raw system call instead of
//! sending `Ready`. Each call must fail in the sandbox and work without it, so that a failure
//! proves the sandbox and not a mistake in the probe.

pub(super) mod probe;

use std::{fs, os::fd::AsRawFd, thread};

use seccompiler::{SeccompAction, SeccompFilter, apply_filter};
use serde_json::json;

use self::probe::{
    Outcome::{self, Errno, Killed, Succeeded},
    inheritable, probe,
};
use crate::harness::{Options, Server, cell_of, task, until};

const EPERM: i32 = 1;
const EACCES: i32 = 13;
const ENOSYS: i32 = 38;
/// The server's log line when the level is not full.
const NOT_FULL: &str = "this system has no full sandbox for the runners";

/// Calls that must fail in the sandbox and that any process may make without it.
const REFUSED: [(&str, Outcome); 32] = [
    ("open-read", Errno(EACCES)),
    ("open-write", Killed),
    ("stat", Errno(EACCES)),
    ("mkdir", Killed),
    ("unlink", Killed),
    ("rename", Killed),
    ("link", Killed),
    ("chmod", Killed),
    ("memfd", Killed),
    ("inotify", Killed),
    ("ioctl", Errno(ENOSYS)),
    ("socket", Killed),
    ("socketpair", Killed),
    ("connect-tcp", Killed),
    ("connect-unix", Killed),
    ("connect-abstract", Killed),
    ("bind", Killed),
    ("listen", Killed),
    ("send-to", Killed),
    ("fork", Killed),
    ("exec", Killed),
    ("signal-parent", Killed),
    ("signal-parent-thread", Killed),
    ("signal-group", Killed),
    ("pidfd", Killed),
    ("ptrace", Killed),
    ("read-memory", Killed),
    ("limit-parent", Killed),
    ("dumpable", Errno(ENOSYS)),
    ("seccomp", Killed),
    ("setuid", Killed),
    ("raise-limit", Errno(ENOSYS)),
];

/// Calls that need special rights, arguments or kernels (containers often have their own filter):
/// without the sandbox they may fail, but must not kill the process.
const REFUSED_ANYWAY: [(&str, Outcome); 13] = [
    ("accept", Killed),
    ("handle", Killed),
    ("chroot", Killed),
    ("mount", Killed),
    ("unshare", Killed),
    ("clone3", Errno(ENOSYS)),
    ("io-uring", Killed),
    ("bpf", Killed),
    ("perf", Killed),
    ("userfaultfd", Killed),
    ("key", Killed),
    ("clock", Killed),
    ("module", Killed),
];

/// Calls that V8 and its threads need.
const FREE: [&str; 4] = ["nothing", "map-code", "thread", "signal-self"];

#[test]
fn in_the_sandbox_every_call_of_an_intruder_fails() {
    for (call, expected) in REFUSED.into_iter().chain(REFUSED_ANYWAY) {
        assert_eq!(probe(call, &[]).outcome, expected, "{call}");
    }
}

#[test]
fn the_sandbox_holds_the_threads_that_were_there_before_it() {
    for call in
        ["open-read", "open-write", "socket", "connect-tcp", "fork", "exec", "signal-parent", "io-uring"]
    {
        let (main, helper) = (probe(call, &[]), probe(call, &["--thread", "helper"]));
        assert_eq!(helper.outcome, main.outcome, "{call}");
        assert_ne!(helper.outcome, Succeeded, "{call}");
    }
}

#[test]
fn without_the_sandbox_the_same_calls_succeed() {
    for (call, _) in REFUSED {
        assert_eq!(probe(call, &["--layers", "none"]).outcome, Succeeded, "{call}");
    }
    for (call, _) in REFUSED_ANYWAY {
        assert_ne!(probe(call, &["--layers", "none"]).outcome, Killed, "{call}");
    }
}

#[test]
fn what_a_run_needs_works_in_the_sandbox() {
    for call in FREE {
        assert_eq!(probe(call, &[]).outcome, Succeeded, "{call}");
    }
}

/// Landlock alone, as on a kernel without seccomp.
#[test]
fn the_first_wall_holds_alone() {
    let landlock = ["--layers", "landlock"];
    let first = probe("open-read", &landlock);
    let abi = first.sandbox.split("Landlock ABI ").nth(1).and_then(|rest| rest.split([',', ' ']).next());
    let abi: u32 = abi.and_then(|abi| abi.parse().ok()).unwrap_or(0);
    eprintln!("{}", first.sandbox);
    let since = [
        (1, "open-read", EACCES),
        (1, "open-write", EACCES),
        (1, "unlink", EACCES),
        (1, "exec", EACCES),
        (4, "connect-tcp", EACCES),
        (4, "bind", EACCES),
        (6, "connect-abstract", EPERM),
        (6, "signal-parent", EPERM),
    ];
    for (_, call, errno) in since.into_iter().filter(|(since, ..)| *since <= abi) {
        for thread in ["main", "helper"] {
            let probed = probe(call, &["--layers", "landlock", "--thread", thread]);
            assert_eq!(probed.outcome, Errno(errno), "{call} on {thread}");
        }
    }
}

/// seccomp alone, as on a kernel without Landlock.
#[test]
fn the_second_wall_holds_alone() {
    for (call, expected) in REFUSED {
        assert_eq!(probe(call, &["--layers", "seccomp"]).outcome, expected, "{call}");
    }
}

#[test]
fn what_was_left_open_by_whoever_started_the_server_is_closed() {
    let leaked = inheritable(&tempfile::tempfile().expect("a file"));
    let number = format!("open {}", leaked.as_raw_fd());
    let outside = probe("descriptors", &["--layers", "none"]);
    assert!(outside.lines.contains(&number), "{:?}", outside.lines);
    let inside = probe("descriptors", &[]);
    assert!(!inside.lines.contains(&number), "{:?}", inside.lines);
    for standard in ["open 0", "open 1", "open 2"] {
        assert!(inside.lines.contains(standard), "{:?}", inside.lines);
    }
}

#[test]
fn every_thread_of_a_runner_is_in_the_sandbox_and_the_server_says_how() {
    let server = Server::start();
    let said = sandbox_of(&server);
    assert_eq!(said, probe("nothing", &[]).sandbox);
    assert!(said.ends_with(", seccomp"), "{said}");
    assert_eq!(said.starts_with("full: "), !server.log().contains(NOT_FULL), "{}", server.log());

    let runners = server.runners();
    assert!(!runners.is_empty());
    for runner in runners.into_iter().map(cell_of) {
        let limits = fs::read_to_string(format!("/proc/{runner}/limits")).expect("its limits");
        for (name, limit) in [("Max core file size", "0"), ("Max file size", "0"), ("Max open files", "64")] {
            let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect(name);
            assert_eq!(line.split_whitespace().take(2).collect::<Vec<_>>(), [limit, limit], "{name}");
        }
        let threads = fs::read_dir(format!("/proc/{runner}/task")).expect("its threads");
        let threads: Vec<_> = threads.map(|thread| thread.expect("a thread").path().join("status")).collect();
        assert!(threads.len() >= 2, "the main thread, and the one that stops it: {threads:?}");
        for thread in threads {
            let status = fs::read_to_string(&thread).expect("its status");
            for line in ["Seccomp:\t2", "NoNewPrivs:\t1"] {
                assert!(status.lines().any(|known| known == line), "{line} in {status}");
            }
        }
    }
}

#[test]
fn a_kernel_that_lacks_a_wall_is_no_obstacle_but_is_spoken_of() {
    let landlock = libc::SYS_landlock_create_ruleset;
    let cases = [
        (vec![landlock], "partial: no Landlock (not in this kernel), seccomp"),
        (
            vec![landlock, libc::SYS_seccomp],
            "process boundary only: no Landlock (not in this kernel), no seccomp: Function not implemented (os error 38)",
        ),
    ];
    for (missing, sandbox) in cases {
        // A filter applies to its thread and the processes that the thread starts. Here it makes the
        // server see an older kernel.
        let server = thread::spawn(move || {
            let rules = missing.into_iter().map(|call| (call, Vec::new())).collect();
            let arch = std::env::consts::ARCH.try_into().expect("a known architecture");
            let filter = SeccompFilter::new(
                rules,
                SeccompAction::Allow,
                SeccompAction::Errno(ENOSYS.cast_unsigned()),
                arch,
            );
            let program: seccompiler::BpfProgram = filter.and_then(TryInto::try_into).expect("a program");
            apply_filter(&program).expect("a filter");
            Options::default().start()
        });
        let server = server.join().expect("a server");
        assert_eq!(sandbox_of(&server), sandbox);
        assert_eq!(server.log().matches(NOT_FULL).count(), 1, "{}", server.log());
        server.home.write("works", "module.exports = () => 'still'");
        let id = server.create(&task("works", "works", "now", &json!({})));
        assert_eq!(server.until_status(&id, "completed")["lastExecution"]["status"], "completed");
    }
}

/// The server's description of its runners' sandbox, without the way in which they make runs.
fn sandbox_of(server: &Server) -> String {
    let ready = until("the server is ready", || {
        let answer = server.client().get("/ready");
        (answer.status == 200).then_some(answer.body)
    });
    let cage = ready["cage"].as_str().expect("a text");
    cage.strip_suffix(", rewind").or(cage.split(", no rewind (").next()).expect("a text").to_owned()
}
