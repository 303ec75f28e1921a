//! The scrub's thread: while the store serves, it asks the writer for one small part after the other, with
//! pauses that keep the scrub at about a hundredth of a core.

use std::{thread, time::Duration};

use tokio::sync::{mpsc, oneshot};

use crate::{
    allocator,
    store::sled::write::writer::{Op, operation},
};

/// The pause between two parts, which take about two milliseconds each.
pub(crate) const PAUSE: Duration = Duration::from_millis(150);

/// Asks for one part after the other until the scrub is done or the store is closed.
pub(crate) fn scrub(ops: &mpsc::WeakSender<Op>, pause: Duration) {
    // Hold no sender during a pause: the writer ends once every sender is dropped.
    while let Some(sender) = ops.upgrade() {
        let (reply, answer) = oneshot::channel();
        if sender.blocking_send(operation(reply, |writer| writer.scrub().map(Some))).is_err() {
            return;
        }
        drop(sender);
        if !matches!(answer.blocking_recv(), Ok(Ok(true))) {
            allocator::give_back();
            return;
        }
        thread::sleep(pause);
    }
}
