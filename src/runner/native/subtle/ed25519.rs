//! Ed25519. A private key is its seed of 32 bytes.

use deno_error::JsErrorBox;
use ed25519_dalek::{
    Signature, Signer, SigningKey, VerifyingKey,
    pkcs8::{DecodePrivateKey, DecodePublicKey},
};
use rand::{TryRng, rngs::SysRng};

use super::{Answer, Arguments, Outcome, data_error, operation_error};

/// The head of a PKCS #8 document; the seed follows.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The head of an SPKI document; the point follows.
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// `generate()`, `public(seed)`, `check(point)`, `sign(seed, data)`, `verify(point, data, signature)`,
/// `from-pkcs8(document)`, `to-pkcs8(seed)`, `from-spki(document)`, `to-spki(point)`.
pub(super) fn call(function: &str, arguments: &Arguments) -> Outcome {
    let first = arguments.bytes(0);
    match function {
        "generate" => {
            let mut seed = [0; 32];
            SysRng.try_fill_bytes(&mut seed).map_err(|_| operation_error("no source of randomness"))?;
            let point = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
            Ok(Answer::List(vec![seed.to_vec(), point.to_vec()]))
        }
        "public" => Ok(Answer::Bytes(private(first)?.verifying_key().to_bytes().to_vec())),
        "check" => Ok(Answer::Bytes(seed(first)?.to_vec())),
        "sign" => Ok(Answer::Bytes(private(first)?.sign(arguments.bytes(1)).to_bytes().to_vec())),
        "verify" => Ok(Answer::Flag(verify(first, arguments.bytes(1), arguments.bytes(2)))),
        "from-pkcs8" => {
            let key = SigningKey::from_pkcs8_der(first)
                .map_err(|_| data_error("the document is no PKCS #8 key of Ed25519"))?;
            Ok(Answer::List(vec![key.to_bytes().to_vec(), key.verifying_key().to_bytes().to_vec()]))
        }
        "to-pkcs8" => Ok(Answer::Bytes([&PKCS8_HEAD[..], first].concat())),
        "from-spki" => {
            let key = VerifyingKey::from_public_key_der(first)
                .map_err(|_| data_error("the document is no SPKI key of Ed25519"))?;
            Ok(Answer::Bytes(key.to_bytes().to_vec()))
        }
        _ => Ok(Answer::Bytes([&SPKI_HEAD[..], first].concat())),
    }
}

fn private(bytes: &[u8]) -> Result<SigningKey, JsErrorBox> {
    Ok(SigningKey::from_bytes(&seed(bytes)?))
}

fn seed(bytes: &[u8]) -> Result<[u8; 32], JsErrorBox> {
    bytes.try_into().map_err(|_| data_error("a key of Ed25519 has 32 bytes"))
}

/// Any malformed key or signature is a wrong one.
fn verify(point: &[u8], data: &[u8], signature: &[u8]) -> bool {
    let key = seed(point).ok().and_then(|point| VerifyingKey::from_bytes(&point).ok());
    let signature = Signature::from_slice(signature).ok();
    key.zip(signature).is_some_and(|(key, signature)| key.verify_strict(data, &signature).is_ok())
}
