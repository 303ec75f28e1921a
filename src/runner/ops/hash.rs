//! Hashes, HMAC and PBKDF2 of Node's `crypto`, and the figures of `process.memoryUsage`.

use deno_core::{op2, v8};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use pbkdf2::pbkdf2_hmac;
use serde::Serialize;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};

/// The most iterations of PBKDF2, all blocks of the key together: no watchdog can interrupt them,
/// and these take seconds.
const MOST_ITERATIONS: u64 = 4_000_000;
/// The longest key of PBKDF2 in bytes.
const LONGEST_KEY: u32 = 16 * 1024;

/// Calls a function with the hash of a name as its type parameter; `None` if no hash has the name.
macro_rules! with_hash {
    ($name:expr, $function:ident($($argument:expr),*)) => {
        match $name {
            "md5" => Some($function!(Md5, $($argument),*)),
            "sha1" => Some($function!(Sha1, $($argument),*)),
            "sha224" => Some($function!(Sha224, $($argument),*)),
            "sha256" => Some($function!(Sha256, $($argument),*)),
            "sha384" => Some($function!(Sha384, $($argument),*)),
            "sha512" => Some($function!(Sha512, $($argument),*)),
            "sha512-224" => Some($function!(Sha512_224, $($argument),*)),
            "sha512-256" => Some($function!(Sha512_256, $($argument),*)),
            _ => None,
        }
    };
}

macro_rules! digest {
    ($hash:ty, $data:expr) => {
        <$hash>::digest($data).to_vec()
    };
}

macro_rules! hmac {
    ($hash:ty, $key:expr, $data:expr) => {{
        // A key of any length is one of HMAC.
        Hmac::<$hash>::new_from_slice($key).map_or_else(
            |_| Vec::new(),
            |mut mac| {
                mac.update($data);
                mac.finalize().into_bytes().to_vec()
            },
        )
    }};
}

macro_rules! derive_key {
    ($hash:ty, $password:expr, $salt:expr, $iterations:expr, $length:expr) => {{
        let blocks = $length.div_ceil(<$hash>::output_size()) as u64;
        let mut key = Vec::new();
        if u64::from($iterations) * blocks <= MOST_ITERATIONS {
            key.resize($length, 0);
            pbkdf2_hmac::<$hash>($password, $salt, $iterations, &mut key);
        }
        key
    }};
}

/// The hash of bytes; empty if no hash has the name.
#[op2]
#[buffer]
pub(crate) fn op_isochron_hash(#[string] name: &str, #[buffer] data: &[u8]) -> Vec<u8> {
    with_hash!(name, digest(data)).unwrap_or_default()
}

/// The HMAC of bytes; empty if no hash has the name.
#[op2]
#[buffer]
pub(crate) fn op_isochron_hmac(#[string] name: &str, #[buffer] key: &[u8], #[buffer] data: &[u8]) -> Vec<u8> {
    with_hash!(name, hmac(key, data)).unwrap_or_default()
}

/// A key of `length` bytes (1 to 16,384); empty if no hash has the name, or if the iterations, all
/// blocks of the key together, are more than 4,000,000 or none.
#[op2]
#[buffer]
pub(crate) fn op_isochron_pbkdf2(
    #[string] name: &str,
    #[buffer] password: &[u8],
    #[buffer] salt: &[u8],
    #[smi] iterations: u32,
    #[smi] length: u32,
) -> Vec<u8> {
    if iterations == 0 || length > LONGEST_KEY {
        return Vec::new();
    }
    let length = length as usize;
    with_hash!(name, derive_key(password, salt, iterations, length)).unwrap_or_default()
}

/// Bytes of V8's heap.
#[derive(Serialize)]
struct Heap {
    total: f64,
    used: f64,
    external: f64,
}

#[op2]
#[serde]
pub(crate) fn op_isochron_heap(scope: &mut v8::PinScope<'_, '_>) -> Heap {
    let heap = scope.get_heap_statistics();
    let [total, used, external] =
        [heap.total_heap_size(), heap.used_heap_size(), heap.external_memory()].map(|bytes| bytes as f64);
    Heap { total, used, external }
}
