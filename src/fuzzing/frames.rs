//! Frames: bytes received from a socket, in both directions.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

use crate::runtime::protocol::{FrameBuffer, FromRunner, ToRunner, decode, encode};

/// Reads frames, with and without their length prefix, and checks the round trip of each.
pub fn frames(bytes: &[u8]) {
    read::<ToRunner>(bytes);
    read::<FromRunner>(bytes);
}

fn read<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    let mut buffer = FrameBuffer::default();
    buffer.room().extend_from_slice(bytes);
    while let Ok(Some(frame)) = buffer.next_frame::<T>() {
        check_round_trip(&frame);
    }
    if let Ok(frame) = decode::<T>(bytes) {
        check_round_trip(&frame);
    }
}

/// A frame is read again from all its bytes, and from no fewer.
fn check_round_trip<T: Serialize + DeserializeOwned + Debug>(frame: &T) {
    let bytes = encode(frame).expect("a decoded frame encodes");
    let mut buffer = FrameBuffer::default();
    buffer.room().extend_from_slice(&bytes[..bytes.len() - 1]);
    assert!(matches!(buffer.next_frame::<T>(), Ok(None)), "a frame was read without its last byte");
    buffer.room().extend_from_slice(&bytes[bytes.len() - 1..]);
    let back: T = buffer.next_frame().expect("its own bytes").expect("a frame");
    assert!(buffer.room().is_empty(), "bytes are left");
    assert_eq!(encode(&back).ok(), Some(bytes.clone()));
    assert_eq!(format!("{back:?}"), format!("{frame:?}"));
}
