//! How much of a large store a request reads. The store counts; the bounds are those of the contract, and
//! do not grow with the store.

use std::{io, sync::Arc};

use axum::{body::Body, extract::Request, http::header};
use http_body_util::BodyExt;
use tempfile::TempDir;
use ulid::Ulid;

use crate::{
    access::Access,
    alerts::{self, Alerts},
    api::{
        Api, ClusterReady, Forecasts, Front, MetricsSettings, Process, Readiness, RunnersReady, Streams,
        front,
    },
    backup::BackupState,
    bundles::Bundles,
    clock::{Clock, Sleep},
    domain::{
        Millis,
        access::{record::TokenHash, redact::Redaction},
        activity::{Bucket, Size, Tally},
        alerts::AlertConfig,
        audit::{Action, Actor},
        draft::{Defaults, tests::definition},
        execution::{ExecutionStatus, Reason, Verdict},
        facts::Task,
        ids::{ExecutionId, TaskId},
        network::NetPolicy,
        source::Source,
        step::Policy,
    },
    events::Events,
    handlers::{LoadCheck, Loader, catalog::Catalog, files::Files},
    metrics::Metrics,
    runtime::{Invocation, Later, Runner},
    scheduler::Scheduler,
    secrets::{Vault, key::KeySource},
    store::{
        Copies, Quota, Span, Store,
        contract::row,
        copy::{Import, Record},
        sled::SledStore,
    },
    taskfile::TaskFileState,
    traces::Traces,
};

/// 2026-03-02T10:00:00Z, a Monday.
const NOW: Millis = 1_772_445_600_000;
const MINUTE: Millis = 60_000;
const TOKEN: &str = "the-token-of-the-configuration";

/// More than any bound of a list: 5,000 matches, 4,000 tasks in order, 5,000 keys of history.
const TASKS: u128 = 12_000;
/// Rows of each task.
const ROWS: u128 = 3;
/// The task with a long history.
const BUSY: u128 = 7;
const BUSY_ROWS: u128 = 6_000;
/// Records of the audit about it.
const AUDITS: Millis = 6_000;

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Millis {
        NOW
    }

    fn sleep_until(&self, _: Millis) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }

    fn roll(&self) -> f64 {
        0.5
    }

    fn bits(&self) -> u128 {
        7
    }
}

/// Runs nothing, loads everything, and is ready.
struct Idle;

impl Runner for Idle {
    fn run(&self, _: Invocation) -> Later<'_, Verdict> {
        Box::pin(std::future::pending())
    }

    fn capacity(&self) -> usize {
        8
    }
}

impl Loader for Idle {
    fn load<'a>(&'a self, _: &'a str, _: Source) -> Later<'a, io::Result<LoadCheck>> {
        Box::pin(async { Ok(LoadCheck { error: None, timed_out: false, modules: Vec::new() }) })
    }
}

impl Readiness for Idle {
    fn runners(&self) -> RunnersReady {
        RunnersReady { alive: 1, idle: 1, waiting: 0 }
    }

    fn runner_deaths(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    fn sandbox(&self) -> String {
        String::new()
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }

    fn backup(&self) -> BackupState {
        BackupState::default()
    }

    fn task_file(&self) -> TaskFileState {
        TaskFileState::default()
    }

    fn scheduler(&self) -> bool {
        true
    }

    fn process(&self) -> Process {
        Process::default()
    }

    fn cluster(&self) -> Option<ClusterReady> {
        None
    }
}

/// A server over a large store.
struct Scene {
    store: Arc<SledStore>,
    front: Front,
    _folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SledStore::open(&folder.path().join("store"), 64 << 20, Arc::new(|| NOW));
        let store = Arc::new(store.expect("it opens"));
        fill(&store).await;
        let front = open_front(store.clone(), &folder).await;
        Self { store, front, _folder: folder }
    }

    /// Asks for a path; the keys and the records that it took.
    async fn ask(&self, path: &str) -> (u64, u64) {
        let (keys, records) = self.store.count_reads();
        let request = Request::builder().uri(path).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        let answer = self.front.answer(request.body(Body::empty()).expect("a request")).await;
        let status = answer.status();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&body));
        let (keys_then, records_then) = self.store.count_reads();
        (keys_then - keys, records_then - records)
    }
}

async fn open_front(store: Arc<SledStore>, folder: &TempDir) -> Front {
    let store: Arc<dyn Store> = store;
    let (clock, events): (Arc<dyn Clock>, _) = (Arc::new(Still), Events::default());
    let scheduler =
        Scheduler::new(store.clone(), Arc::new(Idle), clock.clone(), events.clone(), Policy::default());
    let tasks = folder.path().join("tasks");
    std::fs::create_dir(&tasks).expect("a folder of handlers");
    std::fs::write(tasks.join("h1.js"), "module.exports = () => 1;").expect("a handler");
    let parts = alerts::Parts {
        store: store.clone(),
        scheduler: scheduler.clone(),
        clock: clock.clone(),
        events: events.clone(),
        net: NetPolicy::default(),
        public_url: None,
        host: "here".to_owned(),
    };
    let key = KeySource::File(folder.path().join("key"));
    let token = TokenHash::of(TOKEN.as_bytes());
    front(Api {
        scheduler,
        store: store.clone(),
        catalog: Catalog::new(Files::new(&tasks), Arc::new(Idle)),
        bundles: Arc::new(Bundles::new(store.clone(), folder.path().join("bundles"))),
        clock: clock.clone(),
        events,
        streams: Streams::default(),
        vault: Arc::new(Vault::open(store.clone(), clock.clone(), key).await.expect("a vault")),
        access: Arc::new(Access::open(store, clock, token, None).await.expect("tokens")),
        public_url: None,
        trusted_proxies: Vec::new(),
        redaction: Redaction::new(&[]),
        quota: Quota { entries: 1, bytes: 1 },
        alerts: Alerts::open(&AlertConfig::default(), parts).expect("channels"),
        defaults: Defaults { timezone: chrono_tz::UTC, keep_executions: 100 },
        metrics: Arc::new(Metrics::default()),
        metrics_settings: MetricsSettings::default(),
        forecasts: Forecasts::default(),
        readiness: Arc::new(Idle),
        traces: Traces::default(),
    })
}

fn task(number: u128) -> Task {
    let mut definition = match number {
        BUSY => definition("* * * * *"),
        _ => definition(&format!("{} {} * * *", number % 60, number / 60 % 24)),
    };
    definition.name = format!("task number {number}");
    definition.handler = format!("h{}", number % 40);
    definition.tags = vec![format!("t{}", number % 25)];
    definition.recurring = true;
    definition.keep_executions = 10_000;
    let mut task = Task::new(TaskId(Ulid(number)), definition, NOW - 86_400_000);
    task.facts.paused = number % 10 == 3;
    task.facts.next = Some(NOW + Millis::try_from(number).expect("small") * 1000);
    task.updated_at = NOW - Millis::try_from(number).expect("small");
    task
}

/// The rows of a task: one of 50 has failed.
fn rows(task: &Task, number: u128) -> Vec<Record> {
    let count = if number == BUSY { BUSY_ROWS } else { ROWS };
    let of = |index: u128| {
        let created = NOW - Millis::try_from((number * 7 + index * 13) % 80_000).expect("small") * 1000;
        let id = ExecutionId(Ulid::from_parts(created.unsigned_abs(), number * 10_000 + index));
        let status = if (number + index).is_multiple_of(50) {
            ExecutionStatus::Failed
        } else {
            ExecutionStatus::Completed
        };
        let mut row = row(task, id, status, created);
        row.reason = (status == ExecutionStatus::Failed).then_some(Reason::Timeout);
        row.start_time = Some(created);
        row.duration = Some(5);
        Record::Execution(Box::new(row))
    };
    (0..count).map(of).collect()
}

async fn fill(store: &SledStore) {
    let mut records = Vec::new();
    for number in 1..=TASKS {
        let task = task(number);
        let rows = rows(&task, number);
        records.push(Record::Task(Box::new(task)));
        records.extend(rows);
        if records.len() > 4000 {
            store.import(Import::Records(std::mem::take(&mut records))).await.expect("it is taken in");
        }
    }
    for (size, count) in [(Size::Minute, 2880), (Size::Hour, 2160)] {
        let tally = Tally { completed: 3, ..Tally::default() };
        let start = |index: Millis| size.start(NOW) - (index + 1) * size.length();
        records.extend((0..count).map(|index| Record::Activity {
            span: Span::Closed(size),
            bucket: Bucket { start: start(index), tally: tally.clone() },
        }));
    }
    let busy = task(BUSY);
    let audit =
        |index| Actor::of_system("somebody", String::new()).record(Action::Run, NOW - index).about(&busy);
    records.extend((0..AUDITS).map(|index| Record::Audit(audit(index))));
    store.import(Import::Records(records)).await.expect("it is taken in");
    store.import(Import::Complete).await.expect("it is complete");
}

/// Keys of history that one page may look at; one more tells whether there are more.
const LOOKED_AT: u64 = 5_001;

/// A path, the most keys and the most records that it may read.
struct Bound(&'static str, u64, u64);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_reads_no_more_of_a_large_store_than_its_bound() {
    let scene = Scene::new().await;
    let day = NOW - 86_400_000;
    let mut broken = Vec::new();
    for Bound(path, most_keys, most_records) in BOUNDS {
        let path = path
            .replace("NOW", &NOW.to_string())
            .replace("DAY", &day.to_string())
            .replace("SPAN", &(NOW - 1500 * MINUTE).to_string())
            .replace("BUSY", &TaskId(Ulid(BUSY)).to_string());
        let (keys, records) = scene.ask(&path).await;
        println!("{keys:>6} keys {records:>5} records  {path}");
        if keys > *most_keys || records > *most_records {
            broken.push(format!(
                "{path}: {keys} keys (at most {most_keys}), {records} records ({most_records})"
            ));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[rustfmt::skip]
const BOUNDS: &[Bound] = &[
    Bound("/admin/overview", 60, 60),
    // A list by an index: the rows, their keys, and the counters of the total.
    Bound("/admin/scheduler?fields=list&limit=100", 150, 100),
    Bound("/admin/scheduler?fields=list&limit=100&sortOrder=desc", 150, 100),
    Bound("/admin/scheduler?fields=list&limit=100&sortBy=name", 150, 100),
    Bound("/admin/scheduler?fields=list&limit=100&sortBy=createdAt", 150, 100),
    Bound("/admin/scheduler?fields=list&limit=100&sortBy=updatedAt&sortOrder=desc", 150, 100),
    Bound("/admin/scheduler?fields=list&limit=100&status=active", 150, 100),
    Bound("/admin/scheduler?fields=list&limit=100&status=paused", 150, 100),
    Bound("/admin/scheduler?fields=list&limit=100&handler=h1", 150, 100),
    Bound("/admin/scheduler?fields=list&limit=100&tag=t1", 150, 100),
    // A filter with an order of another index: its keys, or its tasks, up to a limit.
    Bound("/admin/scheduler?fields=list&limit=100&status=active&sortBy=name", 2 * 12_000, 5_000),
    Bound("/admin/scheduler?fields=list&limit=100&status=paused&sortBy=name", 2 * 12_000, 5_000),
    Bound("/admin/scheduler?fields=list&limit=100&handler=h1&sortBy=updatedAt", 2 * 12_000, 5_000),
    Bound("/admin/scheduler?fields=list&limit=100&name=number%2011", 2 * 12_000, 5_000),
    // A page of 20 with the newest ten rows of each.
    Bound("/admin/scheduler", 150, 20 + 20 * 10),
    // A page of rows; where the index does not decide, a bounded number of rows beside it.
    Bound("/admin/executions?limit=100", LOOKED_AT, 100),
    Bound("/admin/executions?limit=100&order=asc", LOOKED_AT, 100),
    Bound("/admin/executions?limit=100&status=failed", LOOKED_AT, 100),
    Bound("/admin/executions?limit=100&status=completed,cancelled", LOOKED_AT, 100),
    Bound("/admin/executions?limit=100&status=cancelled", LOOKED_AT, 100),
    Bound("/admin/executions?limit=100&reason=timeout", LOOKED_AT, 100),
    Bound("/admin/executions?limit=100&reason=crashed", LOOKED_AT, 100),
    Bound("/admin/executions?limit=100&trigger=manual", LOOKED_AT, 100),
    Bound("/admin/executions?limit=100&handler=h7", LOOKED_AT, 100),
    Bound("/admin/executions?limit=100&handler=h7&status=failed", LOOKED_AT, 100),
    Bound("/admin/executions?limit=100&handler=nobody", LOOKED_AT, 100),
    Bound("/admin/executions?limit=100&tag=t1", LOOKED_AT, 1_200),
    Bound("/admin/executions?limit=100&tag=nothing", LOOKED_AT, 1_200),
    Bound("/admin/executions?limit=100&taskId=BUSY", LOOKED_AT, 100),
    Bound("/admin/executions?limit=100&taskId=BUSY&status=cancelled", LOOKED_AT, 1_200),
    Bound("/admin/executions?limit=100&from=DAY&to=NOW", LOOKED_AT, 100),
    Bound("/admin/scheduler/BUSY/executions?limit=50", 100, 51 + 50),
    Bound("/admin/activity?bucket=minute&from=SPAN&to=NOW", 10, 1_502),
    Bound("/admin/activity?bucket=hour", 10, 30),
    Bound("/admin/upcoming?limit=1000", 2_000, 2_000),
    Bound("/admin/upcoming?limit=1000&handler=h7", 2_000, 2_000),
    Bound("/admin/upcoming?limit=1000&tag=t1", 2_000, 2_000),
    Bound("/admin/timeline?lanes=50", 50 * 200, 50 * 201 + 100),
    Bound("/admin/timeline?lanes=50&handler=h7", 50 * 200, 50 * 201 + 100),
    // The rows and the changes of a task, up to a thousand changes.
    Bound("/admin/scheduler/BUSY/explain?from=DAY&to=NOW", 2_100, 402 + 1_001),
    Bound("/admin/audit?limit=100", 10, 101),
    Bound("/admin/audit?limit=100&actor=nobody", 10, LOOKED_AT),
    Bound("/admin/audit?limit=100&taskId=BUSY", 110, 101),
    Bound("/admin/audit?limit=100&taskId=BUSY&actor=nobody", LOOKED_AT + 10, LOOKED_AT),
    Bound("/admin/search?q=number%201", 100_000, 10),
    Bound("/admin/search?q=nothing%20has%20this", 100_000, 10),
    Bound("/admin/handlers", 10, 10),
    Bound("/admin/handlers/h1", 100, 40),
    Bound("/admin/alerts", 100, 100),
    Bound("/admin/alerts/deliveries", 100, 100),
    // The distinct schedules, not the tasks.
    Bound("/admin/forecast", 2 * 1_440 + 10, 2 * 1_440 + 10),
    Bound("/admin/scheduler/conflicts?schedule=0%209%20*%20*%201", 2 * 1_440 + 10, 2 * 1_440 + 10),
    Bound("/metrics", 1_000, 500),
];
