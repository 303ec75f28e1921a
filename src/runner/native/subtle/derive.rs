//! PBKDF2 and HKDF.

use hkdf::Hkdf;

use super::{Answer, Arguments, Outcome, hash::with_hash, operation_error};

/// The most iterations of PBKDF2: the calculation cannot be interrupted, and these take about a second.
const MOST_ITERATIONS: u32 = 1_000_000;
/// The most bytes that one call derives.
const MOST_BYTES: usize = 16 * 1024;

/// `(hash, password, salt, iterations, bytes)`.
pub(super) fn pbkdf2(arguments: &Arguments) -> Outcome {
    let (password, salt) = (arguments.bytes(1), arguments.bytes(2));
    let (iterations, length) = (arguments.number(3), arguments.number(4) as usize);
    if iterations == 0 {
        return Err(operation_error("PBKDF2 needs at least one iteration"));
    }
    // Each block of the output costs all iterations.
    let blocks = length.div_ceil(20).max(1);
    if length > MOST_BYTES || u64::from(iterations) * blocks as u64 > 4 * u64::from(MOST_ITERATIONS) {
        return Err(operation_error(
            "PBKDF2 makes at most 1,000,000 iterations here for a key of up to 80 bytes: lower iterations or length",
        ));
    }
    if iterations > MOST_ITERATIONS {
        return Err(operation_error("PBKDF2 makes at most 1,000,000 iterations here: lower iterations"));
    }
    let mut derived = vec![0; length];
    with_hash!(arguments.text(0), Hash => {
        pbkdf2::pbkdf2_hmac::<Hash>(password, salt, iterations, &mut derived);
        Ok(Answer::Bytes(derived))
    })
}

/// `(hash, key, salt, info, bytes)`.
pub(super) fn hkdf(arguments: &Arguments) -> Outcome {
    let (key, salt, info) = (arguments.bytes(1), arguments.bytes(2), arguments.bytes(3));
    let mut derived = vec![0; (arguments.number(4) as usize).min(MOST_BYTES)];
    with_hash!(arguments.text(0), Hash => {
        let expanded = Hkdf::<Hash>::new(Some(salt), key).expand(info, &mut derived);
        expanded.map_err(|_| operation_error("HKDF derives at most 255 times the hash's length"))?;
        Ok(Answer::Bytes(derived))
    })
}
