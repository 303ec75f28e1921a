//! seccomp (seccomp(2)): the system calls that a runner may make.
//!
//! Three filters; the kernel runs all of them and the harshest answer holds, of two
//! equally harsh ones that of the later filter:
//!
//! 1. whatever is not [`needed`] does not exist (`ENOSYS`). A list of what is allowed, not of
//!    what is forbidden, because there are always more calls than one thinks of: those of
//!    next year's kernel, and on x86_64 the whole x32 table under other numbers. `ENOSYS`,
//!    because that is what libraries are prepared for: glibc then makes threads with
//!    `clone`, whose flags can be looked at, instead of `clone3`;
//! 2. what asks for a [path](paths) is refused (`EACCES`), as Landlock would: glibc's
//!    allocator and ICU try some files and go on without them;
//! 3. what only somebody does who has broken out ([`forbidden`]) ends the process at
//!    once: there is nothing in it that would be worth going on with.
//!
//! Pointers cannot be looked at, so a call that says what it wants in memory (`clone3`,
//! `openat2`, `sendmsg`) is never needed here.

mod calls;

use std::{collections::BTreeMap, process};

use seccompiler::{
    BackendError, BpfProgram, Error,
    SeccompAction::{self, Allow, Errno, KillProcess},
    SeccompCmpArgLen::{self, Dword, Qword},
    SeccompCmpOp::{self, Eq, MaskedEq, Ne},
    SeccompCondition, SeccompFilter, SeccompRule, apply_filter_all_threads,
};

use crate::runner::sandbox::Layer;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Puts the filters on every thread of the process, those that V8 has made too.
pub(crate) fn install_filters() -> Layer {
    let programs = match programs() {
        Ok(programs) => programs,
        Err(error) => return Layer::Missing(format!("no seccomp: {error}")),
    };
    for (done, program) in programs.iter().enumerate() {
        match (apply_filter_all_threads(program), done) {
            (Ok(()), _) => {}
            (Err(error), 0) => return Layer::Missing(format!("no seccomp: {}", why(&error))),
            (Err(error), _) => return Layer::Partial(format!("seccomp in part: {}", why(&error))),
        }
    }
    Layer::Full("seccomp".to_owned())
}

fn why(error: &Error) -> String {
    match error {
        Error::Prctl(source) | Error::Seccomp(source) => source.to_string(),
        Error::ThreadSync(thread) => format!("thread {thread} has a filter of its own"),
        error => error.to_string(),
    }
}

fn programs() -> Result<[BpfProgram; 3], BackendError> {
    let ourselves = u64::from(process::id());
    Ok([
        program(needed(ourselves)?, Errno(libc::ENOSYS.cast_unsigned()), Allow)?,
        program(paths(), Allow, Errno(libc::EACCES.cast_unsigned()))?,
        // The last, because it forbids further filters.
        program(forbidden(ourselves)?, Allow, KillProcess)?,
    ])
}

fn program(
    rules: Rules,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(rules, otherwise, listed, std::env::consts::ARCH.try_into()?)?.try_into()
}

/// What V8, glibc, tokio and the supervisor call while handlers run.
fn needed(ourselves: u64) -> Result<Rules, BackendError> {
    let mut rules = always(&[calls::NEEDED, calls::NEEDED_OLD]);
    // abort(3) and V8's profiler signal a thread of their own process.
    rules.insert(libc::SYS_kill, vec![all([argument(0, Dword, Eq, ourselves)?])?]);
    rules.insert(libc::SYS_tgkill, vec![all([argument(0, Dword, Eq, ourselves)?])?]);
    // A thread, exactly as pthread_create(3) makes it.
    let others = !(calls::THREAD_FLAGS ^ libc::CLONE_THREAD as u64);
    let thread = argument(0, Qword, MaskedEq(others), libc::CLONE_THREAD as u64)?;
    rules.insert(libc::SYS_clone, vec![all([thread])?]);
    // To the socket's other end, whoever that is.
    rules.insert(libc::SYS_sendto, vec![all([argument(4, Qword, Eq, 0)?])?]);
    // Asking for a limit, not setting one: pthread_getattr_np(3) wants to know the stack's.
    rules.insert(libc::SYS_prlimit64, vec![all([argument(2, Qword, Eq, 0)?])?]);
    rules.insert(libc::SYS_prctl, one_of(0, &calls::PRCTL)?);
    rules.insert(libc::SYS_fcntl, one_of(1, &calls::FCNTL)?);
    Ok(rules)
}

/// What asks for a path, to read or to look at.
fn paths() -> Rules {
    always(&[calls::PATHS, calls::PATHS_OLD])
}

/// What a runner never does by mistake.
fn forbidden(ourselves: u64) -> Result<Rules, BackendError> {
    let mut rules = always(&[calls::FORBIDDEN, calls::FORBIDDEN_OLD]);
    rules.insert(libc::SYS_kill, vec![all([argument(0, Dword, Ne, ourselves)?])?]);
    rules.insert(libc::SYS_tgkill, vec![all([argument(0, Dword, Ne, ourselves)?])?]);
    let process = argument(0, Qword, MaskedEq(libc::CLONE_THREAD as u64), 0)?;
    rules.insert(libc::SYS_clone, vec![all([process])?]);
    rules.insert(libc::SYS_sendto, vec![all([argument(4, Qword, Ne, 0)?])?]);
    let others = [argument(0, Dword, Ne, 0)?, argument(0, Dword, Ne, ourselves)?];
    rules.insert(libc::SYS_prlimit64, vec![all(others)?]);
    rules.insert(libc::SYS_openat, to_write(2)?);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, to_write(1)?);
    Ok(rules)
}

fn always(lists: &[&[i64]]) -> Rules {
    lists.iter().flat_map(|list| list.iter()).map(|call| (*call, Vec::new())).collect()
}

/// Any of the flags of open(2) that write or create.
fn to_write(flags: u8) -> Result<Vec<SeccompRule>, BackendError> {
    [libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT, libc::O_TRUNC]
        .map(|flag| u64::from(flag.cast_unsigned()))
        .into_iter()
        .map(|flag| all([argument(flags, Dword, MaskedEq(flag), flag)?]))
        .collect()
}

fn one_of(number: u8, values: &[i32]) -> Result<Vec<SeccompRule>, BackendError> {
    values.iter().map(|value| all([argument(number, Dword, Eq, u64::from(value.cast_unsigned()))?])).collect()
}

fn all<const N: usize>(conditions: [SeccompCondition; N]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.into())
}

/// `length` is the kernel's: it looks at 32 bits of an `int`, whatever the rest of the register says.
fn argument(
    number: u8,
    length: SeccompCmpArgLen,
    compare: SeccompCmpOp,
    with: u64,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(number, length, compare, with)
}
