//! Host calls on a store in memory.

use ulid::Ulid;

use super::*;
use crate::{
    clock::SystemClock,
    domain::{
        ids::{ExecutionId, TaskId},
        network::NetPolicy,
    },
    handlers::files::Files,
    network::Limits,
    runtime::{Attempt, Grants, protocol::SystemCall},
    store::memory::{MemoryStore, disk::Disk},
};

fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::open(&Arc::new(Disk::default()), Arc::new(|| SystemClock.now())))
}

fn client() -> Client {
    Client::new(NetPolicy::default(), Limits { body: 1 << 20, requests: 1000 })
}

fn caller(system: bool) -> Caller {
    let (task, execution) = (TaskId(Ulid(1)), ExecutionId(Ulid(2)));
    let attempt = Attempt { task, execution, number: 1, scheduled_for: 0, node: None };
    Caller {
        handler: "h".to_owned(),
        attempt: Some(attempt),
        only_loads: false,
        grants: Grants { system },
        files: Files::new("nowhere"),
        live: Arc::default(),
    }
}

const QUOTA: Quota = Quota { entries: 100, bytes: 1 << 20 };

fn server(store: &Arc<dyn Store>) -> ServerCalls {
    ServerCalls::new(store.clone(), Arc::new(SystemClock), client(), QUOTA)
}

fn put(key: &str) -> HostCall {
    HostCall::System(SystemCall::Put { key: key.to_owned(), value: "[1]".to_owned() })
}

async fn ask(calls: &ServerCalls, system: bool, call: HostCall) -> Result<String, String> {
    match calls.begin(caller(system)).answer(call).await? {
        Answer::Json(text) => Ok(text),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_system_answers_only_callers_that_are_granted_it() {
    let store = store();
    let server = server(&store);
    let refused = ask(&server, false, put("k")).await.expect_err("it is not granted");
    assert!(refused.contains("systemHandlers"), "{refused}");
    assert_eq!(store.get("system/k".to_owned()).await.expect("it reads"), None);
    assert_eq!(ask(&server, true, put("k")).await.as_deref(), Ok("null"));
    let get = HostCall::System(SystemCall::Get { key: "k".to_owned() });
    assert_eq!(ask(&server, true, get).await.as_deref(), Ok("[1]"));
}

#[tokio::test]
async fn arguments_that_no_runner_has_checked_are_refused_here() {
    let store = store();
    let server = server(&store);
    for older_than in [f64::NAN, f64::INFINITY, -1.0, 36_501.0] {
        let call = HostCall::System(SystemCall::RemoveHistory { older_than, dry_run: false });
        assert!(ask(&server, true, call).await.is_err(), "{older_than}");
    }
    let no_json = SystemCall::Put { key: "k".to_owned(), value: "{".to_owned() };
    assert!(ask(&server, true, HostCall::System(no_json)).await.is_err());
    for key in ["", &"k".repeat(201)] {
        assert!(ask(&server, true, put(key)).await.is_err());
    }
}

#[tokio::test]
async fn without_a_store_the_system_says_where_there_is_one() {
    let calls = ServerCalls::without_system(store(), client(), QUOTA);
    let error = ask(&calls, true, put("k")).await.expect_err("there is no store");
    assert!(error.contains("create a task"), "{error}");
}

#[tokio::test]
async fn a_handler_that_is_only_checked_changes_nothing() {
    let store = store();
    let server = server(&store);
    let checked = Caller { attempt: None, only_loads: true, ..caller(true) };
    let refused = server.begin(checked).answer(put("k")).await.expect_err("it does not run");
    assert!(refused.contains("while its handler is checked"), "{refused}");
    assert_eq!(store.get("system/k".to_owned()).await.expect("it reads"), None);
}
