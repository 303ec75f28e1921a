//! Frames: bytes from the other end of the socket, in both directions.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

use crate::runtime::protocol::{FrameBuffer, FromRunner, ToRunner, decode, encode};

/// Reads frames, with and without their length in front, and writes and reads again what it got.
pub fn frames(bytes: &[u8]) {
    read::<ToRunner>(bytes);
    read::<FromRunner>(bytes);
}

fn read<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    let mut buffer = FrameBuffer::default();
    buffer.room().extend_from_slice(bytes);
    while let Ok(Some(frame)) = buffer.next_frame::<T>() {
        again(&frame);
    }
    if let Ok(frame) = decode::<T>(bytes) {
        again(&frame);
    }
}

/// The frame comes back from its bytes, and from all of them only.
fn again<T: Serialize + DeserializeOwned + Debug>(frame: &T) {
    let bytes = encode(frame).expect("what was small enough to be read can be written");
    let mut buffer = FrameBuffer::default();
    buffer.room().extend_from_slice(&bytes[..bytes.len() - 1]);
    assert!(matches!(buffer.next_frame::<T>(), Ok(None)), "a frame was read without its last byte");
    buffer.room().extend_from_slice(&bytes[bytes.len() - 1..]);
    let back: T = buffer.next_frame().expect("its own bytes").expect("a frame");
    assert!(buffer.room().is_empty(), "bytes are left");
    assert_eq!(encode(&back).ok(), Some(bytes.clone()));
    assert_eq!(format!("{back:?}"), format!("{frame:?}"));
}
