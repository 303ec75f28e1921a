//! Shelf: the handlers' files of the moment, which may be those of another folder later.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use super::files::Files;
use crate::domain::lock::lock;

/// Files that come later, or a sentence that says why they do not.
pub type Coming<'a> = Pin<Box<dyn Future<Output = Result<Files, String>> + Send + 'a>>;

/// Gives the files of the moment.
pub trait Supply: Send + Sync + 'static {
    /// The files that a run which begins now uses.
    fn files(&self) -> Coming<'_>;
}

/// Where the handlers are. A run takes the files once, and uses them to its end.
#[derive(Clone)]
pub struct Shelf {
    /// As they were last seen.
    seen: Arc<Mutex<Files>>,
    supply: Option<Arc<dyn Supply>>,
}

impl From<Files> for Shelf {
    /// The files of one folder, for ever.
    fn from(files: Files) -> Self {
        Self { seen: Arc::new(Mutex::new(files)), supply: None }
    }
}

impl Shelf {
    /// The files that `supply` gives; `first` until it has given some.
    #[must_use]
    pub fn supplied(first: Files, supply: Arc<dyn Supply>) -> Self {
        Self { seen: Arc::new(Mutex::new(first)), supply: Some(supply) }
    }

    /// The files as they were last seen.
    #[must_use]
    pub fn seen(&self) -> Files {
        lock(&self.seen).clone()
    }

    /// The files of the moment.
    ///
    /// # Errors
    /// A sentence that says why they are not known.
    pub async fn files(&self) -> Result<Files, String> {
        let Some(supply) = &self.supply else { return Ok(self.seen()) };
        let files = supply.files().await?;
        lock(&self.seen).clone_from(&files);
        Ok(files)
    }

    /// The files of the moment, or those that were last seen.
    pub async fn at_hand(&self) -> Files {
        match self.files().await {
            Ok(files) => files,
            Err(error) => {
                tracing::warn!(error, "the handlers are shown as they were last seen");
                self.seen()
            }
        }
    }
}
