//! Tests of the ring and of listeners.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use ulid::Ulid;

use super::*;
use crate::domain::{
    execution::{ExecutionStatus, Progress, Reason, Trigger},
    facts::TaskStatus,
    ids::{ExecutionId, TaskId},
    step::{News, Row, Subject, TaskState},
};

/// News of the task with this number, published at the time of the same number.
fn changed(task: u32) -> Event {
    of(task, News::TaskUpdated(TaskState { status: TaskStatus::Active, next_run: None, streak: 0 }))
}

fn of(task: u32, news: News) -> Event {
    let subject =
        Subject { task: TaskId(Ulid(task.into())), name: "report".into(), handler: "reports/sales".into() };
    Event { time: task.into(), subject: Some(subject.into()), news }
}

/// The numbers of the events, each with its task's.
fn numbers(told: &[Numbered]) -> Vec<(u64, i64)> {
    told.iter().map(|told| (told.number, told.event.time)).collect()
}

#[test]
fn events_are_numbered_in_their_order_whether_anybody_listens_or_not() {
    let events = Events::default();
    events.publish([changed(1)]);
    let mut listener = events.listen();
    events.publish([]);
    events.publish([changed(2), changed(3)]);
    events.clone().publish([changed(4)]);
    assert!(listener.is_behind());
    let heard = listener.take(|event| event.time != 3).expect("held");
    assert_eq!(numbers(&heard), [(2, 2), (4, 4)]);
    assert!(!listener.is_behind());
    assert_eq!(listener.position(), 4);
}

#[test]
fn a_listener_that_comes_back_hears_everything_after_the_event_it_names() {
    let events = Events::new(12);
    (1..=5).for_each(|task| events.publish([changed(task)]));
    assert_eq!(events.id(3), "a.12.3");
    let mut listener = events.listen_after("a.12.3").expect("held");
    assert_eq!(numbers(&listener.take(|_| true).expect("held")), [(4, 4), (5, 5)]);
    let mut all = events.listen_after("a.12.0").expect("held");
    assert_eq!(all.take(|_| true).expect("held").len(), 5);
    assert!(events.listen_after("a.12.5").is_some_and(|listener| !listener.is_behind()));
    for unknown in ["a.11.3", "a.12.6", "b.12.3", "a.12.", "a.12.-1", "3", "", "a.12.99999999999999999999"] {
        assert!(events.listen_after(unknown).is_none(), "{unknown:?}");
    }
}

#[test]
fn the_last_10000_events_are_held_and_a_listener_behind_them_is_told_so_once() {
    let events = Events::default();
    let mut behind = events.listen();
    (1..=10_001).for_each(|task| events.publish([changed(task)]));
    assert_eq!(behind.take(|_| true).err(), Some(Missed));
    events.publish([changed(7)]);
    assert_eq!(numbers(&behind.take(|_| true).expect("held")), [(10_002, 7)]);
    assert!(events.listen_after(&events.id(1)).is_none(), "two are gone");
    let mut whole = events.listen_after(&events.id(2)).expect("10,000 are held");
    let mut heard = 0;
    while whole.is_behind() {
        heard += whole.take(|_| true).expect("held").len();
    }
    assert_eq!(heard, 10_000);
}

#[test]
fn large_events_take_no_more_memory_than_many_small_ones() {
    let events = Events::default();
    let large = || {
        let progress = Progress { fraction: 0.5, text: Some("x".repeat(4096)) };
        of(1, News::Progress(ExecutionId(Ulid(1)), Box::new(progress)))
    };
    (0..10_000).for_each(|_| events.publish([large()]));
    let held = (1..=10_000).filter(|number| events.listen_after(&events.id(number - 1)).is_some()).count();
    assert!(held * 4096 < 3 * 1024 * 1024 && held > 500, "{held}");
}

#[tokio::test]
async fn a_wait_ends_with_the_event_or_with_the_news_that_it_may_have_been_missed() {
    let events = Events::default();
    let mut listener = events.listen();
    events.publish([changed(1), changed(2)]);
    assert_eq!(listener.hear(|event| event.time == 2).await, Heard::Event);
    let later = async { events.publish([changed(3)]) };
    let (heard, ()) = tokio::join!(listener.hear(|event| event.time == 3), later);
    assert_eq!(heard, Heard::Event);
    let never = timeout(Duration::from_millis(10), listener.hear(|_| true)).await;
    assert!(never.is_err(), "nothing more was published");
    (0..=10_000).for_each(|_| events.publish([changed(4)]));
    assert_eq!(listener.hear(|event| event.time == 5).await, Heard::TooMany);
}

#[test]
fn the_text_of_an_event_is_made_once_for_all_who_keep_up() {
    let events = Events::default();
    let [mut one, mut other] = [events.listen(), events.listen()];
    events.publish([changed(1)]);
    let first = one.take(|_| true).expect("held").remove(0).text;
    let second = other.take(|_| true).expect("held").remove(0).text;
    assert!(Arc::ptr_eq(&first, &second));
}

fn text(event: Event) -> Value {
    let events = Events::default();
    let mut listener = events.listen();
    events.publish([event]);
    let told = listener.take(|_| true).expect("held").remove(0);
    serde_json::from_str(&told.text).expect("JSON")
}

#[test]
fn an_event_of_a_row_has_the_row_and_the_state_of_its_task() {
    let row = Row {
        execution: ExecutionId(Ulid(2)),
        status: ExecutionStatus::Failed,
        reason: Some(Reason::Timeout),
        trigger: Trigger::Retry,
        scheduled_for: 10,
        attempt: 2,
        start_time: Some(11),
        duration: Some(300),
        error: Some("too \"slow\"".into()),
        skipped: 0,
    };
    let task = TaskState { status: TaskStatus::RetryScheduled, next_run: Some(99), streak: 3 };
    insta::assert_snapshot!(text(of(1, News::Ended(Box::new(row), task))), @r#"{"type":"execution-ended","time":1,"taskId":"task-00000000000000000000000001","taskName":"report","handler":"reports/sales","executionId":"exec-00000000000000000000000002","status":"failed","reason":"timeout","trigger":"retry","scheduledFor":10,"attempt":2,"startTime":11,"duration":300,"error":"too \"slow\"","task":{"status":"retry-scheduled","nextRun":99,"streak":3}}"#);
}

#[test]
fn other_events_have_only_their_own_fields() {
    let progress = Progress { fraction: 0.5, text: None };
    insta::assert_snapshot!(text(of(1, News::Progress(ExecutionId(Ulid(2)), progress.into()))), @r#"{"type":"progress","time":1,"taskId":"task-00000000000000000000000001","taskName":"report","handler":"reports/sales","executionId":"exec-00000000000000000000000002","progress":{"fraction":0.5,"text":null}}"#);
    insta::assert_snapshot!(text(of(1, News::TaskDeleted)), @r#"{"type":"task-deleted","time":1,"taskId":"task-00000000000000000000000001","taskName":"report","handler":"reports/sales"}"#);
    let Value::Object(detail) = json!({ "mutedUntil": 5 }) else { unreachable!() };
    let event = Event { time: 3, subject: None, news: News::Config(Box::new(detail)) };
    assert_eq!(text(event), json!({ "type": "config", "time": 3, "detail": { "mutedUntil": 5 } }));
}

#[test]
fn events_of_other_servers_are_heard_and_not_observed() {
    let events = Events::default();
    let observed = Arc::new(AtomicU64::new(0));
    let observer = observed.clone();
    events.observe(move |_| {
        observer.fetch_add(1, Ordering::Relaxed);
    });
    let mut listener = events.listen();
    events.publish([changed(1)]);
    events.publish_of_others([changed(2)]);
    assert_eq!(numbers(&listener.take(|_| true).expect("held")), [(1, 1), (2, 2)]);
    assert_eq!(observed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn events_break_off_for_all_who_listen_or_come_back() {
    let events = Events::default();
    events.publish([changed(1)]);
    let mut listener = events.listen();
    events.break_off();
    timeout(Duration::from_secs(5), listener.wait()).await.expect("there is something to miss");
    assert!(events.listen_after(&events.id(1)).is_none(), "it has missed an event");
    assert_eq!(listener.take(|_| true).err(), Some(Missed));
    events.publish([changed(5)]);
    assert_eq!(listener.take(|_| true).expect("held").len(), 1);
    assert_eq!(events.watchers(), 0);
    let watching = [events.watch(), events.clone().watch()];
    assert_eq!(events.watchers(), 2);
    drop(watching);
    assert_eq!(events.watchers(), 0);
}
