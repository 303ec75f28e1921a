//! Lost connections, a database that is away, and a process that was given up.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{proxy::Cut, scene::Scene, server::server};
use crate::{
    domain::{draft::tests::definition, facts::Task, ids::TaskId},
    store::{Audit, AuditQuery, Audits, Nodes, StoreError, Tasks, Upkeep, Values},
};

fn audit(n: i64) -> Audit {
    Audit { time: n, action: format!("action {n}"), ..Audit::default() }
}

#[test]
fn a_commit_whose_connection_is_cut_is_made_once() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "in_doubt");
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
    let scene = Scene::new(server, "away");
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
fn a_node_that_is_declared_gone_while_it_is_cut_off_writes_nothing_until_it_joins_anew() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "given_up");
    let second = server.open("given_up");
    scene.put(1).expect("it is kept");
    scene.proxy.take_away();
    let shared = second.shared().expect("many share it");
    let first = scene.store.shared().expect("many share it").node().expect("it has joined");
    scene.runtime.block_on(async {
        let nodes = shared.nodes().await.expect("it reads");
        let beat = nodes.iter().find(|node| node.id == first).expect("it has joined").beat;
        let gone = shared.give_up(first, beat, "it is silent".to_owned()).await;
        assert!(gone.expect("it is written"));
    });
    scene.proxy.bring_back();
    let late = scene.put(2);
    assert!(matches!(late, Err(StoreError::Fenced(_))), "{late:?}");
    // Whoever beats for it hears of it before the next beat.
    let gone = scene.store.shared().expect("many share it").gone();
    let heard = scene.runtime.block_on(async { timeout(Duration::from_secs(5), gone).await });
    assert!(heard.is_ok(), "it does not say so");
    let value = scene.runtime.block_on(second.get("key".to_owned())).expect("it reads");
    assert_eq!(value, Some(json!(1)));
    scene.join(7);
    scene.put(3).expect("it is another node");
    let value = scene.runtime.block_on(second.get("key".to_owned())).expect("it reads");
    assert_eq!(value, Some(json!(3)));
    assert_eq!(second.report().epoch, 2);
    scene.runtime.block_on(scene.store.close()).expect("it closes");
    scene.runtime.block_on(second.close()).expect("it closes");
}

/// The commits that the process was told of and that the database has lost.
fn lost(scene: &Scene) -> u64 {
    scene.store.shared().expect("many share it").lost_commits()
}

#[test]
fn a_database_that_has_lost_commits_is_told_of_and_the_node_joins_anew() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "lost");
    for n in 0..3 {
        scene.put(n).expect("it is kept");
    }
    assert_eq!(lost(&scene), 0);
    // Over a new connection, as after a failover; and over the same one, as a pooler may hide a failover.
    for (is_cut, number, sum) in [(true, 7, 2), (false, 8, 4)] {
        scene.sql("UPDATE #node SET seq = seq - 2 WHERE gone IS NULL");
        if is_cut {
            scene.proxy.take_away();
            scene.proxy.bring_back();
        }
        let refused = scene.put(9);
        assert!(matches!(refused, Err(StoreError::Fenced(_))), "{refused:?}");
        assert_eq!(lost(&scene), sum);
        let nodes = scene.store.shared().expect("many share it").nodes();
        let nodes = scene.runtime.block_on(nodes).expect("it reads");
        assert!(
            nodes.iter().all(|node| node.gone.is_some()),
            "its executions are for all to close: {nodes:?}"
        );
        scene.join(number);
        for n in 0..3 {
            scene.put(n).expect("it is another node");
        }
    }
    scene.runtime.block_on(scene.store.close()).expect("it closes");
}

#[test]
fn a_node_that_the_database_does_not_know_any_more_is_told_of() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "unknown");
    scene.put(1).expect("it is kept");
    scene.put(1).expect("it is kept");
    scene.proxy.take_away();
    scene.sql("DELETE FROM #node");
    scene.proxy.bring_back();
    assert!(matches!(scene.put(2), Err(StoreError::Fenced(_))));
    assert!(lost(&scene) >= 3, "its joining and two values");
    scene.join(7);
    scene.put(3).expect("it is another node");
    scene.runtime.block_on(scene.store.close()).expect("it closes");
}
