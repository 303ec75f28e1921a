//! Chunks of output: each is one append, stored in one or more records.

use std::iter::Peekable;

use super::{Bytes, EngineResult, keys, record};
use crate::domain::execution::Line;

/// The records of one chunk, in order.
pub(crate) struct Chunk {
    /// Keys and values; at least one.
    pub(crate) records: Vec<(Bytes, Bytes)>,
}

impl Chunk {
    /// The key of the first record.
    pub(crate) fn key(&self) -> &[u8] {
        self.records.first().map_or(&[], |(key, _)| key)
    }

    /// The chunk's number within its execution, from 0; `None` if the key is not one of output.
    pub(crate) fn number(&self) -> Option<u32> {
        keys::chunk_of(self.key())
    }

    /// The records that do not verify.
    pub(crate) fn damaged(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().filter(|(_, bytes)| record::payload(bytes).is_err()).map(|(key, _)| &**key)
    }

    /// Bytes of all records.
    pub(crate) fn len(&self) -> usize {
        self.records.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// The lines.
    ///
    /// # Errors
    /// When a record is missing or damaged.
    pub(crate) fn lines(&self) -> Result<Vec<Line>, record::BadRecord> {
        let mut json = Vec::new();
        for (_, bytes) in &self.records {
            json.extend_from_slice(record::payload(bytes)?);
        }
        serde_json::from_slice(&json).map_err(|e| record::BadRecord::Decode(e.to_string()))
    }
}

/// Groups the entries of a scan over output, forward or backward, into chunks.
pub(crate) fn chunks(
    entries: impl Iterator<Item = EngineResult<(Bytes, Bytes)>>,
) -> impl Iterator<Item = EngineResult<Chunk>> {
    Chunks(entries.peekable())
}

struct Chunks<I: Iterator>(Peekable<I>);

impl<I: Iterator<Item = EngineResult<(Bytes, Bytes)>>> Iterator for Chunks<I> {
    type Item = EngineResult<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.0.next()? {
            Ok(entry) => entry,
            Err(error) => return Some(Err(error)),
        };
        let chunk = first.0.get(..keys::CHUNK).map(<[u8]>::to_vec);
        let mut records = vec![first];
        let belongs = |entry: &I::Item| {
            entry.as_ref().is_ok_and(|(key, _)| chunk.is_some() && key.get(..keys::CHUNK) == chunk.as_deref())
        };
        while let Some(Ok(entry)) = self.0.next_if(belongs) {
            records.push(entry);
        }
        records.sort_unstable();
        Some(Ok(Chunk { records }))
    }
}
