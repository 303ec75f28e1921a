//! AES in its modes GCM, CBC and CTR.

use aes_gcm::{
    AesGcm, KeyInit,
    aead::AeadInOut,
    aes::{
        Aes128, Aes192, Aes256, Block,
        cipher::{BlockCipherDecrypt, BlockCipherEncrypt, consts},
    },
};
use deno_error::JsErrorBox;
use ghash::{GHash, universal_hash::UniversalHash};
use subtle::ConstantTimeEq;

use super::{Answer, Arguments, Outcome, operation_error};

const KEY: &str = "an AES key has 16, 24 or 32 bytes";

/// `gcm-encrypt(key, nonce, data, associated data, tag length)` and `gcm-decrypt`,
/// `cbc-encrypt(key, vector, data)` and `cbc-decrypt`, `ctr(key, counter, data, counter's bits)`.
pub(super) fn call(function: &str, arguments: &Arguments) -> Outcome {
    let (key, start, data) = (arguments.bytes(0), arguments.bytes(1), arguments.bytes(2));
    match function {
        "gcm-encrypt" => gcm_encrypt(key, start, data, arguments.bytes(3), arguments.number(4) as usize),
        "gcm-decrypt" => gcm_decrypt(key, start, data, arguments.bytes(3), arguments.number(4) as usize),
        "cbc-encrypt" => Cipher::new(key)?.encrypt_chain(start, data),
        "cbc-decrypt" => Cipher::new(key)?.decrypt_chain(start, data),
        _ => Cipher::new(key)?.count(start, data, arguments.number(3)),
    }
}

fn gcm_encrypt(key: &[u8], nonce: &[u8], data: &[u8], associated: &[u8], tag: usize) -> Outcome {
    let mut buffer = data.to_vec();
    let full = gcm(key, nonce, associated, &mut buffer)?;
    buffer.extend_from_slice(&full[..tag.min(full.len())]);
    Ok(Answer::Bytes(buffer))
}

/// Counter mode decrypts as it encrypts; encrypting the result again gives the tag to compare with.
fn gcm_decrypt(key: &[u8], nonce: &[u8], data: &[u8], associated: &[u8], tag: usize) -> Outcome {
    let failed = || operation_error("the data or its tag is wrong, or the key is not the right one");
    let Some(length) = data.len().checked_sub(tag) else { return Err(failed()) };
    let (encrypted, given) = data.split_at(length);
    let mut plain = encrypted.to_vec();
    gcm(key, nonce, associated, &mut plain)?;
    let full = gcm(key, nonce, associated, &mut plain.clone())?;
    if full[..tag.min(full.len())].ct_eq(given).into() { Ok(Answer::Bytes(plain)) } else { Err(failed()) }
}

/// Encrypts a buffer and returns its tag of 16 bytes.
fn gcm(key: &[u8], nonce: &[u8], associated: &[u8], buffer: &mut [u8]) -> Result<[u8; 16], JsErrorBox> {
    macro_rules! encrypt {
        ($aes:ty) => {{
            let cipher =
                AesGcm::<$aes, consts::U12>::new_from_slice(key).map_err(|_| operation_error(KEY))?;
            let nonce = nonce.try_into().map_err(|_| operation_error("the iv has another length"))?;
            cipher.encrypt_inout_detached(nonce, associated, buffer.into())
        }};
    }
    let tag = match (key.len(), nonce.len()) {
        (16, 12) => encrypt!(Aes128),
        (24, 12) => encrypt!(Aes192),
        (32, 12) => encrypt!(Aes256),
        (_, 0) => return Err(operation_error("the iv of AES-GCM is empty")),
        _ => return Cipher::new(key)?.encrypt_galois(nonce, associated, buffer),
    };
    Ok(tag.map_err(|_| operation_error("AES-GCM failed: the data is too long"))?.into())
}

/// AES with a key of one of its three sizes.
enum Cipher {
    Short(Box<Aes128>),
    Middle(Box<Aes192>),
    Long(Box<Aes256>),
}

impl Cipher {
    fn new(key: &[u8]) -> Result<Self, JsErrorBox> {
        let wrong = |_| operation_error(KEY);
        Ok(match key.len() {
            16 => Self::Short(Box::new(Aes128::new_from_slice(key).map_err(wrong)?)),
            24 => Self::Middle(Box::new(Aes192::new_from_slice(key).map_err(wrong)?)),
            _ => Self::Long(Box::new(Aes256::new_from_slice(key).map_err(wrong)?)),
        })
    }

    fn encrypt(&self, block: &mut [u8; 16]) {
        let mut inner = Block::from(*block);
        match self {
            Self::Short(aes) => aes.encrypt_block(&mut inner),
            Self::Middle(aes) => aes.encrypt_block(&mut inner),
            Self::Long(aes) => aes.encrypt_block(&mut inner),
        }
        *block = inner.into();
    }

    fn decrypt(&self, block: &mut [u8; 16]) {
        let mut inner = Block::from(*block);
        match self {
            Self::Short(aes) => aes.decrypt_block(&mut inner),
            Self::Middle(aes) => aes.decrypt_block(&mut inner),
            Self::Long(aes) => aes.decrypt_block(&mut inner),
        }
        *block = inner.into();
    }

    /// GCM with an `iv` of any length but 12 bytes, which the crate does not offer (NIST SP 800-38D).
    fn encrypt_galois(
        &self,
        nonce: &[u8],
        associated: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; 16], JsErrorBox> {
        let mut key = [0; 16];
        self.encrypt(&mut key);
        let hash = |parts: [&[u8]; 2], lengths: [usize; 2]| -> [u8; 16] {
            let mut hash = GHash::new(&key.into());
            hash.update_padded(parts[0]);
            hash.update_padded(parts[1]);
            let bits = |length: usize| (length as u128) << 3;
            hash.update(&[(bits(lengths[0]) << 64 | bits(lengths[1])).to_be_bytes().into()]);
            hash.finalize().into()
        };
        let start = hash([nonce, &[]], [0, nonce.len()]);
        let number = u128::from_be_bytes(start);
        let next = (number & !0xffff_ffff) | (number.wrapping_add(1) & 0xffff_ffff);
        let Answer::Bytes(encrypted) = self.count(&next.to_be_bytes(), buffer, 32)? else {
            return Err(operation_error("AES-GCM failed"));
        };
        buffer.copy_from_slice(&encrypted);
        let mut tag = start;
        self.encrypt(&mut tag);
        let sum = hash([associated, buffer], [associated.len(), buffer.len()]);
        tag.iter_mut().zip(sum).for_each(|(byte, other)| *byte ^= other);
        Ok(tag)
    }

    /// CBC with the padding of PKCS #7.
    fn encrypt_chain(&self, start: &[u8], data: &[u8]) -> Outcome {
        let mut last = block(start)?;
        let padding = 16 - data.len() % 16;
        let mut output = data.to_vec();
        output.resize(data.len() + padding, u8::try_from(padding).unwrap_or_default());
        for chunk in output.chunks_exact_mut(16) {
            for (byte, other) in last.iter_mut().zip(&*chunk) {
                *byte ^= other;
            }
            self.encrypt(&mut last);
            chunk.copy_from_slice(&last);
        }
        Ok(Answer::Bytes(output))
    }

    fn decrypt_chain(&self, start: &[u8], data: &[u8]) -> Outcome {
        let failed = || operation_error("the data is no result of AES-CBC with this key");
        let mut last = block(start)?;
        if data.is_empty() || !data.len().is_multiple_of(16) {
            return Err(failed());
        }
        let mut output = Vec::with_capacity(data.len());
        for chunk in data.chunks_exact(16) {
            let encrypted = block(chunk)?;
            let mut plain = encrypted;
            self.decrypt(&mut plain);
            output.extend(plain.iter().zip(&last).map(|(byte, other)| byte ^ other));
            last = encrypted;
        }
        let padding = usize::from(output.last().copied().unwrap_or_default());
        let rest = output.len().checked_sub(padding).ok_or_else(failed)?;
        if padding == 0 || padding > 16 || output[rest..].iter().any(|byte| usize::from(*byte) != padding) {
            return Err(failed());
        }
        output.truncate(rest);
        Ok(Answer::Bytes(output))
    }

    /// CTR; only the last `bits` of the counter count.
    fn count(&self, start: &[u8], data: &[u8], bits: u32) -> Outcome {
        let start = u128::from_be_bytes(block(start)?);
        if bits == 0 || bits > 128 {
            return Err(operation_error("the length of a counter of AES-CTR is 1 to 128 bits"));
        }
        if bits < 64 && data.len().div_ceil(16) as u64 > 1 << bits {
            return Err(operation_error("the data is longer than the counter of AES-CTR can count"));
        }
        let mask = if bits == 128 { u128::MAX } else { (1 << bits) - 1 };
        let mut output = data.to_vec();
        for (index, chunk) in (0_u128..).zip(output.chunks_mut(16)) {
            let counter = start & !mask | start.wrapping_add(index) & mask;
            let mut stream = counter.to_be_bytes();
            self.encrypt(&mut stream);
            for (byte, other) in chunk.iter_mut().zip(&stream) {
                *byte ^= other;
            }
        }
        Ok(Answer::Bytes(output))
    }
}

fn block(bytes: &[u8]) -> Result<[u8; 16], JsErrorBox> {
    bytes.try_into().map_err(|_| operation_error("the iv or counter has 16 bytes"))
}
