//! RSA: PKCS #1 v1.5 and PSS signatures. A private key is a PKCS #8 document, a public key an SPKI one.

use deno_error::JsErrorBox;
use rand::rngs::SysRng;
use rsa::{
    BoxedUint, Pkcs1v15Sign, PrivateKey, PublicKey,
    pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey},
    pss::Pss,
    traits::{PrivateKeyParts, PublicKeyParts},
};

use super::{
    Answer, Arguments, Outcome, data_error,
    hash::{self, with_hash},
    not_supported, operation_error,
};

/// `generate(bits, exponent)`, `sign(scheme, hash, key, data, salt)`,
/// `verify(scheme, hash, key, data, signature, salt)`, `from-pkcs8(document)`, `from-spki(document)`,
/// `private-parts(key)`, `public-parts(key)`, `from-private-parts(n, e, d, p, q)`,
/// `from-public-parts(n, e)`.
pub(super) fn call(function: &str, arguments: &Arguments) -> Outcome {
    let first = arguments.bytes(0);
    match function {
        "generate" => generate(arguments.number(0), arguments.bytes(1)),
        "sign" => sign(arguments),
        "verify" => verify(arguments),
        "from-pkcs8" => describe_private(&private(first)?),
        "from-spki" => describe_public(&public(first)?),
        "private-parts" => private_parts(&private(first)?),
        "public-parts" => {
            let key = public(first)?;
            Ok(Answer::List(vec![key.n_bytes().into(), key.e_bytes().into()]))
        }
        "from-private-parts" => {
            let part = |index| BoxedUint::from_be_slice_vartime(arguments.bytes(index));
            let key = PrivateKey::from_components(part(0), part(1), part(2), vec![part(3), part(4)]);
            describe_private(&key.map_err(|_| data_error("the numbers are no RSA key"))?)
        }
        _ => {
            let part = |index| BoxedUint::from_be_slice_vartime(arguments.bytes(index));
            let key = PublicKey::new(part(0), part(1));
            describe_public(&key.map_err(|_| data_error("the numbers are no RSA key of 1024 to 4096 bits"))?)
        }
    }
}

/// Finding the primes cannot be interrupted: 4096 bits take a few seconds.
fn generate(bits: u32, exponent: &[u8]) -> Outcome {
    if !matches!(bits, 1024..=4096) || !bits.is_multiple_of(8) {
        return Err(not_supported("modulusLength is a multiple of 8 from 1024 to 4096"));
    }
    let exponent = BoxedUint::from_be_slice_vartime(exponent);
    let key = PrivateKey::new_with_exp(&mut SysRng, bits as usize, exponent)
        .map_err(|_| operation_error("no RSA key can be made with this publicExponent: use 65537"))?;
    let Answer::List(mut list) = describe_private(&key)? else { return Ok(Answer::Nothing) };
    let Answer::List(public) = describe_public(&key.to_public_key())? else { return Ok(Answer::Nothing) };
    list.extend(public.into_iter().take(1));
    Ok(Answer::List(list))
}

fn private(document: &[u8]) -> Result<PrivateKey, JsErrorBox> {
    PrivateKey::from_pkcs8_der(document)
        .map_err(|_| data_error("the document is no PKCS #8 key of RSA with 1024 to 4096 bits"))
}

fn public(document: &[u8]) -> Result<PublicKey, JsErrorBox> {
    PublicKey::from_public_key_der(document)
        .map_err(|_| data_error("the document is no SPKI key of RSA with 1024 to 4096 bits"))
}

/// The key's document, its modulus and its public exponent.
fn describe_private(key: &PrivateKey) -> Outcome {
    let document = key.to_pkcs8_der().map_err(|_| operation_error("the key has no PKCS #8 form"))?;
    Ok(Answer::List(vec![document.as_bytes().to_vec(), key.n_bytes().into(), key.e_bytes().into()]))
}

fn describe_public(key: &PublicKey) -> Outcome {
    let document = key.to_public_key_der().map_err(|_| operation_error("the key has no SPKI form"))?;
    Ok(Answer::List(vec![document.as_bytes().to_vec(), key.n_bytes().into(), key.e_bytes().into()]))
}

/// n, e, d, p, q, dp, dq and qi, as a JWK has them.
fn private_parts(key: &PrivateKey) -> Outcome {
    let missing = || operation_error("the key has no two primes");
    let [p, q] = key.primes() else { return Err(missing()) };
    let qi = key.crt_coefficient().ok_or_else(missing)?;
    let (dp, dq) = (key.dp().ok_or_else(missing)?, key.dq().ok_or_else(missing)?);
    let bytes = |number: &BoxedUint| number.to_be_bytes_trimmed_vartime().into_vec();
    Ok(Answer::List(vec![
        key.n_bytes().into(),
        key.e_bytes().into(),
        bytes(key.d()),
        bytes(p.as_ref()),
        bytes(q.as_ref()),
        bytes(dp),
        bytes(dq),
        bytes(&qi),
    ]))
}

fn sign(arguments: &Arguments) -> Outcome {
    let name = arguments.text(1);
    let key = private(arguments.bytes(2))?;
    let hashed = hash::digest(name, arguments.bytes(3))?;
    let salt = arguments.number(4) as usize;
    let signed = with_hash!(name, Hash => Ok(match arguments.text(0) {
        "pss" => key.sign_with_rng(&mut SysRng, Pss::<Hash>::new_with_salt(salt), &hashed),
        _ => key.sign_with_rng(&mut SysRng, Pkcs1v15Sign::new::<Hash>(), &hashed),
    }))?;
    let signature = signed.map_err(|_| operation_error("the key is too short for this hash and salt"))?;
    Ok(Answer::Bytes(signature))
}

fn verify(arguments: &Arguments) -> Outcome {
    let name = arguments.text(1);
    let key = public(arguments.bytes(2))?;
    let hashed = hash::digest(name, arguments.bytes(3))?;
    let (signature, salt) = (arguments.bytes(4), arguments.number(5) as usize);
    let verified = with_hash!(name, Hash => Ok(match arguments.text(0) {
        "pss" => key.verify(Pss::<Hash>::new_with_salt(salt), &hashed, signature),
        _ => key.verify(Pkcs1v15Sign::new::<Hash>(), &hashed, signature),
    }))?;
    Ok(Answer::Flag(verified.is_ok()))
}
