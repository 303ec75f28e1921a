//! The calls a probe can make, by name.

use std::{ffi::CStr, io, process, thread};

use libc::*;

use super::{super::os, world::World};

/// Where relative paths start: the probe's own working directory.
const HERE: c_long = AT_FDCWD as c_long;

type Make = fn(&World) -> io::Result<()>;

/// One call, and the world it reaches for.
pub(in super::super) struct Call {
    make: Make,
    world: World,
}

impl Call {
    /// The call of this name.
    ///
    /// # Errors
    /// When there is none, or the sockets to reach for cannot be made.
    pub(crate) fn named(name: &str) -> io::Result<Self> {
        let Some((_, make)) = CALLS.iter().find(|(known, _)| *known == name) else {
            let names: Vec<_> = CALLS.iter().map(|(known, _)| *known).collect();
            return Err(io::Error::other(format!("no probe {name}: there are {}", names.join(", "))));
        };
        Ok(Self { make: *make, world: World::new()? })
    }

    /// Makes it.
    pub(crate) fn make(&self) -> String {
        let ourselves = process::id();
        let made = (self.make)(&self.world);
        if process::id() != ourselves {
            os::leave(0); // a child that should not be there
        }
        match made {
            Ok(()) => "SUCCEEDED".to_owned(),
            Err(error) => error.raw_os_error().map_or(error.to_string(), |errno| format!("errno {errno}")),
        }
    }
}

/// Every one of them succeeds on an ordinary system for an ordinary user, except the ones
/// marked: those need rights or a kernel that not everybody has, and say so with an errno.
const CALLS: &[(&str, Make)] = &[
    // What must go on working.
    ("nothing", |_| raw(SYS_getpid, [])),
    ("map-code", |_| {
        let (rights, kind) = (PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS);
        raw(SYS_mmap, [0, 4096, int(rights), int(kind), -1, 0])
    }),
    ("thread", |_| thread::Builder::new().spawn(|| ()).map(|thread| drop(thread.join()))),
    ("signal-self", |_| raw(SYS_tgkill, [c_long::from(process::id()), c_long::from(process::id()), 0])),
    ("descriptors", |_| {
        // The last lines of the output: every number that is open.
        (0..64).filter(|fd| raw(SYS_fcntl, [*fd, int(F_GETFD)]).is_ok()).for_each(|fd| println!("open {fd}"));
        Ok(())
    }),
    // Files.
    ("open-read", |_| raw(SYS_openat, [HERE, at(c"/etc/passwd"), int(O_RDONLY)])),
    ("open-write", |_| raw(SYS_openat, [HERE, at(c"written"), int(O_WRONLY | O_CREAT), 0o600])),
    ("stat", |_| raw(SYS_faccessat, [HERE, at(c"/etc/passwd"), 0])),
    ("mkdir", |_| raw(SYS_mkdirat, [HERE, at(c"made"), 0o700])),
    ("unlink", |_| raw(SYS_unlinkat, [HERE, at(c"probe.sock"), 0])),
    ("rename", |_| raw(SYS_renameat2, [HERE, at(c"probe.sock"), HERE, at(c"renamed"), 0])),
    ("link", |_| raw(SYS_symlinkat, [at(c"probe.sock"), HERE, at(c"linked")])),
    ("chmod", |_| raw(SYS_fchmodat, [HERE, at(c"probe.sock"), 0o600])),
    ("memfd", |_| raw(SYS_memfd_create, [at(c"probe"), 0])),
    ("inotify", |_| raw(SYS_inotify_init1, [])),
    ("handle", |_| raw(SYS_open_by_handle_at, [HERE, 0, 0])), // marked
    ("ioctl", |_| raw(SYS_ioctl, [1, FIONREAD as c_long, spare()])),
    // The network.
    ("socket", |_| raw(SYS_socket, [int(AF_INET), int(SOCK_STREAM)])),
    ("socketpair", |_| raw(SYS_socketpair, [int(AF_UNIX), int(SOCK_STREAM), 0, spare()])),
    ("connect-tcp", World::connect_tcp),
    ("connect-unix", World::connect_named),
    ("connect-abstract", World::connect_nameless),
    ("bind", World::bind),
    ("listen", World::listen),
    ("accept", World::accept),
    ("send-to", World::send_to),
    // Processes.
    ("fork", |_| raw(SYS_clone, [int(SIGCHLD)])),
    ("clone3", |_| {
        // struct clone_args: the fifth field is the signal, the rest nothing.
        raw(SYS_clone3, [keep([0, 0, 0, 0, c_long::from(SIGCHLD), 0, 0, 0]), 64])
    }),
    ("exec", |_| {
        let arguments = keep([at(c"echo"), at(c"SUCCEEDED"), 0]);
        raw(SYS_execve, [at(c"/bin/echo"), arguments, 0])
    }),
    ("signal-parent", |world| raw(SYS_kill, [world.parent, 0])),
    ("signal-parent-thread", |world| raw(SYS_tgkill, [world.parent, world.parent, 0])),
    ("signal-group", |_| raw(SYS_kill, [0, 0])),
    ("pidfd", |world| raw(SYS_pidfd_open, [world.parent, 0])),
    ("ptrace", |_| raw(SYS_ptrace, [c_long::from(PTRACE_TRACEME)])),
    ("read-memory", |_| {
        let [from, to] = [spare(), spare()].map(|memory| keep([memory, 64]));
        raw(SYS_process_vm_readv, [c_long::from(process::id()), to, 1, from, 1, 0])
    }),
    ("limit-parent", |world| raw(SYS_prlimit64, [world.parent, c_long::from(RLIMIT_CORE), 0, spare()])),
    // Rights.
    ("raise-limit", |_| raw(SYS_prlimit64, [0, c_long::from(RLIMIT_CORE), spare()])),
    ("dumpable", |_| raw(SYS_prctl, [int(PR_SET_DUMPABLE), 1])),
    ("seccomp", |_| raw(SYS_seccomp, [c_long::from(SECCOMP_GET_ACTION_AVAIL), 0, spare()])),
    ("setuid", |world| raw(SYS_setuid, [world.user])),
    ("unshare", |_| raw(SYS_unshare, [int(CLONE_FS)])),
    ("chroot", |_| raw(SYS_chroot, [at(c"/")])),    // marked
    ("mount", |_| raw(SYS_mount, [0, 0, 0, 0, 0])), // marked
    // Wide parts of the kernel, all of them marked.
    ("io-uring", |_| raw(SYS_io_uring_setup, [4, spare()])),
    ("bpf", |_| raw(SYS_bpf, [0, spare(), 64])),
    ("perf", |_| raw(SYS_perf_event_open, [spare(), 0, -1, -1, 0])),
    ("userfaultfd", |_| raw(SYS_userfaultfd, [])),
    ("key", |_| raw(SYS_keyctl, [0, -3, 0])),
    ("clock", |_| raw(SYS_clock_settime, [c_long::from(CLOCK_MONOTONIC), spare()])),
    ("module", |_| raw(SYS_finit_module, [-1, at(c""), 0])),
];

/// Makes a system call.
#[expect(unsafe_code, reason = "the very point is a raw system call")]
fn raw<const N: usize>(number: c_long, arguments: [c_long; N]) -> io::Result<()> {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&arguments);
    let [a, b, c, d, e, f] = all;
    // SAFETY: the pointers in the table are to constants or to leaked memory, with their lengths.
    if unsafe { syscall(number, a, b, c, d, e, f) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn int(number: c_int) -> c_long {
    number.into()
}

fn at(text: &'static CStr) -> c_long {
    text.as_ptr() as c_long
}

/// Words for the kernel to read; the process ends soon.
fn keep<const N: usize>(words: [c_long; N]) -> c_long {
    Box::leak(Box::new(words)).as_ptr() as c_long
}

/// Room for the kernel to write to, or to read zeros from.
fn spare() -> c_long {
    keep([0; 64])
}
