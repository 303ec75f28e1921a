//! Frames: bytes from the other end of the socket, in both directions.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

use crate::runtime::protocol::{FromRunner, ToRunner, decode, encode, read_frame};

/// Reads frames, with and without their length in front, and writes and reads again what it got.
pub fn frames(bytes: &[u8]) {
    read::<ToRunner>(bytes);
    read::<FromRunner>(bytes);
}

fn read<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    let mut stream = bytes;
    while let Ok(Some(frame)) = read_frame::<T>(&mut stream) {
        again(&frame);
    }
    if let Ok(frame) = decode::<T>(bytes) {
        again(&frame);
    }
}

/// The frame comes back from its bytes, and from all of them only.
fn again<T: Serialize + DeserializeOwned + Debug>(frame: &T) {
    let bytes = encode(frame).expect("what was small enough to be read can be written");
    let mut stream = &bytes[..];
    let back: T = read_frame(&mut stream).expect("its own bytes").expect("a frame");
    assert!(stream.is_empty(), "{} bytes are left", stream.len());
    assert_eq!(encode(&back).ok(), Some(bytes.clone()));
    assert_eq!(format!("{back:?}"), format!("{frame:?}"));
    let mut cut = &bytes[..bytes.len() - 1];
    assert!(read_frame::<T>(&mut cut).is_err(), "a frame was read without its last byte");
}
