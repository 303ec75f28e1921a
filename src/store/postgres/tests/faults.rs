//! Lost connections, a database that is away, and a process that was given up.

use std::time::Duration;

use serde_json::json;
use tokio::{runtime::Runtime, time::Instant};

use super::{
    proxy::{Cut, Proxy},
    server::{Server, server},
};
use crate::{
    domain::{draft::tests::definition, facts::Task, ids::TaskId},
    store::{Audit, AuditQuery, Audits, StoreError, Tasks, Upkeep, Values, postgres::PgStore},
};

/// A store behind a proxy.
struct Scene {
    store: PgStore,
    proxy: Proxy,
    runtime: Runtime,
}

impl Scene {
    fn new(server: &Server, schema: &str, lease: u64) -> Self {
        let proxy = Proxy::start(&server.socket());
        let mut settings = Server::settings_at(proxy.socket(), schema);
        settings.lease = lease;
        let store = PgStore::open(settings).expect("it opens");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { store, proxy, runtime }
    }

    fn put(&self, n: u64) -> Result<(), StoreError> {
        self.runtime.block_on(self.store.put("key".to_owned(), json!(n)))
    }
}

fn audit(n: i64) -> Audit {
    Audit { time: n, action: format!("action {n}"), ..Audit::default() }
}

#[test]
fn a_commit_whose_connection_is_cut_is_made_once() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "in_doubt", 30_000);
    for n in 0..12 {
        let cut = if n % 2 == 0 { Cut::After } else { Cut::Before };
        scene.proxy.cut(cut);
        scene.runtime.block_on(scene.store.add_audit(audit(n))).expect("it is made");
        assert!(!scene.proxy.is_armed(), "the commit was cut");
    }
    let page = scene.runtime.block_on(scene.store.audits(AuditQuery::default())).expect("it reads");
    let times: Vec<_> = page.records.iter().map(|(_, audit)| audit.time).collect();
    assert_eq!(times, (0..12).rev().collect::<Vec<_>>());
    scene.runtime.block_on(scene.store.close()).expect("it closes");
}

#[test]
fn while_the_database_is_away_reads_and_changes_fail_and_then_go_on() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "away", 30_000);
    scene.put(1).expect("it is kept");
    scene.proxy.take_away();
    let begun = Instant::now();
    let read = scene.runtime.block_on(scene.store.get("key".to_owned()));
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let put = scene.put(2);
    assert!(matches!(put, Err(StoreError::Unavailable(_))), "{put:?}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // A change that no user waits for is made once the database is back.
    let task = Task::new(TaskId(ulid::Ulid(1)), definition("@hourly"), 0);
    scene.proxy.bring_back();
    scene.runtime.block_on(scene.store.create(task.clone(), None)).expect("it is back");
    scene.proxy.take_away();
    let change = scene.store.change(
        task.id,
        Box::new(|task, _| {
            let mut task = task.clone();
            task.facts.paused = true;
            Ok(crate::domain::step::Step::to(task))
        }),
        None,
        None,
    );
    let change = scene.runtime.block_on(async {
        let asked = tokio::spawn(change);
        tokio::task::yield_now().await;
        scene.proxy.bring_back();
        asked.await.expect("no panic")
    });
    assert!(change.expect("it is made").task.facts.paused);
    let value = scene.runtime.block_on(scene.store.get("key".to_owned())).expect("it reads");
    assert_eq!(value, Some(json!(1)), "a refused change is not made later");
    scene.runtime.block_on(scene.store.close()).expect("it closes");
}

#[test]
fn a_second_process_is_refused_while_the_first_lives_and_takes_over_once_it_is_silent() {
    let Some(server) = server() else { return };
    let lease = 1200;
    let scene = Scene::new(server, "taken_over", lease);
    scene.put(1).expect("it is kept");
    let second = || {
        let mut settings = server.settings("taken_over");
        settings.lease = lease;
        PgStore::open(settings)
    };
    let refused = second().err().expect("the first lives");
    assert!(refused.to_string().contains("uses this schema"), "{refused}");
    scene.put(2).expect("it goes on");
    scene.proxy.take_away();
    let second = second().expect("the first is silent");
    scene.proxy.bring_back();
    let late = scene.put(3);
    assert!(matches!(late, Err(StoreError::Fenced(_) | StoreError::Unavailable(_))), "{late:?}");
    let late = scene.put(4);
    assert!(matches!(late, Err(StoreError::Fenced(_))), "{late:?}");
    let value = scene.runtime.block_on(second.get("key".to_owned())).expect("it reads");
    assert_eq!(value, Some(json!(2)));
    assert_eq!(second.report().epoch, 2);
    scene.runtime.block_on(scene.store.close()).expect("it closes");
    scene.runtime.block_on(second.close()).expect("it closes");
}
