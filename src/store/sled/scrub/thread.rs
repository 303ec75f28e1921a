//! The rest of the check, beside the work: one small part of it at a time, and rests in between
//! that keep its share of a core at about a hundredth.

use std::{thread, time::Duration};

use tokio::sync::{mpsc, oneshot};

use crate::{
    allocator,
    store::sled::write::writer::{Op, operation},
};

/// Between two parts, which take some two milliseconds each.
pub(crate) const PAUSE: Duration = Duration::from_millis(150);

/// Asks for one part after the other until all is checked or the store is closed.
pub(crate) fn check(ops: &mpsc::WeakSender<Op>, pause: Duration) {
    // Whoever holds the store alone keeps it open.
    while let Some(asked) = ops.upgrade() {
        let (reply, answer) = oneshot::channel();
        if asked.blocking_send(operation(reply, |writer| writer.scrub().map(Some))).is_err() {
            return;
        }
        drop(asked);
        if !matches!(answer.blocking_recv(), Ok(Ok(true))) {
            allocator::give_back();
            return;
        }
        thread::sleep(pause);
    }
}
