//! An intruder, for the tests: what a handler does at the end of its run that has broken out of V8.
//!
//! `isochron runner --rewind --intrude ACT` does it after each run, just before the cell goes to its
//! checkpoint. ACT is one of [`ACTS`], or a system call that the [`probe`](crate::runner::probe) knows.

#![expect(unsafe_code, reason = "an intruder needs no permission")]

use std::{
    arch::asm,
    io::{self, Write},
    os::fd::{AsRawFd, RawFd},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::runner::{
    os,
    probe::Call,
    rewind::{checkpoint, memory},
    watchdog::flags::Flags,
};

/// What an intruder has in its hands.
struct Reach {
    control: RawFd,
    flags: &'static Flags,
}

type Act = fn(&Reach) -> io::Result<()>;

const ACTS: &[(&str, Act)] = &[
    // Memory that the next run must not find.
    ("stash", |reach| {
        STASH.store(MARK, Ordering::Relaxed);
        memory::last_of(reach.flags).store(MARK, Ordering::Relaxed);
        Ok(())
    }),
    // Code, changed and given its rights back.
    ("write-code", |_| write_back(std::ptr::from_ref(&MARK_OF_CODE).addr(), libc::PROT_READ)),
    ("write-program", |_| {
        write_back(checkpoint::rest as *const () as usize, libc::PROT_READ | libc::PROT_EXEC)
    }),
    ("write-kernel-code", |_| {
        let vdso = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
        write_back(usize::try_from(vdso).unwrap_or_default(), libc::PROT_READ | libc::PROT_EXEC)
    }),
    // Places other than the checkpoint.
    ("stand-elsewhere", |reach| {
        say_here(reach.control);
        let mut order = [0u8; 16];
        unsafe { libc::read(reach.control, order.as_mut_ptr().cast(), order.len()) };
        say("went on elsewhere");
        os::exit_now(0)
    }),
    ("run-on", |reach| {
        say_here(reach.control);
        loop {
            std::hint::spin_loop();
        }
    }),
    // Bytes for the next run.
    ("leave-bytes", |_| {
        unsafe { libc::send(io::stdin().as_raw_fd(), [5u8, 0, 0].as_ptr().cast(), 3, libc::MSG_NOSIGNAL) };
        Ok(())
    }),
    ("say-twice", |reach| {
        say_here(reach.control);
        Ok(())
    }),
    // State of the processor. Nothing but the checkpoint may come after these.
    ("round", |_| {
        let towards_zero = 0x7f80_u32;
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const towards_zero) };
        Ok(())
    }),
    ("move-segments", |_| {
        if checkpoint::has_bases() {
            unsafe { asm!("wrgsbase {}", in(reg) MARK) };
        }
        Ok(())
    }),
];

/// What `stash` writes.
const MARK: u64 = 0x5eed;
static STASH: AtomicU64 = AtomicU64::new(0);
/// A constant of the program.
static MARK_OF_CODE: [u8; 16] = *b"a fixed constant";

/// An intruder that waits for its moment.
pub(crate) struct Intruder {
    act: Result<Act, Box<Call>>,
    reach: Reach,
}

impl Intruder {
    /// The intruder of this name. Call it before the sandbox is in place.
    ///
    /// # Errors
    /// When no act and no probe has this name.
    pub(crate) fn named(name: &str, control: RawFd, flags: &'static Flags) -> io::Result<Self> {
        let act = match ACTS.iter().find(|(known, _)| *known == name) {
            Some((_, act)) => Ok(*act),
            None => Err(Box::new(Call::named(name)?)),
        };
        Ok(Self { act, reach: Reach { control, flags } })
    }

    /// Says what an earlier run has left.
    pub(crate) fn look(&self) {
        let left = [&STASH, memory::last_of(self.reach.flags)].map(|place| place.load(Ordering::Relaxed));
        if left != [0, 0] {
            say("found what a run has left");
        }
    }

    /// Acts.
    pub(crate) fn act(&self) {
        match &self.act {
            Ok(act) => match act(&self.reach) {
                Ok(()) => {}
                Err(error) => say(&format!("failed: {error}")),
            },
            Err(call) => say(&call.make()),
        }
    }
}

fn say(text: &str) {
    // No one else reads it.
    let _ = writeln!(io::stderr(), "intruder: {text}");
}

fn say_here(control: RawFd) {
    unsafe { libc::write(control, [checkpoint::HERE].as_ptr().cast(), 1) };
}

/// Writes a byte over itself that may not be written, and leaves the rights as they were.
fn write_back(address: usize, rights: i32) -> io::Result<()> {
    let page = std::ptr::with_exposed_provenance_mut::<u8>(address & !4095);
    let protect = |rights| match unsafe { libc::mprotect(page.cast(), 4096, rights) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    protect(rights | libc::PROT_WRITE)?;
    unsafe { page.write_volatile(page.read_volatile()) };
    protect(rights)
}
