//! Writes of the figures of activity.

use crate::{
    domain::{
        Millis,
        activity::{Bucket, Size},
    },
    store::{
        Span, StoreError,
        figures::{self, Buckets, REMOVED_AT_ONCE},
        sled::{
            engine::{figures as figure_keys, record, txn::Txn},
            write::writer::Writer,
        },
    },
};

impl Buckets for Txn<'_> {
    fn read(&self, span: Span, start: Millis) -> Result<Option<Bucket>, StoreError> {
        Ok(self.get(&figure_keys::activity(span, start))?.and_then(|bytes| record::decode(&bytes).ok()))
    }

    fn write(&mut self, span: Span, bucket: &Bucket) -> Result<(), StoreError> {
        self.put_record(figure_keys::activity(span, bucket.start), bucket)
    }

    fn remove_before(&mut self, size: Size, time: Millis) -> Result<(), StoreError> {
        for key in self.keys(figure_keys::activity_between(size, Millis::MIN, time), REMOVED_AT_ONCE)? {
            self.remove(key);
        }
        Ok(())
    }
}

impl Writer {
    /// Adds the ends of the group to the figures, as a part of the group. Figures that cannot be written
    /// are lost; the changes that they count are not.
    pub(crate) fn keep_activity(&mut self) {
        if self.activity.is_empty() {
            return;
        }
        let (tally, now) = (std::mem::take(&mut self.activity), (self.now)());
        if let Err(error) = self.in_txn(|txn| figures::add(txn, now, &tally)) {
            tracing::error!(%error, "the figures of activity cannot be kept");
        }
    }
}
