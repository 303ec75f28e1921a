//! The command that starts a child.

use std::process::Stdio;

use tokio::process::Command;

/// A command that starts this same binary as a runner, without the server's environment. A
/// handler's local time is UTC, wherever the server is.
pub(super) fn command() -> Command {
    // The link to the running image stays right when the file on disk is replaced.
    #[cfg(target_os = "linux")]
    let mut command = Command::new("/proc/self/exe");
    #[cfg(not(target_os = "linux"))]
    let mut command = Command::new(std::env::current_exe().unwrap_or_else(|_| "isochron".into()));
    command.arg0("isochron").arg("runner").env_clear().env("TZ", "UTC").kill_on_drop(true);
    // Ctrl-C at a terminal goes to the whole group: it is meant for the server, which decides.
    command.process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}
