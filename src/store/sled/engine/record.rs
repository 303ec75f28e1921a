//! Records: a version byte, the CRC32C of the payload, then the payload (JSON).

use serde::{Serialize, de::DeserializeOwned};

/// The version byte of a record without overflow pieces.
const VERSION: u8 = 1;
/// The version byte of the head of a large value.
pub(crate) const OVERFLOW: u8 = 2;
/// The bytes before the payload.
pub(crate) const HEAD: usize = 5;

/// Why bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRecord {
    #[error("{0} bytes are too few for a record")]
    Short(usize),
    #[error("version {0} is not known")]
    Version(u8),
    #[error("a part of the record is missing or damaged")]
    Pieces,
    #[error("the checksum does not match")]
    Checksum,
    #[error("the record does not decode: {0}")]
    Decode(String),
}

pub(crate) fn encode_bytes(payload: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEAD + payload.len());
    record.push(VERSION);
    record.extend_from_slice(&crc32c::crc32c(payload).to_be_bytes());
    record.extend_from_slice(payload);
    record
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(value).map(|json| encode_bytes(&json))
}

pub(crate) fn payload(record: &[u8]) -> Result<&[u8], BadRecord> {
    let (head, payload) = record.split_at_checked(HEAD).ok_or(BadRecord::Short(record.len()))?;
    match head[0] {
        VERSION => {}
        OVERFLOW => return Err(BadRecord::Pieces),
        other => return Err(BadRecord::Version(other)),
    }
    if head[1..] != crc32c::crc32c(payload).to_be_bytes() {
        return Err(BadRecord::Checksum);
    }
    Ok(payload)
}

pub(crate) fn decode<T: DeserializeOwned>(record: &[u8]) -> Result<T, BadRecord> {
    serde_json::from_slice(payload(record)?).map_err(|e| BadRecord::Decode(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_with_any_byte_changed_or_missing_does_not_verify() {
        let whole = encode(&"some text").expect("encodes");
        assert_eq!(decode::<String>(&whole).as_deref(), Ok("some text"));
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(decode::<String>(&changed).is_err(), "byte {at}");
            assert!(decode::<String>(&whole[..at]).is_err(), "cut at {at}");
        }
    }
}
