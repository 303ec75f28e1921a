//! The template: a child that makes one isolate, of which runners that put memory back get copies.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    process::Stdio,
    sync::Arc,
};

use tokio::{io::BufReader, process::Child};

use super::{command::command, listen, snapshot::Snapshot};
use crate::{
    domain::lock::lock,
    runtime::protocol::{self, Settings, ToRunner},
};

/// A template. It ends with this value, once the last runner that could ask it has ended.
#[derive(Debug)]
pub(in crate::runtime) struct Template {
    /// Its standard input, which has brought it the settings.
    _settings: OwnedFd,
    orders: OwnedFd,
}

impl Template {
    /// Starts a template. Runners may ask it before it stands, and make do without it if it never does.
    #[cfg(target_os = "linux")]
    pub(in crate::runtime) fn start(snapshot: &Snapshot, settings: &Settings) -> io::Result<Self> {
        use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};
        let pair = |kind, flags| socketpair(AddressFamily::UNIX, kind, flags, None);
        let (input, theirs) = pair(SocketType::STREAM, SocketFlags::CLOEXEC)?;
        // Not closed on exec: runners inherit one end. The other one goes to the template alone.
        let (orders, their_orders) = pair(SocketType::SEQPACKET, SocketFlags::empty())?;
        rustix::io::fcntl_setfd(&their_orders, rustix::io::FdFlags::CLOEXEC)?;
        let mut command = command();
        command.args(["--template-snapshot-fd", &snapshot.number()]);
        command.stdin(Stdio::from(theirs)).stdout(Stdio::from(their_orders));
        tokio::spawn(mourn(command.spawn()?));
        let start = protocol::encode(&ToRunner::Start(settings.clone()))?;
        // A new socket takes a small frame whole.
        send(&input, &start, SendFlags::NOSIGNAL)?;
        Ok(Self { _settings: input, orders })
    }

    /// The number of the descriptor of its orders, in this process and in its children.
    pub(super) fn number(&self) -> String {
        self.orders.as_raw_fd().to_string()
    }
}

/// Logs what a template writes, and its end if that is no orderly one.
async fn mourn(mut child: Child) {
    let last_words = Arc::<std::sync::Mutex<String>>::default();
    if let Some(stderr) = child.stderr.take() {
        listen(BufReader::new(stderr), child.id(), last_words.clone()).await;
    }
    if let Ok(status) = child.wait().await
        && !status.success()
    {
        let said = lock(&last_words).trim().to_owned();
        tracing::warn!(%status, said, "the template of the runners has ended: each makes one of its own");
    }
}
