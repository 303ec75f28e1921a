//! Copies of all records, and the check of the store.

mod export;
mod verify;

pub(crate) use self::export::part;
pub use self::verify::Verified;
pub(crate) use self::verify::verify;
