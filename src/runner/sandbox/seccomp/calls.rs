//! The tables of system calls (syscalls(2)). Rules that read an argument are in the parent
//! module. The `_OLD` tables hold calls that newer architectures do not have.

use libc::*;

/// Not in the libc crate for every architecture; numbers from 424 on are the same for all.
const SYS_FCHMODAT2: i64 = 452;

/// Memory, time, threads, and descriptors that are open already.
pub(crate) const NEEDED: &[i64] = &[
    // memory
    SYS_brk,
    SYS_madvise,
    SYS_mmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_munmap,
    SYS_pkey_alloc,
    SYS_pkey_free,
    SYS_pkey_mprotect,
    // threads
    SYS_exit,
    SYS_exit_group,
    SYS_futex,
    SYS_get_robust_list,
    SYS_getcpu,
    SYS_getpid,
    SYS_gettid,
    SYS_membarrier,
    SYS_restart_syscall,
    SYS_rseq,
    SYS_sched_get_priority_max,
    SYS_sched_get_priority_min,
    SYS_sched_getaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_sched_yield,
    SYS_set_robust_list,
    // signals
    SYS_rt_sigaction,
    SYS_rt_sigpending,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    // time, and facts about the machine
    SYS_clock_getres,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_getrandom,
    SYS_getrlimit,
    SYS_getrusage,
    SYS_gettimeofday,
    SYS_nanosleep,
    SYS_sysinfo,
    SYS_times,
    SYS_uname,
    // open descriptors
    SYS_close,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_eventfd2,
    SYS_fstat,
    SYS_lseek,
    SYS_ppoll,
    SYS_read,
    SYS_readv,
    SYS_recvfrom,
    SYS_write,
    SYS_writev,
    // installs the second and third filter; the third forbids it
    SYS_seccomp,
];

/// What a cell that puts its memory back calls while handlers run: nothing that leaves a mark in the
/// kernel which its warden would not see. It starts no thread, opens and closes no descriptor, and sets no
/// handler of a signal, mask or name.
pub(crate) const CELL: &[i64] = &[
    // memory: changes of mappings are seen, and changes of pages put back
    SYS_brk,
    SYS_mmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_munmap,
    // threads
    SYS_exit_group,
    SYS_futex,
    SYS_getcpu,
    SYS_getpid,
    SYS_gettid,
    SYS_restart_syscall,
    SYS_sched_getaffinity,
    SYS_sched_yield,
    // time, and facts about the machine
    SYS_clock_getres,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_getrandom,
    SYS_getrusage,
    SYS_gettimeofday,
    SYS_nanosleep,
    SYS_sysinfo,
    // open descriptors
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_fstat,
    SYS_ppoll,
    SYS_read,
    SYS_recvfrom,
    SYS_write,
    SYS_writev,
    // installs the second and third filter; the third forbids it
    SYS_seccomp,
];

/// madvise(2) in a cell: what takes pages away, which is seen, and what means nothing without fork(2).
pub(crate) const CELL_ADVICE: [i32; 3] = [MADV_DONTNEED, MADV_FREE, MADV_DONTFORK];

/// prctl(2) in a cell: the flag that every filter needs.
pub(crate) const CELL_PRCTL: [i32; 1] = [PR_SET_NO_NEW_PRIVS];

/// clone(2), the flags that glibc and musl make a thread with.
pub(crate) const THREAD_FLAGS: u64 = (CLONE_VM
    | CLONE_FS
    | CLONE_FILES
    | CLONE_SIGHAND
    | CLONE_THREAD
    | CLONE_SYSVSEM
    | CLONE_SETTLS
    | CLONE_PARENT_SETTID
    | CLONE_CHILD_CLEARTID
    | CLONE_DETACHED) as u64;

/// prctl(2): names of threads and of memory, and the flag that every filter needs.
pub(crate) const PRCTL: [i32; 4] = [PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_SET_NO_NEW_PRIVS];

/// fcntl(2): reading only. `F_SETOWN` would have the kernel send signals.
pub(crate) const FCNTL: [i32; 2] = [F_GETFD, F_GETFL];

/// Calls that read a file or its metadata by path.
pub(crate) const PATHS: &[i64] = &[
    SYS_chdir,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_getcwd,
    SYS_newfstatat,
    SYS_openat,
    SYS_readlinkat,
    SYS_statfs,
    SYS_statx,
];

/// Calls that only an intruder makes.
pub(crate) const FORBIDDEN: &[i64] = &[
    // sockets
    SYS_accept,
    SYS_accept4,
    SYS_bind,
    SYS_connect,
    SYS_listen,
    SYS_socket,
    SYS_socketpair,
    // other programs, other processes
    SYS_execve,
    SYS_execveat,
    SYS_kcmp,
    SYS_pidfd_getfd,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_process_madvise,
    SYS_process_mrelease,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_ptrace,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_tkill,
    // files, to write or by other means than a path
    SYS_fanotify_init,
    SYS_fanotify_mark,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_FCHMODAT2,
    SYS_fchown,
    SYS_fchownat,
    SYS_inotify_add_watch,
    SYS_inotify_init1,
    SYS_linkat,
    SYS_memfd_create,
    SYS_memfd_secret,
    SYS_mkdirat,
    SYS_mknodat,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_openat2,
    SYS_renameat2,
    SYS_symlinkat,
    SYS_truncate,
    SYS_unlinkat,
    SYS_utimensat,
    // mounts and namespaces
    SYS_chroot,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fsopen,
    SYS_fspick,
    SYS_mount,
    SYS_mount_setattr,
    SYS_move_mount,
    SYS_open_tree,
    SYS_pivot_root,
    SYS_setns,
    SYS_umount2,
    SYS_unshare,
    // wide parts of the kernel
    SYS_add_key,
    SYS_bpf,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_io_uring_setup,
    SYS_keyctl,
    SYS_perf_event_open,
    SYS_request_key,
    SYS_userfaultfd,
    // this process's own rights
    SYS_capset,
    SYS_personality,
    SYS_seccomp,
    SYS_setfsgid,
    SYS_setfsuid,
    SYS_setgid,
    SYS_setgroups,
    SYS_setregid,
    SYS_setresgid,
    SYS_setresuid,
    SYS_setreuid,
    SYS_setuid,
    // the machine
    SYS_acct,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_clock_settime,
    SYS_delete_module,
    SYS_finit_module,
    SYS_init_module,
    SYS_kexec_file_load,
    SYS_kexec_load,
    SYS_quotactl,
    SYS_quotactl_fd,
    SYS_reboot,
    SYS_setdomainname,
    SYS_sethostname,
    SYS_settimeofday,
    SYS_swapoff,
    SYS_swapon,
    SYS_syslog,
];

#[cfg(target_arch = "x86_64")]
mod old {
    use libc::*;

    pub(crate) const NEEDED_OLD: &[i64] = &[SYS_epoll_wait, SYS_poll, SYS_time];

    pub(crate) const CELL_OLD: &[i64] = &[SYS_epoll_wait, SYS_poll, SYS_time];

    pub(crate) const PATHS_OLD: &[i64] = &[SYS_access, SYS_lstat, SYS_open, SYS_readlink, SYS_stat];

    pub(crate) const FORBIDDEN_OLD: &[i64] = &[
        SYS_chmod,
        SYS_chown,
        SYS_creat,
        SYS_fork,
        SYS_inotify_init,
        SYS_ioperm,
        SYS_iopl,
        SYS_lchown,
        SYS_link,
        SYS_mkdir,
        SYS_mknod,
        SYS_modify_ldt,
        SYS_rename,
        SYS_renameat,
        SYS_rmdir,
        SYS_symlink,
        SYS_unlink,
        SYS_utime,
        SYS_utimes,
        SYS_vfork,
    ];
}

#[cfg(target_arch = "aarch64")]
mod old {
    pub(crate) const NEEDED_OLD: &[i64] = &[];
    pub(crate) const CELL_OLD: &[i64] = &[];
    pub(crate) const PATHS_OLD: &[i64] = &[];
    pub(crate) const FORBIDDEN_OLD: &[i64] = &[libc::SYS_renameat];
}

pub(crate) use old::{CELL_OLD, FORBIDDEN_OLD, NEEDED_OLD, PATHS_OLD};
