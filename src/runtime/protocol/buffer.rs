//! Frames as bytes.

use std::io;

use serde::{Serialize, de::DeserializeOwned};

/// The largest frame either side accepts, in bytes.
pub const MAX_FRAME: usize = 32 * 1024 * 1024;
/// Bytes of a frame's length, in front of the frame.
const HEAD: usize = 4;

/// A frame as bytes, its length in front.
///
/// # Errors
/// When it would be larger than [`MAX_FRAME`].
pub fn encode<T: Serialize>(frame: &T) -> io::Result<Vec<u8>> {
    let mut bytes = postcard::to_extend(frame, vec![0; HEAD]).map_err(io::Error::other)?;
    let length = bytes.len() - HEAD;
    if length > MAX_FRAME {
        return Err(io::Error::other(format!("a frame of {length} bytes is over {MAX_FRAME}")));
    }
    bytes[..HEAD].copy_from_slice(&u32::try_from(length).map_err(io::Error::other)?.to_le_bytes());
    Ok(bytes)
}

/// A frame's bytes, without the length, as a value.
///
/// # Errors
/// When the bytes are no frame, or more than one.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let (frame, rest) = postcard::take_from_bytes(bytes).map_err(|e| invalid(e.to_string()))?;
    if rest.is_empty() { Ok(frame) } else { Err(invalid(format!("a frame ends {} bytes early", rest.len()))) }
}

/// The received bytes of a stream of frames. Holds no more memory than has been received: an
/// announced length reserves nothing.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    /// The bytes of frames that were taken. They go when room is made for others, not at every
    /// frame: a runner may send thousands of small ones at once, and each would move the rest.
    taken: usize,
}

impl FrameBuffer {
    /// The next frame, if all of it is there.
    ///
    /// # Errors
    /// When the length is over [`MAX_FRAME`] or the bytes are no frame.
    pub fn next_frame<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let waiting = self.bytes.get(self.taken..).unwrap_or_default();
        let Some((head, rest)) = waiting.split_first_chunk::<HEAD>() else { return Ok(None) };
        let length = u32::from_le_bytes(*head) as usize;
        if length > MAX_FRAME {
            return Err(io::Error::other(format!("a frame announces {length} bytes, over {MAX_FRAME}")));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let frame = decode(body)?;
        self.taken += HEAD + length;
        Ok(Some(frame))
    }

    /// Whether no byte waits, not even a part of a frame.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    /// The buffer, for more bytes behind those that wait.
    pub fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::protocol::FromRunner;

    fn ready(engine: &str) -> Vec<u8> {
        encode(&FromRunner::Ready { engine: engine.to_owned(), sandbox: None, process: None })
            .expect("encodes")
    }

    fn engines(buffer: &mut FrameBuffer) -> Vec<String> {
        let next = || match buffer.next_frame().expect("frames") {
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
            let mut buffer = FrameBuffer::default();
            buffer.room().extend(&stream[..cut]);
            let mut found = engines(&mut buffer);
            buffer.room().extend(&stream[cut..]);
            found.extend(engines(&mut buffer));
            assert_eq!(found, ["one", "", "three"], "cut at {cut}");
            assert!(buffer.room().is_empty(), "cut at {cut}");
        }
    }

    #[test]
    fn bytes_that_wait_are_not_moved_by_the_frames_before_it() {
        let mut buffer = FrameBuffer::default();
        buffer.room().extend([ready("one"), ready("two")].concat());
        let before = buffer.bytes.as_ptr_range();
        assert!(matches!(buffer.next_frame(), Ok(Some(FromRunner::Ready { .. }))));
        assert_eq!(buffer.bytes.as_ptr_range(), before);
    }

    #[test]
    fn bytes_that_are_no_frame_are_an_error() {
        for bytes in [&[0xff; 4][..], &[0, 0, 0, 0], &[1, 0, 0, 0, 0xff]] {
            let mut buffer = FrameBuffer::default();
            buffer.room().extend(bytes);
            assert!(buffer.next_frame::<FromRunner>().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn bytes_after_a_frame_within_its_length_are_an_error() {
        let bytes = encode(&FromRunner::OutputCut).expect("encodes");
        assert!(matches!(decode(&bytes[4..]), Ok(FromRunner::OutputCut)));
        assert!(decode::<FromRunner>(&[&bytes[4..], &[0]].concat()).is_err());
    }
}
