//! Upgrades: the tables of another version than this build's.

use std::{path::Path, sync::Arc};

use super::{
    scene::{Scene, by_hand},
    server::{Server, open as open_at, server},
};
use crate::store::{
    Now, Store, Upkeep,
    contract::{nodes::joined, shares},
    postgres::{
        Dialect, PgStore, Settings,
        connection::{Connection, args, query},
        open::{AHEAD, VERSION, migrate_by},
    },
};

/// A step of the next version: it adds what a step may add.
const NEXT: &str = "
    ALTER TABLE #task ADD COLUMN later bigint NOT NULL DEFAULT 7;
    ALTER TABLE #task_name ADD COLUMN later text NOT NULL DEFAULT 'later';
    ALTER TABLE #state ADD COLUMN later bigint;
    ALTER TABLE #running ADD COLUMN later bigint NOT NULL DEFAULT 7;
    ALTER TABLE #execution ADD COLUMN later bigint NOT NULL DEFAULT 7;
    ALTER TABLE #output ADD COLUMN later bytea;
    ALTER TABLE #node ADD COLUMN later text NOT NULL DEFAULT 'later';
    ALTER TABLE #value ADD COLUMN later bigint;
    ALTER TABLE #audit ADD COLUMN later bigint;
    ALTER TABLE #garbage ADD COLUMN later bigint;
    CREATE TABLE #later (id uuid PRIMARY KEY);
    CREATE INDEX state_later ON #state (later, task)";

/// A connection of its own, for work that the store does not do.
fn on<T, F: Future<Output = T>>(settings: &Settings, work: impl FnOnce(Connection) -> F) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { work(Arc::new(settings.clone()).connect().await.expect("it connects")).await })
}

/// Changes the tables as the build of the next version does.
async fn upgrade(link: &Connection) {
    let next = VERSION + 1;
    migrate_by(link, true, (next, &[(VERSION, "SELECT 1 / 0"), (next, NEXT)]))
        .await
        .expect("it changes them");
}

/// Opens a store whose tables the next version has changed.
fn open(directory: &Path, now: Now) -> Arc<dyn Store> {
    let settings = server().expect("a server").settings(&format!("{}_next", Server::schema_of(directory)));
    PgStore::migrate(settings.clone()).expect("it makes them");
    on(&settings, |link| async move { upgrade(&link).await });
    joined(Arc::new(open_at(settings, Some(now)).unwrap_or_else(|error| panic!("it opens: {error}"))))
}

shares!(super::open, super::server().is_some());

#[test]
fn a_server_goes_on_while_the_next_version_changes_the_tables() {
    let Some(server) = server() else { return };
    let scene = Scene::new(server, "upgraded");
    let task = scene.create(1, by_hand());
    let first = scene.start(task);
    scene.end(task, first);
    // Its statements are prepared for the tables of before.
    scene.runtime.block_on(upgrade(&scene.raw));
    let second = scene.start(task);
    scene.end(task, second);
    scene.put(2).expect("it is written");
    scene.create(2, by_hand());
    scene.runtime.block_on(scene.store.close()).expect("it closes");
    let verified = PgStore::verify(server.settings("upgraded")).expect("it reads");
    assert_eq!((verified.problems, verified.counts.tasks), (vec![], 2));
}

#[test]
fn of_servers_that_change_the_tables_at_the_same_time_one_does() {
    let Some(server) = server() else { return };
    let settings = server.settings("raced");
    PgStore::migrate(settings.clone()).expect("it makes them");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| on(&settings, |link| async move { upgrade(&link).await }));
        }
    });
    let version = on(&settings, |link| async move {
        let rows = link.rows(query("SELECT version FROM #cluster", args![])).await.expect("it reads");
        rows[0].get::<_, i64>(0)
    });
    assert_eq!(version, VERSION + 1);
}

/// The settings of a schema whose tables are made statement by statement.
fn one_by_one(server: &Server, schema: &str) -> Settings {
    let mut settings = server.settings(schema);
    settings.dialect = Dialect::named("yugabyte").expect("a dialect");
    settings
}

#[test]
fn tables_that_were_half_made_one_by_one_are_completed() {
    let Some(server) = server() else { return };
    let settings = one_by_one(server, "half_made");
    let text = include_str!("../open/schema.sql");
    let middle = text.find("CREATE TABLE IF NOT EXISTS #execution").expect("it is there");
    let half: &'static str = format!("{}SELECT 1 / 0;\n", &text[..middle]).leak();
    on(&settings, |link| async move {
        migrate_by(&link, true, (VERSION, &[(VERSION, half)])).await.expect_err("it ends in the middle");
    });
    drop(open_at(settings.clone(), None).unwrap_or_else(|error| panic!("it opens: {error}")));
    assert_eq!(PgStore::verify(settings).expect("it reads").problems, Vec::<String>::new());
}

#[test]
fn of_servers_that_make_the_tables_one_by_one_at_the_same_time_all_open() {
    let Some(server) = server() else { return };
    let settings = one_by_one(server, "made_at_once");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| PgStore::migrate(settings.clone()).expect("it makes them, or finds them"));
        }
    });
    drop(open_at(settings.clone(), None).unwrap_or_else(|error| panic!("it opens: {error}")));
}

#[test]
fn tables_that_are_too_new_or_are_to_be_changed_by_hand_are_refused_with_words() {
    let Some(server) = server() else { return };
    let mut settings = server.settings("versions");
    settings.migrate = false;
    let refusal =
        |settings: &Settings| open_at(settings.clone(), None).err().expect("it is refused").to_string();
    let text = refusal(&settings);
    assert!(text.contains("version 0") && text.contains("isochron store migrate"), "{text}");
    PgStore::migrate(settings.clone()).expect("it makes them");
    let set = |version: i64| {
        on(&settings, |link| async move {
            link.rows(query("UPDATE #cluster SET version = $1", args![version])).await.expect("it is set");
        });
    };
    for version in [VERSION, VERSION + AHEAD] {
        set(version);
        let store = open_at(settings.clone(), None).unwrap_or_else(|error| panic!("{version}: {error}"));
        drop(store);
    }
    set(VERSION + AHEAD + 1);
    let text = refusal(&settings);
    assert!(text.contains(&format!("version {}", VERSION + AHEAD + 1)), "{text}");
    assert!(text.contains("use the newer build"), "{text}");
}
