//! The handlers in the folder, and whether each of them loads.
//!
//! A load check takes a runner for a moment, or for seconds when the file loops. So the catalog
//! keeps the result of a check until the file, or a file that it requires, changes. The list checks
//! new files side by side and waits a second at most: a check that takes longer goes on and shows
//! in a later list.
//!
//! How to misuse it: a kept failure is good enough for a list, not for a refusal. The author may
//! have mended the cause in a place that no hash covers, such as a required file that was missing.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, timeout_at},
};

use super::{
    LoadCheck, Loader,
    files::{Files, HandlerFile, Ignored},
    shelf::Shelf,
};
use crate::domain::{lock::lock, source::Source};

/// How long a list waits for the checks of new files.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a list believes that a file takes too long to load.
const BELIEVED: Duration = Duration::from_secs(60);
/// The most checks that lists have under way at a time. A check may start a runner of its own.
const SIDE_BY_SIDE: usize = 4;

/// Answers questions about handlers. Clones share the results of checks.
#[derive(Clone)]
pub struct Catalog {
    shelf: Shelf,
    checks: Arc<Checks>,
}

/// A handler as the list shows it.
#[derive(Debug)]
pub struct HandlerState {
    /// The file.
    pub file: HandlerFile,
    /// Why it does not load, or why that is not known; of the last check while a new one goes on.
    pub error: Option<String>,
    /// Whether a check has not ended yet.
    pub checking: bool,
    /// Whether a check broke off: `error` says why nothing is known.
    pub broke_off: bool,
}

/// Why a task cannot have a handler.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The file is missing or does not load; a sentence for its author.
    #[error("{0}")]
    Unusable(String),
    /// The check itself failed.
    #[error("whether the handler loads is not known: {0}")]
    Unknown(String),
}

impl Catalog {
    /// A catalog of the handlers on a shelf.
    #[must_use]
    pub fn new(shelf: impl Into<Shelf>, loader: Arc<dyn Loader>) -> Self {
        let checks = Checks {
            loader,
            permits: Semaphore::new(SIDE_BY_SIDE),
            known: Mutex::default(),
            late: watch::channel(0).0,
        };
        Self { shelf: shelf.into(), checks: Arc::new(checks) }
    }

    /// Counts the checks that have ended after a list stopped waiting for them, with another result than it showed.
    #[must_use]
    pub fn late_checks(&self) -> watch::Receiver<u64> {
        self.checks.late.subscribe()
    }

    /// Checks that the handler is there and loads. A kept success is believed, a kept failure
    /// is not.
    ///
    /// # Errors
    /// When it is not, or when the check fails.
    pub async fn check(&self, name: &str) -> Result<(), HandlerError> {
        let files = self.shelf.files().await.map_err(HandlerError::Unusable)?;
        let (checks, owned) = (self.checks.clone(), name.to_owned());
        let look_up = move || {
            let source = files.entry(&owned)?;
            let kept =
                checks.find_kept(&source).filter(|kept| kept.check.error.is_none() && kept.holds(&files));
            Ok((source, kept.is_some()))
        };
        let (source, is_known) = blocking(look_up).await.map_err(HandlerError::Unusable)?;
        if is_known {
            return Ok(());
        }
        let check = self.checks.run(name, source).await.map_err(HandlerError::Unknown)?;
        check.error.map_or(Ok(()), |error| Err(HandlerError::Unusable(error)))
    }

    /// Every handler, by name. Returns after [`PATIENCE`], or earlier when no check is under way.
    pub async fn list(&self) -> Vec<HandlerState> {
        let (files, checks) = (self.shelf.at_hand().await, self.checks.clone());
        let listed = blocking(move || {
            let listed: Vec<_> = files.list().into_iter().map(|file| checks.look_up(&files, file)).collect();
            checks.forget_all_but(&listed);
            listed
        });
        self.settle(listed.await).await
    }

    /// A handler and the text of its file. Waits as [`Catalog::list`].
    pub async fn find(&self, name: &str) -> Option<(HandlerState, Option<String>)> {
        let (files, checks, name) = (self.shelf.at_hand().await, self.checks.clone(), name.to_owned());
        let found = blocking(move || {
            let file = files.find(&name)?;
            let text = files.text(&name).filter(|(hash, _)| *hash == file.hash).map(|(_, text)| text);
            Some((checks.look_up(&files, file), text))
        });
        let (state, text) = found.await?;
        let state = self.settle(vec![state]).await.pop()?;
        Some((state, text))
    }

    /// A hash over the names, sizes and times of all files of the folder: another one tells a change.
    pub async fn stamp(&self) -> u64 {
        let files = self.shelf.at_hand().await;
        blocking(move || files.stamp()).await
    }

    /// The same of the files that are known without asking the store.
    pub async fn seen_stamp(&self) -> u64 {
        let files = self.shelf.seen();
        blocking(move || files.stamp()).await
    }

    /// The names of all handlers, in their order.
    pub async fn names(&self) -> Vec<String> {
        let files = self.shelf.at_hand().await;
        blocking(move || files.names()).await
    }

    /// Checks the handlers whose state is not known, and waits for it.
    async fn settle(&self, mut listed: Vec<HandlerState>) -> Vec<HandlerState> {
        let under_way: Vec<_> = listed
            .iter()
            .map(|state| {
                self.checks.source_to_check(state).map(|source| self.checks.start(&state.file.name, source))
            })
            .collect();
        let deadline = Instant::now() + PATIENCE;
        for (state, check) in listed.iter_mut().zip(under_way) {
            let Some(mut check) = check else { continue };
            match timeout_at(deadline, check.wait_for(Option::is_some)).await {
                Ok(Ok(ended)) => {
                    state.checking = false;
                    state.error = match ended.as_ref() {
                        Some(Ok(check)) => check.error.clone(),
                        Some(Err(error)) => Some(format!("not known: {error}")),
                        None => None,
                    };
                    state.broke_off = matches!(*ended, Some(Err(_)));
                }
                Ok(Err(_)) => {
                    state.error = Some("not known: the check broke off".to_owned());
                    state.broke_off = true;
                }
                Err(_) => self.checks.leave(state),
            }
        }
        listed
    }
}

impl Catalog {
    /// The files that look like handlers' and cannot be.
    pub async fn ignored(&self) -> Vec<Ignored> {
        let files = self.shelf.at_hand().await;
        blocking(move || files.ignored()).await
    }
}

/// The results of load checks, and the checks under way.
struct Checks {
    loader: Arc<dyn Loader>,
    permits: Semaphore,
    /// By the file as it is shown.
    known: Mutex<HashMap<String, Known>>,
    /// See [`Catalog::late_checks`].
    late: watch::Sender<u64>,
}

#[derive(Default)]
struct Known {
    kept: Option<Kept>,
    under_way: Option<UnderWay>,
}

/// A check that has not ended.
struct UnderWay {
    hash: [u8; 32],
    outcome: Awaited,
    /// Whether a list has stopped waiting for it.
    left: bool,
}

type Outcome = Result<LoadCheck, String>;
type Awaited = watch::Receiver<Option<Outcome>>;

/// The result of a check of one source.
#[derive(Clone)]
struct Kept {
    hash: [u8; 32],
    check: LoadCheck,
    ended: Instant,
}

impl Kept {
    /// Whether the files that were required are as they were.
    fn holds(&self, files: &Files) -> bool {
        self.check.modules.iter().all(|(file, hash)| files.hash(file).as_ref() == Some(hash))
    }

    /// A failure may have causes that no file shows, so it is checked anew each time, unless
    /// would take as long as before.
    fn is_believed(&self) -> bool {
        self.check.error.is_none() || self.check.timed_out && self.ended.elapsed() < BELIEVED
    }
}

impl Checks {
    fn lock_known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        lock(&self.known)
    }

    fn find_kept(&self, source: &Source) -> Option<Kept> {
        let kept = self.lock_known().get(&source.file)?.kept.clone();
        kept.filter(|kept| kept.hash == source.hash)
    }

    /// The state of a handler as far as it is known.
    fn look_up(&self, files: &Files, file: HandlerFile) -> HandlerState {
        let (error, checking) = match &file.source {
            Err(error) => (Some(error.clone()), false),
            Ok(source) => match self.find_kept(source) {
                Some(kept) => {
                    let is_good = kept.is_believed() && kept.holds(files);
                    (kept.check.error, !is_good)
                }
                None => (None, true),
            },
        };
        HandlerState { file, error, checking, broke_off: false }
    }

    /// Drops results of files that are no longer there.
    fn forget_all_but(&self, listed: &[HandlerState]) {
        self.lock_known().retain(|file, known| {
            known.under_way.is_some() || listed.iter().any(|state| state.file.file == *file)
        });
    }

    fn source_to_check(&self, state: &HandlerState) -> Option<Source> {
        state.file.source.as_ref().ok().filter(|_| state.checking).cloned()
    }

    /// Notes that a list shows a handler although its check has not ended; shows the result if it just has.
    fn leave(&self, state: &mut HandlerState) {
        let Ok(source) = &state.file.source else { return };
        let mut known = self.lock_known();
        let Some(known) = known.get_mut(&source.file) else { return };
        if let Some(check) = known.under_way.as_mut().filter(|check| check.hash == source.hash) {
            check.left = true;
        } else if let Some(kept) = known.kept.as_ref().filter(|kept| kept.hash == source.hash) {
            (state.checking, state.error) = (false, kept.check.error.clone());
        }
    }

    /// Starts a check, which goes on when the list stops waiting, or joins the check of the same
    /// source that is under way.
    fn start(self: &Arc<Self>, name: &str, source: Source) -> Awaited {
        let mut known = self.lock_known();
        let known = known.entry(source.file.clone()).or_default();
        if let Some(check) = &known.under_way
            && check.hash == source.hash
            && check.outcome.has_changed().is_ok()
        {
            return check.outcome.clone();
        }
        let (done, outcome) = watch::channel(None);
        known.under_way = Some(UnderWay { hash: source.hash, outcome: outcome.clone(), left: false });
        let before = known.kept.clone().filter(|kept| kept.hash == source.hash).map(|kept| kept.check.error);
        let (checks, name) = (self.clone(), name.to_owned());
        // Ends by itself: the pool answers every check, with an error once it is closed.
        tokio::spawn(async move {
            let _permit = checks.permits.acquire().await;
            let (file, hash) = (source.file.clone(), source.hash);
            let outcome = checks.run(&name, source).await;
            // The same result again is no news: who hears of it would list, and so check, without end.
            let is_news = outcome.as_ref().is_ok_and(|check| before.as_ref() != Some(&check.error));
            let ended = checks
                .lock_known()
                .get_mut(&file)
                .and_then(|known| known.under_way.take_if(|check| check.hash == hash));
            done.send_replace(Some(outcome));
            if is_news && ended.is_some_and(|check| check.left) {
                checks.late.send_modify(|count| *count += 1);
            }
        });
        outcome
    }

    /// Checks a source and keeps the result.
    async fn run(&self, name: &str, source: Source) -> Outcome {
        let (file, hash) = (source.file.clone(), source.hash);
        let check = self.loader.load(name, source).await.map_err(|error| error.to_string())?;
        let kept = Kept { hash, check: check.clone(), ended: Instant::now() };
        self.lock_known().entry(file).or_default().kept = Some(kept);
        Ok(check)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
