//! The machine of the server.

use std::fs;

use crate::config::Config;

/// The name of this machine; empty if the system does not tell it.
pub(super) fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// The name under which people know this server.
pub(super) fn server_name(config: &Config) -> String {
    config.cluster.name.clone().unwrap_or_else(host_name)
}
