//! Room on the disk.

use std::path::Path;

/// Changes that users ask for and backups are refused below this many free bytes.
pub const LEAST_FREE: u64 = 256 * 1024 * 1024;

/// Free bytes for others than root where `directory` lies; `None` where that cannot be asked.
#[must_use]
pub fn free_bytes(directory: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(directory).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}
