//! ECDSA over P-256 and P-384. A private key is its scalar, a public key its uncompressed point.

use super::{Answer, Arguments, Outcome, data_error, hash, not_supported, operation_error};

/// The functions of one curve, in a module of its own.
macro_rules! curve {
    ($name:ident, $bytes:literal) => {
        mod $name {
            use ::$name::{
                PublicKey, SecretKey,
                ecdsa::{
                    Signature, SigningKey, VerifyingKey,
                    signature::hazmat::{PrehashSigner, PrehashVerifier},
                },
                elliptic_curve::Generate,
                pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey},
            };
            use deno_error::JsErrorBox;

            use super::{Answer, Arguments, Outcome, data_error, hash, operation_error};

            pub(super) fn call(function: &str, arguments: &Arguments) -> Outcome {
                let first = arguments.bytes(1);
                match function {
                    "generate" => {
                        let key = SecretKey::try_generate()
                            .map_err(|_| operation_error("the system has no source of randomness"))?;
                        Ok(pair(&key))
                    }
                    "public" => Ok(Answer::Bytes(point(&private(first)?.public_key()))),
                    "check" => Ok(Answer::Bytes(point(&public(first)?))),
                    "sign" => sign(&private(first)?, arguments.text(2), arguments.bytes(3)),
                    "verify" => {
                        verify(&public(first)?, arguments.text(2), arguments.bytes(3), arguments.bytes(4))
                    }
                    "from-pkcs8" => Ok(pair(
                        &SecretKey::from_pkcs8_der(first)
                            .map_err(|_| data_error("the document is no PKCS #8 key of this curve"))?,
                    )),
                    "to-pkcs8" => {
                        let document = private(first)?.to_pkcs8_der();
                        let document =
                            document.map_err(|_| operation_error("the key has no PKCS #8 form"))?;
                        Ok(Answer::Bytes(document.as_bytes().to_vec()))
                    }
                    "from-spki" => Ok(Answer::Bytes(point(
                        &PublicKey::from_public_key_der(first)
                            .map_err(|_| data_error("the document is no SPKI key of this curve"))?,
                    ))),
                    _ => {
                        let document = public(first)?.to_public_key_der();
                        let document = document.map_err(|_| operation_error("the key has no SPKI form"))?;
                        Ok(Answer::Bytes(document.as_bytes().to_vec()))
                    }
                }
            }

            fn private(scalar: &[u8]) -> Result<SecretKey, JsErrorBox> {
                SecretKey::from_slice(scalar)
                    .map_err(|_| data_error("the bytes are no private key of the curve"))
            }

            fn public(point: &[u8]) -> Result<PublicKey, JsErrorBox> {
                PublicKey::from_sec1_bytes(point)
                    .map_err(|_| data_error("the bytes are no point of the curve"))
            }

            fn point(key: &PublicKey) -> Vec<u8> {
                VerifyingKey::from(key).to_sec1_point(false).as_bytes().to_vec()
            }

            fn pair(key: &SecretKey) -> Answer {
                Answer::List(vec![key.to_bytes().to_vec(), point(&key.public_key())])
            }

            /// The hash, as a number of the curve's length: a short one gets zeros in front.
            fn prehash(name: &str, data: &[u8]) -> Result<Vec<u8>, JsErrorBox> {
                let hash = hash::digest(name, data)?;
                let mut number = vec![0; usize::saturating_sub($bytes, hash.len())];
                number.extend(hash);
                Ok(number)
            }

            fn sign(key: &SecretKey, name: &str, data: &[u8]) -> Outcome {
                let signed: Result<Signature, _> = SigningKey::from(key).sign_prehash(&prehash(name, data)?);
                let signature = signed.map_err(|_| operation_error("the data cannot be signed"))?;
                Ok(Answer::Bytes(signature.to_bytes().to_vec()))
            }

            fn verify(key: &PublicKey, name: &str, data: &[u8], signature: &[u8]) -> Outcome {
                let Ok(signature) = Signature::from_slice(signature) else { return Ok(Answer::Flag(false)) };
                let verified = VerifyingKey::from(key).verify_prehash(&prehash(name, data)?, &signature);
                Ok(Answer::Flag(verified.is_ok()))
            }
        }
    };
}

curve!(p256, 32);
curve!(p384, 48);

/// `generate(curve)`, `public(curve, scalar)`, `check(curve, point)`, `sign(curve, scalar, hash, data)`,
/// `verify(curve, point, hash, data, signature)`, `from-pkcs8(curve, document)`,
/// `to-pkcs8(curve, scalar)`, `from-spki(curve, document)`, `to-spki(curve, point)`.
pub(super) fn call(function: &str, arguments: &Arguments) -> Outcome {
    match arguments.text(0) {
        "P-256" => self::p256::call(function, arguments),
        "P-384" => self::p384::call(function, arguments),
        _ => Err(not_supported("the curve is unknown: P-256 and P-384 are available")),
    }
}
