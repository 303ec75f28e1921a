//! seccomp (seccomp(2)): the system calls that a runner may make.
//!
//! Three filters. The kernel runs all of them and takes the harshest answer; of two equally harsh
//! answers it takes the later filter's:
//!
//! 1. a call that is not in [`needed_calls`], or in a cell not in [`cell_calls`], does not exist (`ENOSYS`). The filter lists allowed
//!    calls because a list of forbidden ones is never complete: next year's kernel has new calls,
//!    and x86_64 has the whole x32 table under other numbers. Libraries are prepared for `ENOSYS`:
//!    glibc then makes threads with `clone`, whose flags a filter can read, instead of `clone3`;
//! 2. a call in [`path_calls`] is refused (`EACCES`), as Landlock would refuse it: glibc's
//!    allocator and ICU try some files and go on without them;
//! 3. a call in [`forbidden_calls`], which only a handler makes that has broken out, kills the
//!    process at once.
//!
//! A filter cannot read memory, so no call is allowed whose arguments are in memory (`clone3`,
//! `openat2`, `sendmsg`).

mod calls;

use std::{collections::BTreeMap, process};

use seccompiler::{
    BackendError, BpfProgram, Error,
    SeccompAction::{self, Allow, Errno, KillProcess},
    SeccompCmpArgLen::{self, Dword, Qword},
    SeccompCmpOp::{self, Eq, MaskedEq, Ne},
    SeccompCondition, SeccompFilter, SeccompRule, apply_filter_all_threads,
};

use crate::runner::sandbox::{Inmate, Layer};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Puts the filters on every thread of the process, those that V8 has made too.
pub(crate) fn install_filters(inmate: Inmate) -> Layer {
    let programs = match programs(inmate) {
        Ok(programs) => programs,
        Err(error) => return Layer::Missing(format!("no seccomp: {error}")),
    };
    for (done, program) in programs.iter().enumerate() {
        match (apply_filter_all_threads(program), done) {
            (Ok(()), _) => {}
            (Err(error), 0) => return Layer::Missing(format!("no seccomp: {}", describe(&error))),
            (Err(error), _) => return Layer::Partial(format!("seccomp in part: {}", describe(&error))),
        }
    }
    Layer::Full("seccomp".to_owned())
}

fn describe(error: &Error) -> String {
    match error {
        Error::Prctl(source) | Error::Seccomp(source) => source.to_string(),
        Error::ThreadSync(thread) => format!("thread {thread} has a filter of its own"),
        error => error.to_string(),
    }
}

fn programs(inmate: Inmate) -> Result<[BpfProgram; 3], BackendError> {
    let ourselves = u64::from(process::id());
    let needed = match inmate {
        Inmate::Runner => needed_calls(ourselves)?,
        Inmate::Cell => cell_calls(ourselves)?,
    };
    Ok([
        program(needed, Errno(libc::ENOSYS.cast_unsigned()), Allow)?,
        program(path_calls(), Allow, Errno(libc::EACCES.cast_unsigned()))?,
        // Must be the last, because it forbids further filters.
        program(forbidden_calls(ourselves)?, Allow, KillProcess)?,
    ])
}

fn program(
    rules: Rules,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(rules, otherwise, listed, std::env::consts::ARCH.try_into()?)?.try_into()
}

/// The calls that V8, glibc, tokio and the supervisor make while handlers run.
fn needed_calls(ourselves: u64) -> Result<Rules, BackendError> {
    let mut rules = always(&[calls::NEEDED, calls::NEEDED_OLD]);
    rules.extend(calls_of_all(ourselves)?);
    // A thread, exactly as pthread_create(3) makes it.
    let others = !(calls::THREAD_FLAGS ^ libc::CLONE_THREAD as u64);
    let thread = argument(0, Qword, MaskedEq(others), libc::CLONE_THREAD as u64)?;
    rules.insert(libc::SYS_clone, vec![all([thread])?]);
    rules.insert(libc::SYS_prctl, one_of(0, &calls::PRCTL)?);
    rules.insert(libc::SYS_fcntl, one_of(1, &calls::FCNTL)?);
    Ok(rules)
}

/// The calls that V8, glibc and tokio make in a cell.
fn cell_calls(ourselves: u64) -> Result<Rules, BackendError> {
    let mut rules = always(&[calls::CELL, calls::CELL_OLD]);
    rules.extend(calls_of_all(ourselves)?);
    rules.insert(libc::SYS_madvise, one_of(2, &calls::CELL_ADVICE)?);
    rules.insert(libc::SYS_prctl, one_of(0, &calls::CELL_PRCTL)?);
    // To register, not to take back.
    rules.insert(libc::SYS_rseq, vec![all([argument(2, Dword, Eq, 0)?])?]);
    Ok(rules)
}

/// Needed calls that no process may make with every argument.
fn calls_of_all(ourselves: u64) -> Result<Rules, BackendError> {
    Ok(Rules::from([
        // abort(3) and V8's profiler signal a thread of their own process.
        (libc::SYS_kill, vec![all([argument(0, Dword, Eq, ourselves)?])?]),
        (libc::SYS_tgkill, vec![all([argument(0, Dword, Eq, ourselves)?])?]),
        // Without an address: only to the other end of the socket.
        (libc::SYS_sendto, vec![all([argument(4, Qword, Eq, 0)?])?]),
        // Reading a limit, not setting one: pthread_getattr_np(3) reads the stack's.
        (libc::SYS_prlimit64, vec![all([argument(2, Qword, Eq, 0)?])?]),
    ]))
}

/// The calls that take a path, to read a file or its metadata.
fn path_calls() -> Rules {
    always(&[calls::PATHS, calls::PATHS_OLD])
}

/// The calls that a runner never makes by mistake.
fn forbidden_calls(ourselves: u64) -> Result<Rules, BackendError> {
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

/// `length` is the argument's in the kernel, which reads 32 bits of an `int` and ignores the rest of
/// the register.
fn argument(
    number: u8,
    length: SeccompCmpArgLen,
    compare: SeccompCmpOp,
    with: u64,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(number, length, compare, with)
}
