//! Figures of the server's process, as the clients of Prometheus name them.

use std::fs;

use super::registry::Figures;

/// Clock ticks per second in `/proc`, the same on every Linux of today (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

/// Adds the figures of the process; those that the system does not tell are left out.
pub(super) fn add_to(figures: &mut Figures) {
    // See proc_pid_stat(5): after the name in parentheses, field 14 and 15 are the time of the CPU,
    // 22 is the start since the boot, 24 are resident pages.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_ascii_whitespace().map(|word| word.parse().unwrap_or(0.0)).collect())
        .unwrap_or_default();
    let field = |number: usize| fields.get(number - 3).copied();
    if let (Some(user), Some(system)) = (field(14), field(15)) {
        figures.counter("process_cpu_seconds", "CPU time of the server's process", (user + system) / TICKS);
    }
    if let Some(pages) = field(24) {
        let bytes = pages * rustix::param::page_size() as f64;
        figures.gauge("process_resident_memory_bytes", "Resident memory of the server's process", bytes);
    }
    if let (Some(started), Some(boot)) = (field(22), boot_time()) {
        let time = boot + started / TICKS;
        figures.gauge(
            "process_start_time_seconds",
            "Start of the server's process, in seconds since 1970",
            time,
        );
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        figures.gauge("process_open_fds", "Open files of the server's process", open.count() as f64);
    }
    if let Some(most) = most_open_files() {
        figures.gauge("process_max_fds", "Open files that the server's process may have", most);
    }
}

fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn most_open_files() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
