//! Load checks: a handler's file is run as far as its exports, and no further.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
};

use tokio::sync::{mpsc, watch};

use super::{
    Invocation, Later,
    pool::{Ended, Pool},
    protocol::{Context, Mode},
};
use crate::{
    domain::{
        execution::{Ending, Reason},
        source::Source,
    },
    handlers::{LoadCheck, Loader},
};

/// A load check takes at most this many milliseconds.
const TIMEOUT: u64 = 5000;

impl Pool {
    async fn load_once(&self, name: &str, entry: Source) -> io::Result<Ended> {
        let (lines, _dropped) = mpsc::channel(1);
        let (_never_cancelled, cancel) = watch::channel(None);
        let invocation = Invocation {
            handler: name.to_owned(),
            attempt: None,
            live: Arc::default(),
            params: serde_json::Map::new(),
            context: Context::default(),
            not_before: 0,
            timeout: TIMEOUT,
            lines,
            cancel,
        };
        let files = self.shared.shelf.seen();
        // A user waits for the answer, which must not take as long as the runs in progress.
        if self.shared.idle.load(Ordering::Relaxed) == 0 {
            self.shared.run_apart(Mode::Load, (entry, files), invocation).await
        } else {
            Ok(self.submit(Mode::Load, (entry, files), invocation).await)
        }
    }
}

impl Loader for Pool {
    fn load<'a>(&'a self, name: &'a str, entry: Source) -> Later<'a, io::Result<LoadCheck>> {
        Box::pin(async move {
            let (mut verdict, mut modules) = self.load_once(name, entry.clone()).await?;
            if let Ending::Failed { reason: Reason::Crashed, .. } = verdict.ending {
                // The runner may have been killed from outside (the OOM killer, an operator), so try
                // once more. If the second one dies too, the handler is the cause.
                (verdict, modules) = self.load_once(name, entry).await?;
            }
            let timed_out = matches!(verdict.ending, Ending::Failed { reason: Reason::Timeout, .. });
            let error = match verdict.ending {
                Ending::Completed { .. } => None,
                Ending::Failed { error, .. } | Ending::Cancelled { error } => Some(error),
            };
            Ok(LoadCheck { error, timed_out, modules })
        })
    }
}
