//! Sealing: XChaCha20-Poly1305 with a random nonce and the secret's name as associated data, so that a
//! value cannot be moved to another name.

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use data_encoding::BASE64;

use super::key::Key;
use crate::clock::random_bytes;

/// Bytes of a nonce.
const NONCE: usize = 24;

/// Encrypts a value: base64 of the nonce and the result.
pub(super) fn seal(key: &Key, name: &str, value: &str) -> Option<String> {
    let nonce: [u8; NONCE] = random_bytes();
    let payload = Payload { msg: value.as_bytes(), aad: name.as_bytes() };
    let sealed = cipher(key).encrypt(&XNonce::from(nonce), payload).ok()?;
    Some(BASE64.encode(&[&nonce[..], &sealed].concat()))
}

/// Decrypts a sealed value; `None` if it was sealed with another key or for another name.
pub(super) fn open(key: &Key, name: &str, sealed: &str) -> Option<String> {
    let bytes = BASE64.decode(sealed.as_bytes()).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
    let payload = Payload { msg: sealed, aad: name.as_bytes() };
    let value = cipher(key).decrypt(&XNonce::from(*nonce), payload).ok()?;
    String::from_utf8(value).ok()
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(*key.bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_with_its_key_under_its_name_only() {
        let key = Key::random();
        let sealed = seal(&key, "NAME", "välue").expect("sealed");
        assert_eq!(open(&key, "NAME", &sealed).as_deref(), Some("välue"));
        assert_ne!(seal(&key, "NAME", "välue"), Some(sealed.clone()), "each time with a nonce of its own");
        assert_eq!(open(&Key::random(), "NAME", &sealed), None);
        assert_eq!(open(&key, "OTHER", &sealed), None);
        let mut bytes = BASE64.decode(sealed.as_bytes()).expect("base64");
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert_eq!(open(&key, "NAME", &BASE64.encode(&bytes)), None, "byte {at}");
            bytes[at] ^= 1;
        }
        for broken in ["", "AAAA", "no base64 at all", &sealed[..40]] {
            assert_eq!(open(&key, "NAME", broken), None, "{broken}");
        }
    }
}
