//! Random bytes and UUIDs.

use deno_core::op2;
use rand::{TryRng, rngs::SysRng};

/// Fills `bytes` from the system's random generator; `false` if it has none.
#[op2(fast)]
pub(crate) fn op_isochron_random(#[buffer] bytes: &mut [u8]) -> bool {
    SysRng.try_fill_bytes(bytes).is_ok()
}

/// A random UUID (version 4), or an empty text if the system has no random generator.
#[op2]
#[string]
pub(crate) fn op_isochron_uuid() -> String {
    let mut bytes = [0; 16];
    if SysRng.try_fill_bytes(&mut bytes).is_err() {
        return String::new();
    }
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or_default());
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or_default());
    }
    text
}
