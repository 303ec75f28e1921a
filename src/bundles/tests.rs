//! Bundles in a store in memory.

use std::fs;

use super::{bundle::FileEntry, *};
use crate::{
    domain::audit::Audit,
    handlers::{
        files::Files,
        shelf::{Shelf, Supply},
    },
    store::in_memory,
};

struct Scene {
    folder: tempfile::TempDir,
    store: Arc<dyn Store>,
    bundles: Arc<Bundles>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = in_memory(Arc::new(|| 0));
        let bundles = Arc::new(Bundles::new(store.clone(), folder.path().join("first")));
        Self { folder, store, bundles }
    }

    /// Pushes files as a client does. Returns the id, and the number of chunks that were sent.
    async fn push(&self, time: Millis, files: &[(&str, &[u8])]) -> (String, usize) {
        let mut chunks = std::collections::BTreeMap::new();
        let mut manifest = Manifest::new();
        for (path, bytes) in files {
            let hashes: Vec<_> = bytes.chunks(bundle::CHUNK).map(hash_of).collect();
            chunks.extend(bytes.chunks(bundle::CHUNK).map(|part| (hash_of(part), part.to_vec())));
            manifest.insert((*path).to_owned(), FileEntry { size: bytes.len() as u64, chunks: hashes });
        }
        let text = serde_json::to_vec(&manifest).expect("JSON");
        chunks.insert(hash_of(&text), text.clone());
        let mut sent = 0;
        for _ in 0..3 {
            let audit = Audit { time, ..Audit::default() };
            match self.bundles.push(vec![hash_of(&text)], audit).await.expect("it is right") {
                Pushed::Done(bundle) => return (bundle.id, sent),
                Pushed::Lacks(missing) => {
                    sent += missing.len();
                    for hash in missing {
                        self.bundles.keep_chunk(&hash, &chunks[&hash]).await.expect("it is kept");
                    }
                }
            }
        }
        panic!("it lacks chunks again and again");
    }

    async fn files(&self) -> Files {
        self.bundles.files().await.expect("they are unpacked")
    }
}

fn read(files: &Files, path: &str) -> Option<String> {
    fs::read_to_string(files.root().join(path)).ok()
}

#[tokio::test]
async fn a_push_sends_only_new_parts_and_a_run_keeps_the_files_that_it_began_with() {
    let scene = Scene::new();
    let refused = scene.bundles.files().await.expect_err("there are none");
    assert!(refused.contains("isochron handlers push"), "{refused}");
    let large = vec![7; bundle::CHUNK + 1];
    let (first, sent) = scene
        .push(1, &[("a.js", b"one"), ("lib/b.js", b"same"), ("large.bin", &large), ("empty.js", b"")])
        .await;
    assert_eq!(sent, 5, "the manifest and four chunks");
    let old = scene.files().await;
    assert_eq!(
        (read(&old, "a.js"), read(&old, "lib/b.js")),
        (Some("one".to_owned()), Some("same".to_owned()))
    );
    assert_eq!(fs::read(old.root().join("large.bin")).expect("it is there"), large);
    assert_eq!(read(&old, "empty.js").as_deref(), Some(""));
    let (second, sent) = scene.push(2, &[("a.js", b"two"), ("lib/b.js", b"same")]).await;
    assert_eq!(sent, 2);
    let new = scene.files().await;
    assert_eq!((read(&new, "a.js").as_deref(), read(&new, "large.bin")), (Some("two"), None));
    assert_eq!(read(&old, "a.js").as_deref(), Some("one"), "a run goes on with its own");
    let (bundles, current) = scene.bundles.list().await.expect("it reads");
    assert_eq!(bundles.iter().map(|bundle| &bundle.id).collect::<Vec<_>>(), [&second, &first]);
    assert_eq!(current.as_ref(), Some(&second));
    let back = scene.bundles.use_again(&first, Audit::default()).await.expect("it is there");
    assert_eq!((back.id, back.files), (first, 4));
    assert_eq!(read(&scene.files().await, "a.js").as_deref(), Some("one"));
    let unknown = scene.bundles.use_again(&"0".repeat(64), Audit::default()).await;
    assert!(matches!(unknown, Err(BundleError::NotFound(_))));
}

#[tokio::test]
async fn another_server_has_the_same_files_and_a_shelf_shows_them() {
    let scene = Scene::new();
    scene.push(1, &[("a.js", b"module.exports = () => 1")]).await;
    let other = Arc::new(Bundles::new(scene.store.clone(), scene.folder.path().join("second")));
    let shelf = Shelf::supplied(Files::new(scene.folder.path().join("none")), other);
    assert_eq!(shelf.seen().names(), Vec::<String>::new());
    assert_eq!(shelf.at_hand().await.names(), ["a"]);
    assert_eq!(shelf.seen().names(), ["a"]);
}

#[tokio::test]
async fn a_part_with_another_hash_is_refused_and_a_damaged_one_is_told() {
    let scene = Scene::new();
    let refused = scene.bundles.keep_chunk(&hash_of(b"a"), b"b").await;
    assert!(matches!(refused, Err(BundleError::Invalid(_))), "{refused:?}");
    assert!(matches!(scene.bundles.keep_chunk(&hash_of(b""), b"").await, Err(BundleError::Invalid(_))));
    scene.push(1, &[("a.js", b"one")]).await;
    let key = format!("{CHUNK}{}", hash_of(b"one"));
    scene.store.put(key, json!("AAAA")).await.expect("it is kept");
    let told = scene.bundles.files().await.expect_err("it is damaged");
    assert!(told.contains("push the handlers again"), "{told}");
}

#[tokio::test]
async fn the_oldest_versions_go_with_the_parts_that_no_other_has() {
    let scene = Scene::new();
    for time in 0..25_i64 {
        scene.push(time, &[("a.js", format!("{time}").as_bytes()), ("same.js", b"same")]).await;
    }
    let (bundles, current) = scene.bundles.list().await.expect("it reads");
    assert_eq!((bundles.len(), bundles[0].pushed_at), (KEPT, 24));
    assert_eq!(current.as_ref(), Some(&bundles[0].id));
    // Of each version its manifest and one file, and the file that all have.
    assert_eq!(scene.bundles.chunks().await.expect("it reads").len(), 2 * KEPT + 1);
    let oldest = bundles.last().expect("twenty").id.clone();
    scene.bundles.use_again(&oldest, Audit::default()).await.expect("it is there");
    let files = scene.files().await;
    assert_eq!(
        (read(&files, "a.js").as_deref(), read(&files, "same.js").as_deref()),
        (Some("5"), Some("same"))
    );
    scene.push(30, &[("a.js", b"last")]).await;
    let (bundles, _) = scene.bundles.list().await.expect("it reads");
    assert!(bundles.iter().all(|bundle| bundle.id != oldest), "it is used no more");
    let folder = files.root().to_owned();
    drop(files);
    scene.files().await;
    for _ in 0..1000 {
        if !folder.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the folder of a version that nothing uses is still there");
}

#[tokio::test]
async fn the_current_version_has_its_parts_although_the_clock_was_set_back() {
    let scene = Scene::new();
    for time in 100..120_i64 {
        scene.push(time, &[("a.js", format!("{time}").as_bytes())]).await;
    }
    scene.push(1, &[("a.js", b"now")]).await;
    assert_eq!(read(&scene.files().await, "a.js").as_deref(), Some("now"));
}
