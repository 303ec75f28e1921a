//! The calls that a probe can make, by name.

use std::{ffi::CStr, io, process, thread};

use libc::*;

use super::{super::os, targets::Targets};

/// Where relative paths start: the probe's own working directory.
const HERE: c_long = AT_FDCWD as c_long;

type Make = fn(&Targets) -> io::Result<()>;

/// One call and its targets.
pub(crate) struct Call {
    make: Make,
    targets: Targets,
}

impl Call {
    /// The call of this name.
    ///
    /// # Errors
    /// When no call has this name, or its sockets cannot be made.
    pub(crate) fn named(name: &str) -> io::Result<Self> {
        let Some((_, make)) = CALLS.iter().find(|(known, _)| *known == name) else {
            let names: Vec<_> = CALLS.iter().map(|(known, _)| *known).collect();
            return Err(io::Error::other(format!("no probe {name}; the probes are {}", names.join(", "))));
        };
        Ok(Self { make: *make, targets: Targets::new()? })
    }

    /// Makes the call: `SUCCEEDED`, or its error.
    pub(crate) fn make(&self) -> String {
        let ourselves = process::id();
        let made = (self.make)(&self.targets);
        if process::id() != ourselves {
            os::exit_now(0); // the child of a fork that the sandbox should refuse
        }
        match made {
            Ok(()) => "SUCCEEDED".to_owned(),
            Err(error) => error.raw_os_error().map_or(error.to_string(), |errno| format!("errno {errno}")),
        }
    }
}

/// Every call succeeds for an ordinary user on an ordinary system, except the marked ones: they
/// need special rights or a special kernel, and fail with an errno without.
const CALLS: &[(&str, Make)] = &[
    // Calls that must work in the sandbox.
    ("nothing", |_| raw(SYS_getpid, [])),
    ("map-code", |_| {
        let (rights, kind) = (PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS);
        raw(SYS_mmap, [0, 4096, int(rights), int(kind), -1, 0])
    }),
    ("thread", |_| thread::Builder::new().spawn(|| ()).map(|thread| drop(thread.join()))),
    ("signal-self", |_| raw(SYS_tgkill, [c_long::from(process::id()), c_long::from(process::id()), 0])),
    ("descriptors", |_| {
        // Prints the number of every open descriptor.
        (0..1024)
            .filter(|fd| raw(SYS_fcntl, [*fd, int(F_GETFD)]).is_ok())
            .for_each(|fd| println!("open {fd}"));
        Ok(())
    }),
    // Calls that a cell must not make, for they outlast a run.
    ("set-handler", |_| raw(SYS_rt_sigaction, [int(SIGUSR1), leak_zeros(), 0, 8])),
    ("set-mask", |_| raw(SYS_rt_sigprocmask, [int(SIG_SETMASK), leak_zeros(), 0, 8])),
    ("signal-stack", |_| raw(SYS_sigaltstack, [leak([0, c_long::from(SS_DISABLE), 0]), 0])),
    ("name-thread", |_| raw(SYS_prctl, [int(PR_SET_NAME), pointer(c"intruder")])),
    ("take-sequence-back", |_| raw(SYS_rseq, [leak_zeros(), 32, 1, 0])),
    ("new-epoll", |_| raw(SYS_epoll_create1, [0])),
    ("new-event", |_| raw(SYS_eventfd2, [0, 0])),
    ("close", |_| raw(SYS_close, [2])),
    ("advise", |_| {
        let page = raw_value(SYS_mmap, [0, 4096, int(PROT_READ), int(MAP_PRIVATE | MAP_ANONYMOUS), -1, 0])?;
        raw(SYS_madvise, [page, 4096, int(MADV_DONTDUMP)])
    }),
    // Files.
    ("open-read", |_| raw(SYS_openat, [HERE, pointer(c"/etc/passwd"), int(O_RDONLY)])),
    ("open-write", |_| raw(SYS_openat, [HERE, pointer(c"written"), int(O_WRONLY | O_CREAT), 0o600])),
    ("stat", |_| raw(SYS_faccessat, [HERE, pointer(c"/etc/passwd"), 0])),
    ("mkdir", |_| raw(SYS_mkdirat, [HERE, pointer(c"made"), 0o700])),
    ("unlink", |_| raw(SYS_unlinkat, [HERE, pointer(c"probe.sock"), 0])),
    ("rename", |_| raw(SYS_renameat2, [HERE, pointer(c"probe.sock"), HERE, pointer(c"renamed"), 0])),
    ("link", |_| raw(SYS_symlinkat, [pointer(c"probe.sock"), HERE, pointer(c"linked")])),
    ("chmod", |_| raw(SYS_fchmodat, [HERE, pointer(c"probe.sock"), 0o600])),
    ("memfd", |_| raw(SYS_memfd_create, [pointer(c"probe"), 0])),
    ("inotify", |_| raw(SYS_inotify_init1, [])),
    ("handle", |_| raw(SYS_open_by_handle_at, [HERE, 0, 0])), // marked
    ("ioctl", |_| raw(SYS_ioctl, [1, FIONREAD as c_long, leak_zeros()])),
    // The network.
    ("socket", |_| raw(SYS_socket, [int(AF_INET), int(SOCK_STREAM)])),
    ("socketpair", |_| raw(SYS_socketpair, [int(AF_UNIX), int(SOCK_STREAM), 0, leak_zeros()])),
    ("connect-tcp", Targets::connect_tcp),
    ("connect-unix", Targets::connect_named),
    ("connect-abstract", Targets::connect_nameless),
    ("bind", Targets::bind),
    ("listen", Targets::listen),
    ("accept", Targets::accept),
    ("send-to", Targets::send_to),
    // Processes.
    ("fork", |_| raw(SYS_clone, [int(SIGCHLD)])),
    ("clone3", |_| {
        // struct clone_args: the fifth field is the signal, the rest nothing.
        raw(SYS_clone3, [leak([0, 0, 0, 0, c_long::from(SIGCHLD), 0, 0, 0]), 64])
    }),
    ("exec", |_| {
        let arguments = leak([pointer(c"echo"), pointer(c"SUCCEEDED"), 0]);
        raw(SYS_execve, [pointer(c"/bin/echo"), arguments, 0])
    }),
    ("signal-parent", |targets| raw(SYS_kill, [targets.parent, 0])),
    ("signal-parent-thread", |targets| raw(SYS_tgkill, [targets.parent, targets.parent, 0])),
    ("signal-group", |_| raw(SYS_kill, [0, 0])),
    ("pidfd", |targets| raw(SYS_pidfd_open, [targets.parent, 0])),
    ("ptrace", |_| raw(SYS_ptrace, [c_long::from(PTRACE_TRACEME)])),
    ("read-memory", |_| {
        let [from, to] = [leak_zeros(), leak_zeros()].map(|memory| leak([memory, 64]));
        raw(SYS_process_vm_readv, [c_long::from(process::id()), to, 1, from, 1, 0])
    }),
    ("limit-parent", |targets| {
        raw(SYS_prlimit64, [targets.parent, c_long::from(RLIMIT_CORE), 0, leak_zeros()])
    }),
    // Rights.
    ("raise-limit", |_| raw(SYS_prlimit64, [0, c_long::from(RLIMIT_CORE), leak_zeros()])),
    ("dumpable", |_| raw(SYS_prctl, [int(PR_SET_DUMPABLE), 1])),
    ("seccomp", |_| raw(SYS_seccomp, [c_long::from(SECCOMP_GET_ACTION_AVAIL), 0, leak_zeros()])),
    ("setuid", |targets| raw(SYS_setuid, [targets.user])),
    ("unshare", |_| raw(SYS_unshare, [int(CLONE_FS)])),
    ("chroot", |_| raw(SYS_chroot, [pointer(c"/")])), // marked
    ("mount", |_| raw(SYS_mount, [0, 0, 0, 0, 0])),   // marked
    // Wide parts of the kernel, all of them marked.
    ("io-uring", |_| raw(SYS_io_uring_setup, [4, leak_zeros()])),
    ("bpf", |_| raw(SYS_bpf, [0, leak_zeros(), 64])),
    ("perf", |_| raw(SYS_perf_event_open, [leak_zeros(), 0, -1, -1, 0])),
    ("userfaultfd", |_| raw(SYS_userfaultfd, [])),
    ("key", |_| raw(SYS_keyctl, [0, -3, 0])),
    ("clock", |_| raw(SYS_clock_settime, [c_long::from(CLOCK_MONOTONIC), leak_zeros()])),
    ("module", |_| raw(SYS_finit_module, [-1, pointer(c""), 0])),
];

/// Makes a system call.
fn raw<const N: usize>(number: c_long, arguments: [c_long; N]) -> io::Result<()> {
    raw_value(number, arguments).map(drop)
}

/// Makes a system call; returns its value.
#[expect(unsafe_code, reason = "a probe makes raw system calls")]
fn raw_value<const N: usize>(number: c_long, arguments: [c_long; N]) -> io::Result<c_long> {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&arguments);
    let [a, b, c, d, e, f] = all;
    // SAFETY: the pointers in the table point to constants or to leaked memory of the given lengths.
    match unsafe { syscall(number, a, b, c, d, e, f) } {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

fn int(number: c_int) -> c_long {
    number.into()
}

fn pointer(text: &'static CStr) -> c_long {
    text.as_ptr() as c_long
}

/// Leaks words for the kernel to read; the process ends soon.
fn leak<const N: usize>(words: [c_long; N]) -> c_long {
    Box::leak(Box::new(words)).as_ptr() as c_long
}

/// Leaks zeros for the kernel to read or to overwrite.
fn leak_zeros() -> c_long {
    leak([0; 64])
}
