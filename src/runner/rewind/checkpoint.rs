//! The checkpoint: the place at which a cell waits while its memory is put back.
//!
//! The instructions keep everything that must outlast the wait in registers. [`rest`] pushes the
//! registers that a function must keep, stores the stack pointer in a fixed place, tells the warden with
//! one byte that the cell stands here, and blocks in read(2). Meanwhile the warden writes the memory of
//! the first call over the present one. After the read the instructions load the stack pointer from its
//! fixed place, which has the value of the first call again, pop the registers and return: to the caller
//! of the first call, whatever has happened since.
//!
//! An order of the warden has two words: an address and a length to unmap, or the length 0, which ends
//! the wait.

use std::os::fd::RawFd;

/// The byte with which a cell says that it stands at its checkpoint.
pub(crate) const HERE: u8 = b'h';

/// The bytes of an order: an address and a length.
pub(crate) const ORDER: usize = 16;

#[expect(unsafe_code, reason = "instructions that no compiler makes")]
mod instructions {
    use std::{arch::global_asm, os::fd::RawFd};
    global_asm!(
        ".pushsection .bss.isochron_rest, \"aw\", @nobits",
        ".balign 4096",
        "isochron_rest_stack: .skip 16",
        "isochron_rest_order: .skip 4080",
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
        "lea r14, [rip + isochron_rest_stack]",
        "lea r13, [rip + isochron_rest_order]",
        "mov [r14], rsp",
        "mov r12d, edi",
        "mov byte ptr [r13], 0x68",
        // write(control, order, 1)
        "2:",
        "mov eax, 1",
        "mov edi, r12d",
        "mov rsi, r13",
        "mov edx, 1",
        "syscall",
        "cmp rax, -4",
        "je 2b",
        // read(control, order, 16)
        "3:",
        "xor eax, eax",
        "mov edi, r12d",
        "mov rsi, r13",
        "mov edx, 16",
        "syscall",
        "cmp rax, -4",
        "je 3b",
        "cmp rax, 16",
        "jne 5f",
        "mov rdi, [r13]",
        "mov rsi, [r13 + 8]",
        "test rsi, rsi",
        "jz 4f",
        // munmap(address, length)
        "mov eax, 11",
        "syscall",
        "jmp 3b",
        "4:",
        "mov rsp, [r14]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        // The warden is gone: exit_group(0)
        "5:",
        "mov eax, 231",
        "xor edi, edi",
        "syscall",
        "ud2",
        ".size isochron_rest, . - isochron_rest",
        ".popsection",
    );

    unsafe extern "C" {
        pub(super) fn isochron_rest(control: RawFd);
    }
}

/// Waits at the checkpoint. Returns to the caller of the **first** call each time; a later call of the
/// same process does not return to its own caller.
#[expect(unsafe_code, reason = "instructions that no compiler makes")]
pub(crate) fn rest(control: RawFd) {
    // SAFETY: the instructions keep the registers of the C calling convention. The warden puts the
    // memory of the first call back before it ends a later wait.
    unsafe { instructions::isochron_rest(control) }
}
