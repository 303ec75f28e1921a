//! What a runner has sent and nobody has read yet.

use std::io;

use serde::de::DeserializeOwned;

use crate::runtime::protocol::{decode, frame_length};

/// Bytes of a stream of frames.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// So many of them have been taken as frames. They go when room is made for others, not at every
    /// frame: a runner may send thousands of small ones at once, and each would move the rest.
    taken: usize,
}

impl Inbox {
    /// The next frame, if all of it is there.
    ///
    /// # Errors
    /// When the bytes are no frame.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let waiting = self.bytes.get(self.taken..).unwrap_or_default();
        let Some((head, rest)) = waiting.split_first_chunk::<4>() else { return Ok(None) };
        let length = frame_length(*head)?;
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let frame = decode(body)?;
        self.taken += 4 + length;
        Ok(Some(frame))
    }

    /// Where more bytes are put, behind those that wait.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::protocol::{FromRunner, encode};

    fn ready(engine: &str) -> Vec<u8> {
        encode(&FromRunner::Ready { engine: engine.to_owned(), cage: None }).expect("encodes")
    }

    fn engines(inbox: &mut Inbox) -> Vec<String> {
        let next = || match inbox.next().expect("frames") {
            Some(FromRunner::Ready { engine, .. }) => Some(engine),
            other => {
                assert!(other.is_none(), "{other:?}");
                None
            }
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn frames_come_out_as_they_went_in_wherever_the_stream_was_cut() {
        let stream = [ready("one"), ready(""), ready("three")].concat();
        for cut in 0..=stream.len() {
            let mut inbox = Inbox::default();
            inbox.room().extend(&stream[..cut]);
            let mut found = engines(&mut inbox);
            inbox.room().extend(&stream[cut..]);
            found.extend(engines(&mut inbox));
            assert_eq!(found, ["one", "", "three"], "cut at {cut}");
            assert!(inbox.room().is_empty(), "cut at {cut}");
        }
    }

    #[test]
    fn what_waits_is_not_moved_by_the_frames_before_it() {
        let mut inbox = Inbox::default();
        inbox.room().extend([ready("one"), ready("two")].concat());
        let place = inbox.bytes.as_ptr_range();
        assert!(matches!(inbox.next(), Ok(Some(FromRunner::Ready { .. }))));
        assert_eq!(inbox.bytes.as_ptr_range(), place);
    }

    #[test]
    fn bytes_that_are_no_frame_are_an_error() {
        for bytes in [&[0xff; 4][..], &[0, 0, 0, 0], &[1, 0, 0, 0, 0xff]] {
            let mut inbox = Inbox::default();
            inbox.room().extend(bytes);
            assert!(inbox.next::<FromRunner>().is_err(), "{bytes:?}");
        }
    }
}
