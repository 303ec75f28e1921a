//! Hashes and HMAC.

use deno_error::JsErrorBox;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::not_supported;

/// Calls a macro's body with the hash of a name as the type `$hash`.
macro_rules! with_hash {
    ($name:expr, $hash:ident => $body:expr) => {
        match $name {
            "SHA-1" => {
                type $hash = sha1::Sha1;
                $body
            }
            "SHA-256" => {
                type $hash = sha2::Sha256;
                $body
            }
            "SHA-384" => {
                type $hash = sha2::Sha384;
                $body
            }
            "SHA-512" => {
                type $hash = sha2::Sha512;
                $body
            }
            _ => Err($crate::runner::native::subtle::not_supported(
                "the hash is unknown: SHA-1, SHA-256, SHA-384 and SHA-512 are available",
            )),
        }
    };
}
pub(super) use with_hash;

/// The hash of bytes.
pub(super) fn digest(name: &str, data: &[u8]) -> Result<Vec<u8>, JsErrorBox> {
    match name {
        "SHA-1" => Ok(Sha1::digest(data).to_vec()),
        "SHA-256" => Ok(Sha256::digest(data).to_vec()),
        "SHA-384" => Ok(Sha384::digest(data).to_vec()),
        "SHA-512" => Ok(Sha512::digest(data).to_vec()),
        _ => Err(not_supported("the hash is unknown: SHA-1, SHA-256, SHA-384 and SHA-512 are available")),
    }
}

/// The HMAC of bytes.
pub(super) fn hmac(name: &str, key: &[u8], data: &[u8]) -> Result<Vec<u8>, JsErrorBox> {
    with_hash!(name, Hash => {
        let mut mac = Hmac::<Hash>::new_from_slice(key)
            .map_err(|_| super::operation_error("the key is not one of HMAC"))?;
        mac.update(data);
        Ok(mac.finalize().into_bytes().to_vec())
    })
}
