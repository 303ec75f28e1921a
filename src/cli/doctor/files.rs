//! The disk, the modes of files that hold secrets, and the handlers' folder.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use isochron::{
    clock::random_token,
    config::Config,
    handlers::files::Files,
    store::disk::{LEAST_FREE, free_bytes},
};

use super::{Line, measure};

/// Writes of the probe of the disk.
const SYNCS: usize = 100;
/// A slower sync at the 99th percentile is named, in milliseconds.
const SLOW_SYNC: f64 = 50.0;
/// With less free space than this a warning is due, in bytes.
const LITTLE: u64 = 4 * LEAST_FREE;
/// Fewer free files than this are few.
const FEW_FILES: u64 = 10_000;

/// The nearest folder that exists on the way to a path.
fn existing(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

pub(super) fn look_at_disk(data: &Path) -> Vec<Line> {
    let folder = existing(data);
    let mut lines = vec![match probe(&folder) {
        Ok(times) => describe_syncs(times),
        Err(error) => Line::bad(
            "disk",
            format!("{} cannot be written: {error}", folder.display()),
            "run as the user that the server runs as, or give that user the folder",
        ),
    }];
    lines.extend(free_bytes(&folder).map(|free| describe_space(&folder, free)));
    if let Ok(space) = rustix::fs::statvfs(&folder)
        && space.f_files > 0
        && space.f_favail < FEW_FILES
    {
        let found = format!("{} files more fit on the file system of {}", space.f_favail, folder.display());
        lines.push(Line::better("disk", found, "remove files, or make a file system with more inodes"));
    }
    lines
}

fn describe_space(folder: &Path, free: u64) -> Line {
    let found = format!("{} MiB are free at {}", free >> 20, folder.display());
    let mend = format!("make room: with less than {} MiB, changes and backups are refused", LEAST_FREE >> 20);
    match free {
        0..LEAST_FREE => Line::bad("space", found, mend),
        LEAST_FREE..LITTLE => Line::better("space", found, mend),
        _ => Line::ok("space", found),
    }
}

/// Milliseconds of each of some small durable writes.
fn probe(folder: &Path) -> io::Result<Vec<f64>> {
    let path = folder.join(format!(".isochron-doctor-{}", random_token()));
    let times = (|| {
        let mut file = File::options().write(true).create_new(true).open(&path)?;
        (0..SYNCS)
            .map(|_| {
                let (written, took) =
                    measure(|| file.write_all(&[b'x'; 512]).and_then(|()| file.sync_data()));
                written.map(|()| took)
            })
            .collect()
    })();
    // It may not be there.
    let _ = fs::remove_file(&path);
    times
}

fn describe_syncs(mut times: Vec<f64>) -> Line {
    times.sort_by(f64::total_cmp);
    let [p50, p99] = [50, 99].map(|part| times.get(times.len() * part / 100).copied().unwrap_or_default());
    let found = format!("a durable write takes {p50:.2} ms, {p99:.2} ms at the 99th percentile");
    if p99 <= SLOW_SYNC {
        return Line::ok("disk", found);
    }
    let mend = "each run waits for two of them: put --data on a faster disk, not on a network's";
    Line::better("disk", found, mend)
}

pub(super) fn look_at_modes(data: &Path) -> Vec<Line> {
    let Ok(folder) = fs::metadata(data) else {
        return vec![Line::ok("files", format!("{} is not there yet: the server makes it", data.display()))];
    };
    let mut lines = Vec::new();
    let mut check = |path: &Path, mode: u32, wanted: u32| {
        if mode & 0o077 != 0 {
            let found = format!("others may reach {} (mode {:03o})", path.display(), mode & 0o777);
            lines.push(Line::bad("files", found, format!("chmod {wanted:o} {}", path.display())));
        }
    };
    check(data, folder.permissions().mode(), 0o700);
    for name in ["admin-token", "secret-key"] {
        let path = data.join(name);
        if let Ok(found) = fs::metadata(&path) {
            check(&path, found.permissions().mode(), 0o600);
        }
    }
    if lines.is_empty() {
        lines.push(Line::ok("files", format!("{} is for its owner only", data.display())));
    }
    lines
}

pub(super) fn look_at_tasks(config: &Config) -> Vec<Line> {
    let folder = config.tasks.display();
    if !config.tasks.is_dir() {
        let found = format!("there is no folder {folder} for handlers");
        return vec![Line::better("handlers", found, "isochron init, or --tasks DIR")];
    }
    let files = Files::new(&config.tasks);
    let listed = files.list();
    let broken: Vec<_> = listed.iter().filter_map(|file| file.source.as_ref().err()).collect();
    if let Some(first) = broken.first() {
        let found = format!("{} of {} files cannot be read: {first}", broken.len(), listed.len());
        return vec![Line::bad("handlers", found, "isochron check tells about each of them")];
    }
    vec![Line::ok("handlers", format!("{} in {folder}; isochron check loads them", listed.len()))]
}
