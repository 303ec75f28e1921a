//! Notices that a file of the handlers' folder was saved.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tokio::{task::spawn_blocking, time::sleep};

/// The time between two looks at the folder.
const EVERY: Duration = Duration::from_millis(150);
/// The most levels of folders that are looked at.
const DEEPEST: usize = 8;
/// The most files that are looked at.
const MOST: usize = 10_000;

/// Path, time of the last change and size of each file.
type Files = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// The folder as it was when it was last looked at. Installed packages count as one file.
pub(super) struct Watch {
    folder: PathBuf,
    seen: Files,
}

impl Watch {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), seen: look(folder) }
    }

    /// Waits until files have changed and stand still; returns one of them, below the folder. May be
    /// dropped while it waits.
    pub(super) async fn wait_for_save(&mut self) -> String {
        loop {
            let files = self.look_later().await;
            if files == self.seen {
                continue;
            }
            // An editor writes a file in pieces, and several files at once.
            let mut last = files;
            loop {
                let files = self.look_later().await;
                if files == last {
                    break;
                }
                last = files;
            }
            let changed = last.iter().find(|(path, state)| self.seen.get(*path) != Some(*state));
            let gone = self.seen.keys().find(|path| !last.contains_key(*path));
            let shown = changed.map(|(path, _)| path).or(gone).map(|path| self.shown(path));
            self.seen = last;
            if let Some(shown) = shown {
                return shown;
            }
        }
    }

    async fn look_later(&self) -> Files {
        sleep(EVERY).await;
        let folder = self.folder.clone();
        spawn_blocking(move || look(&folder)).await.unwrap_or_default()
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }
}

fn look(folder: &Path) -> Files {
    let mut files = Files::new();
    collect(folder, 0, &mut files);
    files
}

fn collect(folder: &Path, depth: usize, files: &mut Files) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if files.len() >= MOST {
            return;
        }
        let (path, name) = (entry.path(), entry.file_name());
        if name == "node_modules" {
            // The package manager writes this file at each install.
            add(path.join(".package-lock.json"), files);
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth < DEEPEST && !name.to_string_lossy().starts_with('.') {
                collect(&path, depth + 1, files);
            }
        } else {
            add(path, files);
        }
    }
}

fn add(path: PathBuf, files: &mut Files) {
    if let Ok(metadata) = fs::metadata(&path) {
        files.insert(path, (metadata.modified().ok(), metadata.len()));
    }
}
