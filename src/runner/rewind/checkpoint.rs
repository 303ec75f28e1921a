//! The checkpoint: the place at which a cell waits while its memory is put back.
//!
//! [`rest`] pushes the registers that a function must keep, stores the stack pointer and the rest of the
//! processor's state in a fixed place, tells the warden with one byte that the cell stands here, and
//! blocks in read(2). Meanwhile the warden writes the memory of the first call over the present one.
//! After the read nothing that was in a register counts: the instructions load the stack pointer and all
//! else from the fixed place, which has the values of the first call again, pop the registers and return:
//! to the caller of the first call, whatever has happened since.
//!
//! A handler that has broken out of V8 may have gone to this place, or to another, by its own way. So the
//! warden looks where the cell waits ([`super::image::position`]) before it believes that byte.
//!
//! An order of the warden has two words: an address and a length to unmap; the address 0, which asks the
//! cell to say again that it stands here; or the length 0, which ends the wait.

use std::{
    os::fd::RawFd,
    sync::atomic::{AtomicU32, Ordering},
};

/// The byte with which a cell says that it stands at its checkpoint.
pub(crate) const HERE: u8 = b'h';

/// An order of the warden.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// Remove the mappings of these bytes: address and length, neither of them 0.
    Unmap(u64, u64),
    /// Say once more [`HERE`].
    Answer,
    /// Do the next run.
    Go,
}

impl Order {
    /// Its two words.
    pub(crate) fn bytes(self) -> [u8; 16] {
        let (address, length) = match self {
            Self::Unmap(address, length) => (address, length),
            Self::Answer => (0, 1),
            Self::Go => (0, 0),
        };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&address.to_ne_bytes());
        bytes[8..].copy_from_slice(&length.to_ne_bytes());
        bytes
    }
}

/// Bit of `isochron_rest_features`: instructions read and write the bases of segments.
const BASES: u32 = 1;
/// Bit of `isochron_rest_features`: the processor has protection keys, and the system uses them.
const KEYS: u32 = 2;

#[expect(unsafe_code, reason = "instructions that no compiler makes")]
mod instructions {
    use std::{arch::global_asm, os::fd::RawFd, sync::atomic::AtomicU32};
    global_asm!(
        ".pushsection .bss.isochron_rest, \"aw\", @nobits",
        ".balign 4096",
        "isochron_rest_order: .skip 16",
        "isochron_rest_stack: .skip 8",
        "isochron_rest_flags: .skip 8",
        "isochron_rest_fs: .skip 8",
        "isochron_rest_gs: .skip 8",
        "isochron_rest_control: .skip 4",
        "isochron_rest_vectors: .skip 4",
        "isochron_rest_floats: .skip 4",
        "isochron_rest_keys: .skip 4",
        ".globl isochron_rest_features",
        "isochron_rest_features: .skip 4032",
        ".popsection",
        ".pushsection .text.isochron_rest, \"ax\", @progbits",
        ".balign 16",
        ".globl isochron_rest",
        ".type isochron_rest, @function",
        "isochron_rest:",
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rip + isochron_rest_stack], rsp",
        "pushfq",
        "pop [rip + isochron_rest_flags]",
        "mov [rip + isochron_rest_control], edi",
        "stmxcsr [rip + isochron_rest_vectors]",
        "fnstcw [rip + isochron_rest_floats]",
        "test byte ptr [rip + isochron_rest_features], 1",
        "jz 2f",
        "rdfsbase rax",
        "mov [rip + isochron_rest_fs], rax",
        "rdgsbase rax",
        "mov [rip + isochron_rest_gs], rax",
        "2:",
        "test byte ptr [rip + isochron_rest_features], 2",
        "jz 3f",
        "xor ecx, ecx",
        "rdpkru",
        "mov [rip + isochron_rest_keys], eax",
        // write(control, order, 1)
        "3:",
        "mov byte ptr [rip + isochron_rest_order], 0x68",
        "mov eax, 1",
        "mov edi, [rip + isochron_rest_control]",
        "lea rsi, [rip + isochron_rest_order]",
        "mov edx, 1",
        "syscall",
        "cmp rax, -4",
        "je 3b",
        // read(control, order, 16)
        "4:",
        "xor eax, eax",
        "mov edi, [rip + isochron_rest_control]",
        "lea rsi, [rip + isochron_rest_order]",
        "mov edx, 16",
        "syscall",
        "cmp rax, -4",
        "je 4b",
        "cmp rax, 16",
        "jne 8f",
        // The state of the first call.
        "mov rsp, [rip + isochron_rest_stack]",
        "test byte ptr [rip + isochron_rest_features], 1",
        "jz 5f",
        "mov rax, [rip + isochron_rest_fs]",
        "wrfsbase rax",
        "mov rax, [rip + isochron_rest_gs]",
        "wrgsbase rax",
        "5:",
        "test byte ptr [rip + isochron_rest_features], 2",
        "jz 6f",
        "xor ecx, ecx",
        "xor edx, edx",
        "mov eax, [rip + isochron_rest_keys]",
        "wrpkru",
        "6:",
        "fninit",
        "fldcw [rip + isochron_rest_floats]",
        "ldmxcsr [rip + isochron_rest_vectors]",
        "push [rip + isochron_rest_flags]",
        "popfq",
        // The order.
        "mov rdi, [rip + isochron_rest_order]",
        "mov rsi, [rip + isochron_rest_order + 8]",
        "test rsi, rsi",
        "jz 7f",
        "test rdi, rdi",
        "jz 3b",
        // munmap(address, length)
        "mov eax, 11",
        "syscall",
        "jmp 4b",
        "7:",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        // The warden is gone: exit_group(0)
        "8:",
        "mov eax, 231",
        "xor edi, edi",
        "syscall",
        "ud2",
        ".size isochron_rest, . - isochron_rest",
        ".popsection",
    );

    unsafe extern "C" {
        pub(super) fn isochron_rest(control: RawFd);
        pub(super) static isochron_rest_features: AtomicU32;
    }
}

/// Waits at the checkpoint. Returns to the caller of the **first** call each time; a later call of the
/// same process does not return to its own caller.
#[expect(unsafe_code, reason = "instructions that no compiler makes")]
pub(crate) fn rest(control: RawFd) {
    // SAFETY: the word is there as long as the program, and the instructions only read it.
    let features: &AtomicU32 = unsafe { &instructions::isochron_rest_features };
    features.store(bases() | keys(), Ordering::Relaxed);
    // SAFETY: the instructions keep the registers of the C calling convention. The warden puts the
    // memory of the first call back before it ends a later wait.
    unsafe { instructions::isochron_rest(control) }
}

/// Whether a process can move the bases of its segments without a system call.
pub(crate) fn has_bases() -> bool {
    bases() != 0
}

/// [`BASES`], if the kernel allows the instructions (`HWCAP2_FSGSBASE`). Without them only a system call
/// that the sandbox refuses changes the bases.
#[expect(unsafe_code, reason = "rustix names other capabilities of the processor")]
fn bases() -> u32 {
    // SAFETY: an unknown entry reads as 0.
    let capabilities = unsafe { libc::getauxval(libc::AT_HWCAP2) };
    if capabilities & 2 == 0 { 0 } else { BASES }
}

/// [`KEYS`], if `rdpkru` and `wrpkru` exist (CPUID leaf 7, OSPKE).
fn keys() -> u32 {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    let has_leaf = __cpuid(0).eax >= 7;
    if has_leaf && __cpuid_count(7, 0).ecx & (1 << 4) != 0 { KEYS } else { 0 }
}
