//! The vault on a store in memory, with a key file in a directory of its own.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc};

use data_encoding::HEXLOWER;
use tempfile::TempDir;

use super::{
    key::{Key, KeySource},
    *,
};
use crate::{
    clock::{Clock, SystemClock},
    domain::{
        audit::Audit,
        binding::{Content, Kind, Rejected},
    },
    store::{
        Store, StoreError,
        memory::{MemoryStore, disk::Disk},
    },
};

/// A disk and a data directory, which outlive the vaults that open them.
struct Scene {
    disk: Arc<Disk>,
    data: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { disk: Arc::default(), data: tempfile::tempdir().expect("a directory") }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::open(&self.disk, Arc::new(|| SystemClock.now())))
    }

    async fn open(&self) -> Vault {
        self.open_with(KeySource::File(self.file("secret-key"))).await
    }

    async fn open_with(&self, source: KeySource) -> Vault {
        Vault::open(self.store(), Arc::new(SystemClock), source).await.expect("it opens")
    }

    /// The files of the data directory, by name.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.data.path()).expect("a directory");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

fn change(value: &str, handlers: &[&str]) -> Change {
    let handlers = handlers.iter().map(|pattern| pattern.parse().expect("a pattern")).collect();
    Change { value: Some(value.to_owned()), handlers: Some(handlers), env: None }
}

async fn set(vault: &Vault, name: &str, value: &str) {
    vault.set(Kind::Secret, name, change(value, &["reports/*"]), Audit::default()).await.expect("it is set");
}

fn read(vault: &Vault, name: &str) -> Result<String, String> {
    vault.read("reports/sales", name)
}

#[tokio::test]
async fn the_first_secret_makes_the_key_and_a_start_makes_none() {
    let scene = Scene::new();
    let vault = scene.open().await;
    let variable =
        vault.set(Kind::Variable, "PLAIN", change("v", &["*"]), Audit::default()).await.expect("it is set");
    assert!(variable.0 && variable.1.env, "a new variable is in the environment");
    assert!(read(&vault, "TOKEN").expect_err("missing").contains("TOKEN is missing"));
    assert_eq!(scene.files(), Vec::<String>::new());
    set(&vault, "TOKEN", "the value").await;
    assert_eq!(scene.files(), ["secret-key"]);
    let mode = fs::metadata(scene.file("secret-key")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = scene.open().await;
    assert_eq!(read(&again, "TOKEN").as_deref(), Ok("the value"));
    let stored = scene.store().bindings().await.expect("it reads");
    let Content::Sealed(sealed) = &stored[1].content else { panic!("{stored:?}") };
    assert!(!sealed.contains("the value"), "{sealed}");
    assert_eq!(vault.list(Kind::Secret).await.len(), 1);
}

#[tokio::test]
async fn a_secret_is_read_by_granted_handlers_only() {
    let scene = Scene::new();
    let vault = scene.open().await;
    set(&vault, "TOKEN", "the value").await;
    let refused = vault.read("reports-old/sales", "TOKEN").expect_err("it is not granted");
    assert!(refused.contains("TOKEN is not granted to the handler reports-old/sales"), "{refused}");
    vault
        .set(
            Kind::Secret,
            "TOKEN",
            Change { handlers: Some(Vec::new()), ..Change::default() },
            Audit::default(),
        )
        .await
        .expect("set");
    assert!(read(&vault, "TOKEN").expect_err("it is granted to none").contains("not granted"));
    let both = Change { env: Some(true), handlers: Some(vec!["*".parse().expect("all")]), value: None };
    vault.set(Kind::Secret, "TOKEN", both, Audit::default()).await.expect("it is set");
    assert_eq!(read(&vault, "TOKEN").as_deref(), Ok("the value"), "the value stays");
    let names = |secrets| {
        vault.environment("any", secrets).into_iter().map(|v| (v.name, v.secret)).collect::<Vec<_>>()
    };
    assert_eq!(names(true), [("TOKEN".to_owned(), true)]);
    assert_eq!(names(false), []);
    let other_kind = vault.set(Kind::Variable, "TOKEN", change("x", &[]), Audit::default()).await;
    assert!(matches!(other_kind, Err(VaultError::Store(StoreError::Rejected(Rejected::OtherKind { .. })))));
    vault.delete(Kind::Secret, "TOKEN", Audit::default()).await.expect("it goes");
    assert!(vault.delete(Kind::Secret, "TOKEN", Audit::default()).await.is_err());
    assert!(read(&vault, "TOKEN").expect_err("missing").contains("missing"));
}

#[tokio::test]
async fn a_wrong_key_says_so_and_changes_nothing() {
    let scene = Scene::new();
    let right = fs::read_to_string;
    set(&scene.open().await, "TOKEN", "the value").await;
    set(&scene.open().await, "OTHER", "other value").await;
    let kept = right(scene.file("secret-key")).expect("a key");
    let before = scene.store().bindings().await.expect("it reads");
    let wrong =
        [Some(KeySource::Variable(Key::random())), Some(KeySource::File(scene.file("no-such-key"))), None];
    for source in wrong {
        if source.is_none() {
            fs::write(scene.file("secret-key"), HEXLOWER.encode(&[7; 32])).expect("written");
        }
        let vault = match source {
            Some(source) => scene.open_with(source).await,
            None => scene.open().await,
        };
        assert!(vault.problem().expect("a problem").starts_with("2 secrets cannot be read"));
        assert!(read(&vault, "TOKEN").expect_err("a wrong key").contains("TOKEN cannot be read"));
        for name in ["TOKEN", "NEW"] {
            let set = vault.set(Kind::Secret, name, change("new", &["*"]), Audit::default()).await;
            assert!(matches!(set, Err(VaultError::Store(StoreError::Rejected(Rejected::OtherKey)))));
        }
        assert!(vault.rotate(None, Audit::default()).await.is_err());
        assert_eq!(scene.store().bindings().await.expect("it reads"), before);
    }
    assert!(!scene.file("no-such-key").exists(), "no key is made beside secrets of another");
    fs::write(scene.file("secret-key"), kept).expect("written");
    let vault = scene.open().await;
    assert_eq!((vault.problem(), read(&vault, "TOKEN").as_deref()), (None, Ok("the value")));
}

#[tokio::test]
async fn a_key_file_that_others_may_read_is_made_private_and_one_without_a_key_is_refused() {
    let scene = Scene::new();
    set(&scene.open().await, "TOKEN", "the value").await;
    fs::set_permissions(scene.file("secret-key"), fs::Permissions::from_mode(0o644)).expect("set");
    let vault = scene.open().await;
    assert_eq!(read(&vault, "TOKEN").as_deref(), Ok("the value"));
    let mode = fs::metadata(scene.file("secret-key")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::write(scene.file("secret-key"), "hunter2").expect("written");
    let opened =
        Vault::open(scene.store(), Arc::new(SystemClock), KeySource::File(scene.file("secret-key"))).await;
    let error = opened.err().expect("it holds no key").to_string();
    assert!(error.contains("secret-key") && !error.contains("hunter2"), "{error}");
}

/// The steps of a rotation after which a kill may come.
#[derive(Debug, Clone, Copy)]
enum Killed {
    BeforeTheStore,
    AfterTheStore,
    AtTheEnd,
}

#[tokio::test]
async fn a_rotation_that_is_killed_at_any_step_leaves_secrets_that_open() {
    for killed in [Killed::BeforeTheStore, Killed::AfterTheStore, Killed::AtTheEnd] {
        let scene = Scene::new();
        let vault = scene.open().await;
        set(&vault, "TOKEN", "the value").await;
        set(&vault, "OTHER", "other value").await;
        let old = scene.store().bindings().await.expect("it reads");
        match killed {
            Killed::AtTheEnd => {
                assert_eq!(vault.rotate(None, Audit::default()).await.expect("it rotates"), 2);
            }
            Killed::BeforeTheStore | Killed::AfterTheStore => {
                let key = Key::random();
                vault.prepare(&key).expect("it is written");
                assert_eq!(scene.files(), ["secret-key", "secret-key.new"]);
                if matches!(killed, Killed::AfterTheStore) {
                    vault.reseal(&key, Audit::default()).await.expect("the store changes");
                }
            }
        }
        drop(vault);
        for _ in 0..2 {
            let vault = scene.open().await;
            assert_eq!((vault.problem(), scene.files()), (None, vec!["secret-key".to_owned()]), "{killed:?}");
            assert_eq!(read(&vault, "TOKEN").as_deref(), Ok("the value"));
            assert_eq!(read(&vault, "OTHER").as_deref(), Ok("other value"));
        }
        let is_old = scene.store().bindings().await.expect("it reads") == old;
        assert_eq!(is_old, matches!(killed, Killed::BeforeTheStore));
        set(&scene.open().await, "NEW", "new value").await;
    }
}

#[tokio::test]
async fn a_key_in_the_variable_is_replaced_by_the_one_that_is_given() {
    let scene = Scene::new();
    let (old, new) = (Key::random(), Key::random());
    let vault = scene.open_with(KeySource::Variable(old.clone())).await;
    set(&vault, "TOKEN", "the value").await;
    assert!(matches!(vault.rotate(None, Audit::default()).await, Err(VaultError::Rotation(_))));
    assert_eq!(vault.rotate(Some(new.clone()), Audit::default()).await.expect("it rotates"), 1);
    assert_eq!(read(&vault, "TOKEN").as_deref(), Ok("the value"));
    assert!(scene.open_with(KeySource::Variable(old)).await.problem().is_some());
    assert_eq!(scene.open_with(KeySource::Variable(new)).await.problem(), None);
    assert_eq!(scene.files(), Vec::<String>::new(), "no file is made beside the variable");
}
