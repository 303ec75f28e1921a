//! The handlers there are, and whether each of them loads.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Loaded, Loader,
    files::{Files, Listed},
};
use crate::domain::source::Source;

/// Answers about handlers; remembers what loading a file showed until one of its files changes.
pub struct Catalog {
    files: Files,
    loader: Arc<dyn Loader>,
    known: Mutex<HashMap<String, ([u8; 32], Loaded)>>,
}

/// Why a handler cannot be used.
#[derive(Debug)]
pub enum Unfit {
    /// It is not there or does not load; a sentence that says why.
    Handler(String),
    /// Whether it loads could not be found out.
    Unknown(io::Error),
}

impl Catalog {
    /// A catalog of `files`.
    #[must_use]
    pub fn new(files: Files, loader: Arc<dyn Loader>) -> Self {
        Self { files, loader, known: Mutex::default() }
    }

    /// Whether the handler is there and loads.
    ///
    /// # Errors
    /// When it is not, or nobody can tell.
    pub async fn check(&self, name: &str) -> Result<(), Unfit> {
        let (files, owned) = (self.files.clone(), name.to_owned());
        let source = blocking(move || files.entry(&owned)).await.map_err(Unfit::Handler)?;
        self.load(source).await.map_err(Unfit::Unknown)?.map_or(Ok(()), |error| Err(Unfit::Handler(error)))
    }

    /// Every handler, with why it does not load or why that is not known.
    pub async fn list(&self) -> Vec<(Listed, Option<String>)> {
        let files = self.files.clone();
        let mut answer = Vec::new();
        for listed in blocking(move || files.list()).await {
            let error = match listed.source.clone() {
                Ok(source) => {
                    self.load(source).await.unwrap_or_else(|error| Some(format!("not known: {error}")))
                }
                Err(error) => Some(error),
            };
            answer.push((listed, error));
        }
        answer
    }

    async fn load(&self, source: Source) -> io::Result<Option<String>> {
        let (file, hash) = (source.file.clone(), source.hash);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&file).cloned();
        if let Some((_, loaded)) = known.filter(|(known, loaded)| *known == hash && self.holds(loaded)) {
            return Ok(loaded.error);
        }
        let loaded = self.loader.load(source).await?;
        let error = loaded.error.clone();
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(file, (hash, loaded));
        Ok(error)
    }

    /// A failure may have causes that no file shows, so only success is believed twice.
    fn holds(&self, loaded: &Loaded) -> bool {
        loaded.error.is_none()
            && loaded.modules.iter().all(|(file, hash)| self.files.hash(file).as_ref() == Some(hash))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
