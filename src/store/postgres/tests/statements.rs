//! Plans of statements, over tables with many rows.

use std::sync::Arc;

use super::server::server;
use crate::{
    domain::{
        execution::{ExecutionStatus, Trigger},
        facts::TaskStatus,
        ids::TaskId,
    },
    store::{
        Direction, HistoryQuery, TaskQuery, TaskSort, Upkeep,
        contract::everything,
        postgres::{
            connection::{Connection, Query, args, query},
            read,
            write::{CLAIM, operations::WORDS},
        },
    },
};

/// Fills the tables with 20,000 tasks and as many executions.
const FILL: &str = "
    INSERT INTO #task SELECT md5(n::text)::uuid, 'h' || n % 50, ARRAY['t' || n % 400], NULL, 1, '{}'
      FROM generate_series(1, 20000) n;
    INSERT INTO #task_name SELECT 'task ' || n, 'task ' || n, md5(n::text)::uuid FROM generate_series(1, 20000) n;
    INSERT INTO #state (task, version, defined, priority, due, next_run, updated, running, rest, handler, keyed,
        firing, untold, facts)
      SELECT md5(n::text)::uuid, 1, 1, CASE WHEN n % 100 = 0 THEN 5 ELSE 0 END, n * 1000, n * 1000, n, 0, 1 + n % 5,
        'h' || n % 50, false, false, false, '{}'
      FROM generate_series(1, 20000) n;
    INSERT INTO #execution (task, id, created, status, reason, trigger, handler, scheduled_for, row)
      SELECT md5((n % 500)::text)::uuid, md5('e' || n)::uuid, n, CASE WHEN n % 50 = 0 THEN 2 ELSE 1 END, NULL, 0,
        'h' || n % 50, n, '{}'
      FROM generate_series(1, 20000) n;
    ANALYZE #task; ANALYZE #task_name; ANALYZE #state; ANALYZE #execution; ANALYZE #running";

/// A page of the tasks, by next run.
fn page() -> TaskQuery {
    TaskQuery { sort: TaskSort::NextRun, limit: 20, newest: 10, ..everything() }
}

fn lists() -> Vec<(&'static str, TaskQuery)> {
    let sorted = |sort| TaskQuery { sort, ..page() };
    vec![
        ("all by next run", page()),
        ("all by next run, last first", TaskQuery { direction: Direction::Descending, ..page() }),
        ("of a status", TaskQuery { status: Some(TaskStatus::Paused), ..page() }),
        ("of a handler", TaskQuery { handler: Some("h7".to_owned()), ..page() }),
        ("in progress", TaskQuery { status: Some(TaskStatus::Running), ..page() }),
        ("all by name", sorted(TaskSort::Name)),
        ("all by creation", sorted(TaskSort::CreatedAt)),
        ("all by change", sorted(TaskSort::UpdatedAt)),
        ("by a part of their name", TaskQuery { name: Some("SK 1234".to_owned()), ..sorted(TaskSort::Name) }),
        ("of a tag", TaskQuery { tag: Some("t3".to_owned()), ..page() }),
    ]
}

fn histories() -> Vec<(&'static str, HistoryQuery)> {
    let all = HistoryQuery { limit: 20, ..HistoryQuery::default() };
    let failed = vec![ExecutionStatus::Failed];
    vec![
        ("the newest", all.clone()),
        ("the failed", HistoryQuery { statuses: failed, ..all.clone() }),
        ("of a handler", HistoryQuery { handlers: Some(vec!["h7".to_owned()]), ..all.clone() }),
        ("of a task", HistoryQuery { task: Some(TaskId(ulid::Ulid(7))), ..all.clone() }),
        ("by hand", HistoryQuery { triggers: vec![Trigger::Manual], ..all }),
    ]
}

async fn plan(link: &Connection, asked: Query) -> String {
    let rows = link.rows(asked.explained()).await.expect("it plans");
    rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
}

#[test]
fn claims_due_times_and_lists_go_by_an_index() {
    let Some(server) = server() else { return };
    let store = server.open("plans");
    let settings = Arc::new(server.settings("plans"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let link = settings.connect().await.expect("it connects");
        link.batch(FILL).await.expect("it fills");
        let now: Option<i64> = Some(5_000_000);
        let mut asked = vec![
            ("a claim", query(CLAIM, args![now, 20_i64, 64_i64])),
            ("the next due time", query(read::NEXT_DUE, args![])),
            ("the words of a beat", query(WORDS, args![Vec::<u8>::new(), 0_i64])),
        ];
        asked.extend(lists().into_iter().map(|(name, list)| (name, read::items(&list))));
        asked.extend(lists().into_iter().map(|(name, list)| (name, read::total(&list))));
        let histories = histories().into_iter();
        asked.extend(histories.map(|(name, list)| (name, read::history_statement(&list).expect("one"))));
        for (name, query) in asked {
            let plan = plan(&link, query).await;
            for table in ["state", "execution", "task ", "task_name"] {
                assert!(!plan.contains(&format!("Seq Scan on {table}")), "{name} scans:\n{plan}");
            }
        }
    });
    let statistics = runtime.block_on(Upkeep::statistics(&store, false)).expect("it counts");
    assert!(statistics["bytesOnDisk"].as_u64() > Some(1024 * 1024), "{statistics:?}");
    runtime.block_on(Upkeep::close(&store)).expect("it closes");
}
