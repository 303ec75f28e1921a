//! The machine of the server.

use std::fs;

/// The name of this machine; empty if the system does not tell it.
pub(super) fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
