//! `crypto.subtle`, on RustCrypto. `runtime-js/web/subtle` checks algorithms, usages and formats; here
//! are the calculations. Keys come and go as bytes: secrets raw, private keys as PKCS #8 and public keys
//! as SPKI for RSA, scalars and points for the curves, seeds and points for Ed25519.

mod aes;
mod curves;
mod derive;
mod ed25519;
mod hash;
mod rsa;

use deno_error::JsErrorBox;

use super::{Answer, Arguments, Outcome};

/// Calls a function, such as `digest` or `rsa.sign`.
pub(super) fn call(function: &str, arguments: &Arguments) -> Outcome {
    match function.split_once('.') {
        Some(("aes", function)) => aes::call(function, arguments),
        Some(("ec", function)) => curves::call(function, arguments),
        Some(("ed25519", function)) => ed25519::call(function, arguments),
        Some(("rsa", function)) => rsa::call(function, arguments),
        _ => match function {
            "digest" => Ok(Answer::Bytes(hash::digest(arguments.text(0), arguments.bytes(1))?)),
            "hmac" => {
                Ok(Answer::Bytes(hash::hmac(arguments.text(0), arguments.bytes(1), arguments.bytes(2))?))
            }
            "equal" => {
                let (left, right) = (arguments.bytes(0), arguments.bytes(1));
                Ok(Answer::Flag(::subtle::ConstantTimeEq::ct_eq(left, right).into()))
            }
            "pbkdf2" => derive::pbkdf2(arguments),
            "hkdf" => derive::hkdf(arguments),
            _ => Err(JsErrorBox::generic(format!("there is no native function subtle.{function}"))),
        },
    }
}

/// An `OperationError`: the calculation failed.
fn operation_error(text: &'static str) -> JsErrorBox {
    JsErrorBox::new("DOMExceptionOperationError", text)
}

/// A `DataError`: a key is malformed.
fn data_error(text: &'static str) -> JsErrorBox {
    JsErrorBox::new("DOMExceptionDataError", text)
}

/// A `NotSupportedError`.
fn not_supported(text: &'static str) -> JsErrorBox {
    JsErrorBox::new("DOMExceptionNotSupportedError", text)
}
