//! The catalog with checks that take a given time.

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
async fn a_check_that_ends_after_its_list_is_told_once_unless_the_list_showed_its_result() {
    let scene = Scene::new(&[("good", ""), ("slow", "2 bad")]);
    let mut late = scene.catalog.late_checks();
    assert_eq!(scene.list().await, ["good: ", "slow: …"]);
    assert!(!late.has_changed().expect("it is there"), "it goes on");
    late.changed().await.expect("it is told");
    assert_eq!(scene.list().await, ["good: ", "slow: 2 bad is bad…"], "it is checked again");
    sleep(BELIEVED).await;
    assert!(!late.has_changed().expect("it is there"), "its result was shown");
    scene.write("slow", "2");
    assert_eq!(scene.list().await, ["good: ", "slow: …"]);
    late.changed().await.expect("it is told");
    assert_eq!(scene.list().await, ["good: ", "slow: "]);
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
