//! Handlers: names and the files inside the handlers' folder that they stand for.
//!
//! Everything is read anew each time it is wanted, so that a file that was dropped, changed
//! or deleted takes effect at the next run. Nothing is executed here; whether a file loads is
//! asked of a [`Loader`] ([`catalog`]).
//!
//! No name leads outside the folder: a path is resolved with all its links, and a file that does
//! not lie below the folder then is refused ([`files`]).

mod analysis;
pub mod catalog;
pub mod files;
mod folder;
pub mod load;
mod resolve;
mod scan;
pub mod shelf;
mod types;

pub use self::folder::read_below;

use std::{future::Future, io, pin::Pin};

use crate::domain::source::Source;

/// The result of loading a handler's file without calling what it exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadCheck {
    /// Why it does not load; `None` when it does.
    pub error: Option<String>,
    /// Whether loading had not ended when its time was over.
    pub timed_out: bool,
    /// The files it required, with their SHA-256.
    pub modules: Vec<(String, [u8; 32])>,
}

/// Tries to load handlers.
pub trait Loader: Send + Sync + 'static {
    /// Loads `entry`, the file of the handler `name`, with the rights of that handler; does not
    /// call its export.
    ///
    /// # Errors
    /// When no runner can be had to load it.
    fn load<'a>(
        &'a self,
        name: &'a str,
        entry: Source,
    ) -> Pin<Box<dyn Future<Output = io::Result<LoadCheck>> + Send + 'a>>;
}

#[cfg(test)]
mod tests;
