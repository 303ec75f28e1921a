//! The clock, the zone data, and the limits of the machine.

use std::{fs, path::Path};

use isochron::{
    clock::{Clock, Stopwatch, SystemClock},
    config::Config,
    domain::Millis,
};
use rustix::process::{Resource, getrlimit};

use super::Line;

/// A step of the wall clock beyond this is told, in milliseconds.
const JUMP: Millis = 100;
/// Open files that a server needs: connections, runners' sockets, the store.
const FILES: u64 = 1024;
/// Zone data older than this many years is told.
const OLD_ZONES: i64 = 2;
/// Milliseconds of a year.
const YEAR: Millis = 31_557_600_000;

/// Watches the wall clock beside the monotonic one.
pub(super) struct ClockWatch {
    stopwatch: Stopwatch,
    began: Millis,
}

impl ClockWatch {
    pub(super) fn start() -> Self {
        Self { stopwatch: Stopwatch::start(), began: SystemClock.now() }
    }

    pub(super) fn look(&self) -> Vec<Line> {
        let jump = SystemClock.now() - self.began - self.stopwatch.millis();
        if jump.abs() > JUMP {
            let found = format!("the clock was set by {jump} ms just now");
            return vec![Line::better("clock", found, "let a service of NTP slew it instead of setting it")];
        }
        let services = [
            ("/run/systemd/timesync/synchronized", "systemd-timesyncd"),
            ("/run/chrony/chronyd.pid", "chrony"),
            ("/run/chronyd.pid", "chrony"),
            ("/run/ntpd.pid", "ntpd"),
        ];
        vec![match services.iter().find(|(path, _)| Path::new(path).exists()) {
            Some((_, service)) => Line::ok("clock", format!("{service} keeps it")),
            None => Line::better(
                "clock",
                "no service of NTP is seen here, so runs may drift from their planned times",
                "timedatectl set-ntp true; in a container the host's clock counts",
            ),
        }]
    }
}

pub(super) fn look_at_zones() -> Vec<Line> {
    let version = chrono_tz::IANA_TZDB_VERSION;
    let year: i64 = version.get(..4).and_then(|year| year.parse().ok()).unwrap_or_default();
    let now = 1970 + SystemClock.now() / YEAR;
    vec![if now - year > OLD_ZONES {
        let found = format!("its time zones are those of {version}");
        Line::better("time zones", found, "take a newer isochron: it carries the zones")
    } else {
        Line::ok("time zones", format!("{version}, in the binary"))
    }]
}

pub(super) fn look_at_limits(config: &Config) -> Vec<Line> {
    let mut lines = Vec::new();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let max = config.runners.max;
    lines.push(if max > 4 * cores {
        let found =
            format!("runners.max is {max} on {cores} cores: runs that compute get in each other's way");
        Line::better(
            "runners",
            found,
            format!("set runners.max to {} or less, unless runs mostly wait", 4 * cores),
        )
    } else {
        Line::ok("runners", format!("at most {max} at a time on {cores} cores"))
    });
    let files = getrlimit(Resource::Nofile).current;
    if let Some(files) = files.filter(|files| *files < FILES + 8 * max as u64) {
        let found = format!("a process may open {files} files");
        let mend =
            format!("raise it to {} or more: ulimit -n, or LimitNOFILE= of the unit", FILES + 8 * max as u64);
        lines.push(Line::better("open files", found, mend));
    }
    lines.extend(available_memory().map(|available| describe_memory(config, available)));
    lines
}

fn describe_memory(config: &Config, available: u64) -> Line {
    let wanted = config.limits.resident.saturating_mul(config.runners.max as u64);
    let found = format!(
        "{} MiB are available; {} runs may take {} MiB",
        available >> 20,
        config.runners.max,
        wanted >> 20
    );
    if wanted <= available {
        return Line::ok("memory", found);
    }
    Line::better(
        "memory",
        found,
        "lower runners.max or limits.resident: the kernel would end the largest process",
    )
}

/// Bytes that the kernel could give, within the limit of the control group.
fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let machine = line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024;
    let group =
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some(group.map_or(machine, |group: u64| group.min(machine)))
}
