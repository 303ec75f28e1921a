//! Free space on the disk.

use std::path::Path;

/// With fewer free bytes than this, users' changes and backups are refused.
pub const LEAST_FREE: u64 = 256 * 1024 * 1024;

/// Measures the bytes free to users other than root on the file system of `directory`; `None` if the
/// system does not say.
#[must_use]
pub fn free_bytes(directory: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(directory).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}
