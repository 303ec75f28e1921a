//! Recent: the last ended occurrences of a task, packed into a few bytes of its record, so that a list of
//! tasks reads no execution.
//!
//! The newest occurrence comes first. Each takes two numbers of seven bits a byte: the length of its last
//! attempt with its outcome in the lowest two bits, and its start as the difference from the start before
//! (of the first: from 0), its sign in the lowest bit.

use std::fmt;

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Millis;

/// The most occurrences that are kept.
pub const KEPT: usize = 30;
/// The longest length that is kept, in milliseconds: beyond every timeout.
const LONGEST: Millis = 1 << 52;

/// The end of an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastOutcome {
    /// Its handler succeeded.
    Completed,
    /// Its attempts were used up.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// The last ended occurrences of a task that had an attempt; skipped ones are not among them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Recent(Vec<u8>);

/// An ended occurrence, by its last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// The outcome.
    pub status: LastOutcome,
    /// The start of the last attempt, epoch milliseconds.
    pub start: Millis,
    /// Milliseconds; `None` if they are not known.
    pub duration: Option<Millis>,
}

/// The figures over a task's ended occurrences, as its document shows them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Milliseconds that half of the recent completed occurrences did not exceed.
    pub p50: Option<Millis>,
    /// Milliseconds that 95 % of the recent completed occurrences did not exceed.
    pub p95: Option<Millis>,
    /// Failed occurrences since the last completed one.
    pub streak: u32,
    /// Epoch milliseconds at which an occurrence completed last.
    pub last_success: Option<Millis>,
    /// Epoch milliseconds at which an occurrence failed last.
    pub last_failure: Option<Millis>,
    /// Occurrences that have ended, skipped ones apart.
    pub runs: u64,
}

impl Recent {
    /// Whether no occurrence has ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The occurrences, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Ended> {
        let (mut bytes, mut start) = (self.0.as_slice(), 0);
        let mut ended = Vec::new();
        while let Some((status, duration, back)) = read_ended(&mut bytes) {
            start = back.wrapping_add(start);
            ended.push(Ended { status, start, duration });
        }
        ended
    }

    /// Adds an occurrence as the newest, and drops the oldest beyond [`KEPT`].
    pub fn add(&mut self, newest: Ended) {
        let mut packed = Vec::with_capacity(self.0.len() + 8);
        let mut before = 0;
        for ended in [newest].into_iter().chain(self.list()).take(KEPT) {
            let duration = ended.duration.map_or(0, |duration| duration.clamp(0, LONGEST) + 1);
            write(&mut packed, duration.unsigned_abs() << 2 | outcome_bits(ended.status));
            write(&mut packed, zigzag(ended.start.wrapping_sub(before)));
            before = ended.start;
        }
        self.0 = packed;
    }

    /// The length in milliseconds that a part of the completed occurrences did not exceed; `percent` is from 1
    /// to 100.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Option<Millis> {
        let completed = self.list().into_iter().filter(|ended| ended.status == LastOutcome::Completed);
        let mut lengths: Vec<_> = completed.filter_map(|ended| ended.duration).collect();
        lengths.sort_unstable();
        let rank = (lengths.len() * percent).div_ceil(100);
        lengths.get(rank.saturating_sub(1)).copied()
    }
}

fn outcome_bits(outcome: LastOutcome) -> u64 {
    match outcome {
        LastOutcome::Completed => 0,
        LastOutcome::Failed => 1,
        LastOutcome::Cancelled => 2,
    }
}

/// The outcome, the length and the difference of the starts.
fn read_ended(bytes: &mut &[u8]) -> Option<(LastOutcome, Option<Millis>, Millis)> {
    let length = read(bytes)?;
    let status = match length & 3 {
        0 => LastOutcome::Completed,
        1 => LastOutcome::Failed,
        _ => LastOutcome::Cancelled,
    };
    let duration = (length >> 2).checked_sub(1).and_then(|duration| Millis::try_from(duration).ok());
    Some((status, duration, unzigzag(read(bytes)?)))
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or_default());
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

impl Serialize for Recent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Recent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text.as_bytes()).map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_ended() -> impl Strategy<Value = Ended> {
        let status =
            prop::sample::select(vec![LastOutcome::Completed, LastOutcome::Failed, LastOutcome::Cancelled]);
        (status, any::<i64>(), prop::option::of(0..=LONGEST)).prop_map(|(status, start, duration)| Ended {
            status,
            start,
            duration,
        })
    }

    proptest! {
        #[test]
        fn the_newest_thirty_come_back_as_they_were(all in prop::collection::vec(any_ended(), 0..40)) {
            let mut recent = Recent::default();
            all.iter().for_each(|ended| recent.add(*ended));
            let expected: Vec<_> = all.iter().rev().take(KEPT).copied().collect();
            prop_assert_eq!(recent.list(), expected);
            let text = serde_json::to_string(&recent).expect("it encodes");
            prop_assert_eq!(serde_json::from_str::<Recent>(&text).expect("it decodes"), recent);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let mut recent = Recent(bytes);
            recent.add(Ended { status: LastOutcome::Failed, start: 5, duration: None });
            prop_assert_eq!(recent.list()[0].start, 5);
        }
    }

    #[test]
    fn thirty_hourly_runs_take_less_than_two_hundred_bytes() {
        let mut recent = Recent::default();
        for n in 0..40 {
            let start = 1_790_000_000_000 + n * 3_600_000;
            recent.add(Ended { status: LastOutcome::Completed, start, duration: Some(900 + n) });
        }
        assert!(recent.0.len() < 200, "{}", recent.0.len());
    }

    #[test]
    fn percentiles_are_those_of_completed_occurrences_alone() {
        let mut recent = Recent::default();
        assert_eq!(recent.percentile(50), None);
        for duration in 1..=20 {
            recent.add(Ended { status: LastOutcome::Completed, start: 0, duration: Some(duration) });
        }
        recent.add(Ended { status: LastOutcome::Failed, start: 0, duration: Some(9999) });
        recent.add(Ended { status: LastOutcome::Completed, start: 0, duration: None });
        assert_eq!((recent.percentile(50), recent.percentile(95)), (Some(10), Some(19)));
        assert_eq!(recent.percentile(100), Some(20));
    }
}
