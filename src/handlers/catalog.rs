//! The handlers in the folder, and whether each of them loads.
//!
//! A load check takes a runner for a moment, or for seconds when the file loops. So the catalog
//! keeps the result of a check until the file, or a file that it requires, changes. The list checks
//! new files side by side and waits a second at most: a check that takes longer goes on and shows
//! in a later list.
//!
//! How to misuse it: a kept failure is good enough for a list, not for a refusal. The author may
//! have mended the cause in a place that no hash covers, such as a required file that was missing.

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
        let checks = Checks { loader, permits: Semaphore::new(SIDE_BY_SIDE), known: Mutex::default() };
        Self { shelf: shelf.into(), checks: Arc::new(checks) }
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
                Err(_) => {}
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
}

#[derive(Default)]
struct Known {
    kept: Option<Kept>,
    under_way: Option<([u8; 32], UnderWay)>,
}

type Outcome = Result<LoadCheck, String>;
type UnderWay = watch::Receiver<Option<Outcome>>;

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

    /// Starts a check, which goes on when the list stops waiting, or joins the check of the same
    /// source that is under way.
    fn start(self: &Arc<Self>, name: &str, source: Source) -> UnderWay {
        let mut known = self.lock_known();
        let known = known.entry(source.file.clone()).or_default();
        if let Some((hash, check)) = &known.under_way
            && *hash == source.hash
            && check.has_changed().is_ok()
        {
            return check.clone();
        }
        let (done, check) = watch::channel(None);
        known.under_way = Some((source.hash, check.clone()));
        let (checks, name) = (self.clone(), name.to_owned());
        // Ends by itself: the pool answers every check, with an error once it is closed.
        tokio::spawn(async move {
            let _permit = checks.permits.acquire().await;
            let (file, hash) = (source.file.clone(), source.hash);
            let outcome = checks.run(&name, source).await;
            if let Some(known) = checks.lock_known().get_mut(&file) {
                known.under_way.take_if(|(under_way, _)| *under_way == hash);
            }
            done.send_replace(Some(outcome));
        });
        check
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

#[cfg(test)]
mod tests {
    use std::{fs, future::Future, io, pin::Pin};

    use tokio::time::{advance, sleep};

    use super::*;

    /// Takes as many seconds as the file says, fails if the file says `bad`, and counts.
    struct Script(Mutex<Vec<String>>);

    impl Loader for Script {
        fn load<'a>(
            &'a self,
            _name: &'a str,
            entry: Source,
        ) -> Pin<Box<dyn Future<Output = io::Result<LoadCheck>> + Send + 'a>> {
            Box::pin(async move {
                self.0.lock().expect("whole").push(entry.file);
                let seconds = entry.text.split(' ').next().and_then(|word| word.parse().ok());
                sleep(Duration::from_secs(seconds.unwrap_or(0))).await;
                let error = entry.text.contains("bad").then(|| format!("{} is bad", entry.text));
                let timed_out = seconds == Some(5);
                Ok(LoadCheck { error, timed_out, modules: Vec::new() })
            })
        }
    }

    struct Scene {
        folder: tempfile::TempDir,
        catalog: Catalog,
        script: Arc<Script>,
    }

    impl Scene {
        fn new(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let script = Arc::new(Script(Mutex::default()));
            let catalog = Catalog::new(Files::new(folder.path()), script.clone());
            let scene = Self { folder, catalog, script };
            files.iter().for_each(|(name, text)| scene.write(name, text));
            scene
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.folder.path().join(format!("{name}.js")), text).expect("written");
        }

        /// `name: error` for each, with `…` at those that are checked.
        async fn list(&self) -> Vec<String> {
            let listed = self.catalog.list().await.into_iter().map(|state| {
                let end = if state.checking { "…" } else { "" };
                format!("{}: {}{end}", state.file.name, state.error.unwrap_or_default())
            });
            listed.collect()
        }

        /// The files checked since the last call.
        fn checked(&self) -> Vec<String> {
            let mut checked = std::mem::take(&mut *self.script.0.lock().expect("whole"));
            checked.sort();
            checked
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_takes_long_shows_in_a_later_list_and_is_made_once() {
        let scene = Scene::new(&[("good", ""), ("loop", "5 bad"), ("slow", "5")]);
        let begun = Instant::now();
        assert_eq!(scene.list().await, ["good: ", "loop: …", "slow: …"]);
        assert!(begun.elapsed() <= PATIENCE + Duration::from_millis(10), "{:?}", begun.elapsed());
        assert_eq!(scene.list().await, ["good: ", "loop: …", "slow: …"]);
        advance(Duration::from_secs(4)).await;
        assert_eq!(scene.list().await, ["good: ", "loop: 5 bad is bad", "slow: "]);
        assert_eq!(scene.checked(), ["tasks/good.js", "tasks/loop.js", "tasks/slow.js"]);
        advance(BELIEVED).await;
        assert_eq!(scene.list().await, ["good: ", "loop: 5 bad is bad…", "slow: "], "it is checked again");
        assert_eq!(scene.checked(), ["tasks/loop.js"]);
    }

    #[tokio::test(start_paused = true)]
    async fn results_are_kept_until_the_source_changes_but_a_quick_failure_is_looked_at_again() {
        let scene = Scene::new(&[("a", ""), ("b", "bad")]);
        assert_eq!(scene.list().await, ["a: ", "b: bad is bad"]);
        scene.checked();
        assert_eq!(scene.list().await, ["a: ", "b: bad is bad"]);
        assert_eq!(scene.checked(), ["tasks/b.js"]);
        scene.write("a", "0 bad");
        assert_eq!(scene.list().await, ["a: 0 bad is bad", "b: bad is bad"]);
        fs::remove_file(scene.folder.path().join("a.js")).expect("removed");
        assert_eq!(scene.list().await, ["b: bad is bad"]);
        assert_eq!(scene.catalog.checks.lock_known().len(), 1, "files that are gone are forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_is_refused_for_a_failure_of_now_and_never_for_a_kept_one() {
        let scene = Scene::new(&[("loop", "5 bad"), ("good", "")]);
        assert!(matches!(scene.catalog.check("loop").await, Err(HandlerError::Unusable(_))));
        assert!(matches!(scene.catalog.check("loop").await, Err(HandlerError::Unusable(_))));
        assert_eq!(scene.checked(), ["tasks/loop.js"; 2]);
        for _ in 0..2 {
            assert!(scene.catalog.check("good").await.is_ok());
        }
        assert_eq!(scene.checked(), ["tasks/good.js"]);
    }
}
