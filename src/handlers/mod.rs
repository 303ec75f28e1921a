//! Handlers: names and the files inside the handlers' folder that they stand for.
//!
//! Everything is read anew each time it is wanted, so that a file that was dropped, changed
//! or deleted takes effect at the next run. Nothing is executed here; whether a file loads is
//! asked of a [`Loader`] ([`catalog`]).
//!
//! No name leads outside the folder: a path is resolved with all its links, and what does not
//! lie below the folder then is not there ([`files`]).

pub mod catalog;
pub mod files;

use std::{future::Future, io, pin::Pin};

use crate::domain::source::Source;

/// What loading a handler showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Why it does not load.
    pub error: Option<String>,
    /// The files it required, with their hashes.
    pub modules: Vec<(String, [u8; 32])>,
}

/// Tries to load handlers.
pub trait Loader: Send + Sync + 'static {
    /// Loads `entry` without calling what it exports.
    ///
    /// # Errors
    /// When there is nothing to load it with, whatever it is.
    fn load(&self, entry: Source) -> Pin<Box<dyn Future<Output = io::Result<Loaded>> + Send + '_>>;
}
