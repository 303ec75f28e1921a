//! The begin of a run: it is sent behind the lease under which it was claimed.

use std::{io, sync::Arc};

use crate::{
    domain::execution::{Reason, Verdict},
    runtime::{
        Caller,
        lease::{Held, RunsUntil},
        process::Process,
        protocol::{Run, ToRunner},
    },
};

/// The lease under which a run was claimed is over.
pub(super) struct LeaseOver;

impl LeaseOver {
    pub(super) fn verdict(&self) -> Verdict {
        Verdict::failed(Reason::Lost, "the lease of the server was over before the run began")
    }
}

/// Holds a run to the lease under which it was claimed, if there is one.
pub(super) fn hold(
    lease: Option<&Arc<RunsUntil>>,
    caller: &Caller,
    process: &Process,
) -> Result<Option<Held>, LeaseOver> {
    let Some(lease) = lease else { return Ok(None) };
    let node = caller.attempt.and_then(|attempt| attempt.node);
    lease.hold(node, process.id()).map(Some).ok_or(LeaseOver)
}

/// Sends a run, behind the lease if there is one.
pub(super) async fn begin(process: &mut Process, run: Run, lease: Option<&mut Held>) -> io::Result<()> {
    if let Some(lease) = lease {
        process.send(&lease.frame()).await?;
    }
    process.send(&ToRunner::Run(Box::new(run))).await
}
