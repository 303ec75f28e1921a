//! The startup snapshot: made once by a child, then handed to every runner as sealed memory.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use super::command::command;

/// A file of memory that children inherit under the same descriptor number.
#[derive(Debug)]
pub(in crate::runtime) struct Snapshot {
    memory: OwnedFd,
}

impl Snapshot {
    /// Has a child make the snapshot.
    pub(in crate::runtime) async fn build() -> io::Result<Self> {
        let memory = memory_file()?;
        let number = memory.as_raw_fd().to_string();
        let output = command().args(["--build-snapshot-fd", &number]).output().await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!(
                "the child that makes it ended with {}: {}",
                output.status,
                said.trim()
            )));
        }
        if rustix::fs::fstat(memory.as_fd())?.st_size == 0 {
            return Err(io::Error::other("the child that makes it wrote nothing"));
        }
        seal(&memory)?;
        Ok(Self { memory })
    }

    /// The descriptor's number, in this process and in its children.
    pub(super) fn number(&self) -> String {
        self.memory.as_raw_fd().to_string()
    }
}

/// Not closed on exec: the only processes the server starts are its runners.
#[cfg(target_os = "linux")]
fn memory_file() -> io::Result<OwnedFd> {
    Ok(rustix::fs::memfd_create("isochron-snapshot", rustix::fs::MemfdFlags::ALLOW_SEALING)?)
}

#[cfg(target_os = "linux")]
fn seal(memory: &OwnedFd) -> io::Result<()> {
    use rustix::fs::SealFlags;
    Ok(rustix::fs::fcntl_add_seals(
        memory,
        SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
    )?)
}

/// Elsewhere an unnamed file does it, without the seal.
#[cfg(not(target_os = "linux"))]
fn memory_file() -> io::Result<OwnedFd> {
    let path = std::env::temp_dir().join(format!("isochron-snapshot-{}", crate::clock::random_token()));
    let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    let memory = OwnedFd::from(file);
    rustix::io::fcntl_setfd(&memory, rustix::io::FdFlags::empty())?;
    Ok(memory)
}

#[cfg(not(target_os = "linux"))]
fn seal(_memory: &OwnedFd) -> io::Result<()> {
    Ok(())
}
