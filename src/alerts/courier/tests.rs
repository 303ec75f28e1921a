//! The courier between a store in memory and a channel that notes what it gets. Time passes while
//! nothing can run.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
};

use serde_json::json;
use tokio::time::{Instant, sleep};
use ulid::Ulid;

use super::*;
use crate::{
    alerts::{ChannelState, Links, Parts},
    clock::{Clock, Ids, Sleep},
    domain::{
        alerts::{AlertId, Channel, Given, Quiet, Subject},
        execution::Verdict,
        ids::TaskId,
        network::NetPolicy,
        step::Policy,
    },
    events::Events,
    runtime::{Invocation, Later, Runner},
    scheduler::Scheduler,
    store::{
        Store,
        memory::{MemoryStore, disk::Disk},
    },
};

/// 2026-03-02T10:00:00Z, a Monday.
const START: Millis = 1_772_445_600_000;
const SECOND: Millis = 1000;
const MINUTE: Millis = 60 * SECOND;

/// Shows a time that follows the runtime's.
struct TestClock {
    start: Millis,
    began: Instant,
}

impl Clock for TestClock {
    fn now(&self) -> Millis {
        self.start + Millis::try_from(self.began.elapsed().as_millis()).expect("not that long")
    }

    fn sleep_until(&self, moment: Millis) -> Sleep<'_> {
        let wait = moment.saturating_sub(self.now()).max(0).unsigned_abs();
        Box::pin(sleep(Duration::from_millis(wait)))
    }

    fn roll(&self) -> f64 {
        0.5
    }

    fn bits(&self) -> u128 {
        7
    }
}

/// No task runs here.
struct NoRunner;

impl Runner for NoRunner {
    fn run(&self, _: Invocation) -> Later<'_, Verdict> {
        Box::pin(std::future::pending())
    }

    fn capacity(&self) -> usize {
        1
    }
}

/// The messages that a channel has got.
#[derive(Default)]
pub(in crate::alerts) struct Told {
    messages: Mutex<Vec<(Millis, Vec<String>)>>,
    /// The next answers; yes when there are none left.
    answers: Mutex<VecDeque<bool>>,
}

impl Told {
    pub(in crate::alerts) fn take(&self, message: &Message, now: Millis) -> Attempt {
        let lines =
            if message.lines.is_empty() { vec![message.summary.clone()] } else { message.lines.clone() };
        lock(&self.messages).push((now, lines));
        let ok = lock(&self.answers).pop_front().unwrap_or(true);
        Attempt { time: now, took: 0, status: Some(if ok { 200 } else { 503 }), answer: String::new(), ok }
    }

    /// The messages so far, each with its seconds after the start of the scene.
    fn all(&self) -> Vec<(Millis, Vec<String>)> {
        lock(&self.messages).iter().map(|(time, lines)| (*time, lines.clone())).collect()
    }

    fn summaries(&self) -> Vec<String> {
        self.all().into_iter().map(|(_, lines)| lines[0].clone()).collect()
    }

    fn refuse(&self, times: usize) {
        lock(&self.answers).extend(std::iter::repeat_n(false, times));
    }
}

fn channel() -> Channel {
    let target = Target::Slack { url: Given::Text("http://127.0.0.1".to_owned()) };
    Channel { batch: 10 * SECOND, max_per_hour: 60, quiet: None, target }
}

struct Scene {
    store: Arc<dyn Store>,
    clock: Arc<TestClock>,
    told: Arc<Told>,
    alerts: Arc<Alerts>,
    stop: watch::Sender<bool>,
    ids: u128,
}

impl Scene {
    fn new(channel: Channel) -> Self {
        Self::at(START, channel)
    }

    fn at(start: Millis, channel: Channel) -> Self {
        let clock = Arc::new(TestClock { start, began: Instant::now() });
        let time = clock.clone();
        let store: Arc<dyn Store> =
            Arc::new(MemoryStore::open(&Arc::new(Disk::default()), Arc::new(move || time.now())));
        Self::over(store, clock, channel)
    }

    /// A courier that starts on a store.
    fn over(store: Arc<dyn Store>, clock: Arc<TestClock>, channel: Channel) -> Self {
        let events = Events::default();
        let scheduler = Scheduler::new(
            store.clone(),
            Arc::new(NoRunner),
            clock.clone(),
            events.clone(),
            Policy::default(),
        );
        let parts = Parts {
            store: store.clone(),
            scheduler,
            clock: clock.clone(),
            events,
            net: NetPolicy::default(),
            public_url: None,
            host: "here".to_owned(),
        };
        let told = Arc::<Told>::default();
        let carrier = Carrier::Test(told.clone());
        let ready = Ready { settings: channel, carrier, state: Mutex::<ChannelState>::default() };
        let alerts = Arc::new(Alerts {
            parts,
            links: Links::new(None),
            ids: Ids::new(clock.clone()),
            channels: BTreeMap::from([("ops".to_owned(), ready)]),
            server: Vec::new(),
        });
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(alerts.clone().run(stopping));
        Self { store, clock, told, alerts, stop, ids: 0 }
    }

    /// Ends the courier, as a kill does, and starts another one.
    async fn restart(self) -> Self {
        self.stop.send_replace(true);
        let channel = self.alerts.channels["ops"].settings.clone();
        let ids = self.ids;
        Self { ids, ..Self::over(self.store, self.clock, channel) }
    }

    fn alert(&mut self, kind: Kind, name: &str) -> Alert {
        self.ids += 1;
        let task = TaskId(Ulid(1));
        let now = self.clock.now();
        let subject = Subject { id: task, name: name.to_owned(), handler: "h".to_owned(), tags: Vec::new() };
        Alert {
            id: AlertId(Ulid::from_parts(now.unsigned_abs(), self.ids)),
            count: 1,
            task: Some(subject),
            since: Some(now),
            ..self.alerts.own("ops", kind, now)
        }
    }

    async fn send(&self, alerts: Vec<Alert>) {
        let new = alerts.into_iter().map(Delivery::new).collect();
        self.store.settle(Vec::new(), new).await.expect("it is kept");
        self.alerts.parts.scheduler.alerted().notify_one();
    }

    async fn fail(&mut self, name: &str) -> Alert {
        let alert = self.alert(Kind::Failure, name);
        self.send(vec![alert.clone()]).await;
        alert
    }

    async fn recover(&mut self, failure: &Alert) {
        let name = failure.task.as_ref().expect("a task").name.clone();
        let (since, follows) = (failure.since, Some(failure.id));
        let recovery = Alert { since, follows, ..self.alert(Kind::Recovery, &name) };
        self.send(vec![recovery]).await;
    }

    async fn pass(&self, millis: Millis) {
        sleep(Duration::from_millis(millis.unsigned_abs())).await;
    }

    async fn over_states(&self) -> Vec<&'static str> {
        let query =
            OutboxQuery { place: Place::Over, channel: None, after: None, newest_first: false, limit: 1000 };
        let all = self.store.deliveries(query).await.expect("it reads");
        all.iter().map(|delivery| delivery.state.name()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_few_messages_go_one_by_one_in_their_order_after_the_batch() {
    let mut scene = Scene::new(channel());
    for name in ["a", "b", "c", "d", "e"] {
        scene.fail(name).await;
        scene.pass(SECOND).await;
    }
    scene.pass(4 * SECOND).await;
    assert_eq!(scene.told.all(), [], "the batch is still open");
    scene.pass(2500).await;
    assert_eq!(
        scene.told.summaries(),
        ["a", "b"].map(|name| format!("{name} has failed")),
        "each after ten seconds"
    );
    scene.pass(10 * SECOND).await;
    assert_eq!(scene.told.summaries(), ["a", "b", "c", "d", "e"].map(|name| format!("{name} has failed")));
    assert_eq!(scene.over_states().await, ["delivered"; 5]);
}

#[tokio::test(start_paused = true)]
async fn five_hundred_failures_at_once_are_one_message_that_names_twenty() {
    let mut scene = Scene::new(channel());
    let alerts: Vec<_> = (0..500).map(|n| scene.alert(Kind::Failure, &format!("task-{n:03}"))).collect();
    scene.send(alerts).await;
    scene.pass(MINUTE).await;
    let all = scene.told.all();
    assert_eq!(all.len(), 1);
    let lines = &all[0].1;
    assert_eq!(lines[0], "500 tasks failed since 2026-03-02 10:00 UTC");
    assert_eq!((lines[1].as_str(), lines[20].as_str()), ("task-000 has failed", "task-019 has failed"));
    assert_eq!((lines[21].as_str(), lines.len()), ("and 480 more", 22));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_fails_is_tried_for_an_hour_and_the_next_message_waits_its_turn() {
    let mut scene = Scene::new(Channel { batch: 0, ..channel() });
    scene.told.refuse(7);
    scene.fail("first").await;
    scene.pass(SECOND).await;
    scene.fail("second").await;
    scene.pass(2 * HOUR).await;
    let all = scene.told.all();
    let times: Vec<_> = all.iter().map(|(time, _)| (time - START) / SECOND).collect();
    assert_eq!(times, [0, 5, 20, 80, 380, 1280, 3080, 3080]);
    assert_eq!(all[7].1, ["second has failed"]);
    assert_eq!(scene.over_states().await, ["given-up", "delivered"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_survives_the_end_of_the_server() {
    let mut scene = Scene::new(Channel { batch: 0, ..channel() });
    scene.told.refuse(1);
    scene.fail("task").await;
    scene.pass(SECOND).await;
    assert_eq!(scene.told.summaries().len(), 1);
    let scene = scene.restart().await;
    scene.pass(3 * SECOND).await;
    assert_eq!(scene.told.summaries(), Vec::<String>::new(), "not before its time");
    scene.pass(2 * SECOND).await;
    assert_eq!(scene.told.summaries(), ["task has failed"]);
    assert_eq!(scene.over_states().await, ["delivered"]);
}

fn night(drop: bool) -> Channel {
    let (from, to) = Quiet::read_hours("22:00-07:00").expect("hours");
    let quiet = Quiet { from, to, zone: chrono_tz::Europe::Berlin, days: [true; 7], drop };
    Channel { batch: 0, quiet: Some(quiet), ..channel() }
}

/// 2026-03-28T23:00:00+01:00: in this night the clocks in Berlin are set forward.
const NIGHT: Millis = 1_774_735_200_000;

#[tokio::test(start_paused = true)]
async fn quiet_hours_hold_messages_back_and_what_came_and_went_is_one_line() {
    let mut scene = Scene::at(NIGHT, night(false));
    let short = scene.fail("short").await;
    scene.fail("long").await;
    scene.pass(MINUTE).await;
    scene.recover(&short).await;
    // Seven hours by the clock: 06:59:30, one hour less has passed.
    scene.pass(7 * HOUR - MINUTE - 30 * SECOND).await;
    assert_eq!(scene.told.all(), []);
    scene.pass(MINUTE).await;
    let at = NIGHT + 7 * HOUR;
    let line = "short failed at 2026-03-28 22:00 UTC and works again since 2026-03-28 22:01 UTC";
    let lines = vec!["1 task failed and recovered meanwhile".to_owned(), line.to_owned()];
    assert_eq!(scene.told.all(), [(at, vec!["long has failed".to_owned()]), (at, lines)]);
}

#[tokio::test(start_paused = true)]
async fn urgent_tasks_break_the_quiet_hours_and_others_are_dropped_if_so_set() {
    let mut scene = Scene::at(NIGHT, night(true));
    scene.fail("task").await;
    let mut urgent = scene.alert(Kind::Failure, "fire");
    urgent.task.as_mut().expect("a task").tags.push("urgent".to_owned());
    scene.send(vec![urgent]).await;
    scene.pass(12 * HOUR).await;
    assert_eq!(scene.told.all(), [(NIGHT, vec!["fire has failed".to_owned()])]);
    assert_eq!(scene.over_states().await, ["dropped", "delivered"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_told_before_the_quiet_hours_is_not_told_again_after_them() {
    let mut scene = Scene::at(NIGHT - 90 * MINUTE, night(false));
    let first = scene.fail("task").await;
    scene.pass(HOUR).await;
    for _ in 0..3 {
        scene.pass(HOUR).await;
        let follows = Some(first.id);
        let reminder = Alert { follows, reminder: true, count: 4, ..scene.alert(Kind::Failure, "task") };
        scene.send(vec![reminder]).await;
    }
    scene.recover(&first).await;
    scene.pass(12 * HOUR).await;
    let told = scene.told.summaries();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("has failed") && told[1].contains("works again"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_mute_holds_the_messages_of_its_tag_until_it_ends_or_is_lifted() {
    let mut scene = Scene::new(Channel { batch: 0, ..channel() });
    let mute = |until, tag: Option<&str>| Mute {
        until,
        tag: tag.map(str::to_owned),
        reason: None,
        by: "me".to_owned(),
        since: START,
    };
    scene.alerts.set_mute(Some(mute(START + HOUR, Some("db")))).await.expect("muted");
    let mut of_db = scene.alert(Kind::Failure, "backup");
    of_db.task.as_mut().expect("a task").tags.push("db".to_owned());
    scene.send(vec![of_db]).await;
    scene.fail("mail").await;
    scene.pass(MINUTE).await;
    assert_eq!(scene.told.summaries(), ["mail has failed"]);
    scene.pass(HOUR).await;
    assert_eq!(scene.told.summaries(), ["mail has failed", "backup has failed"]);
    let now = scene.clock.now();
    scene.alerts.set_mute(Some(mute(now + HOUR, None))).await.expect("muted");
    scene.fail("mail").await;
    scene.pass(MINUTE).await;
    assert_eq!(scene.told.summaries().len(), 2);
    scene.alerts.set_mute(None).await.expect("lifted");
    scene.pass(SECOND).await;
    assert_eq!(scene.told.summaries().len(), 3);
    assert_eq!(scene.alerts.mute().await.expect("it reads"), None);
}

#[tokio::test(start_paused = true)]
async fn messages_beyond_those_of_an_hour_become_one() {
    let mut scene = Scene::new(Channel { batch: 0, max_per_hour: 2, ..channel() });
    for n in 0..6 {
        scene.fail(&format!("task-{n}")).await;
        scene.pass(MINUTE).await;
    }
    assert_eq!(scene.told.summaries(), ["task-0 has failed", "task-1 has failed"]);
    scene.pass(HOUR).await;
    let all = scene.told.all();
    assert_eq!(all[2].1[0], "4 tasks failed since 2026-03-02 10:02 UTC");
    assert_eq!((all.len(), all[2].0), (3, START + HOUR));
}

#[tokio::test(start_paused = true)]
async fn of_several_beats_the_newest_is_sent_and_none_is_kept() {
    let target =
        Target::Heartbeat { url: Given::Text("http://127.0.0.1".to_owned()), start: true, fail: false };
    let mut scene = Scene::new(Channel { target, ..channel() });
    let beats = [Kind::Start, Kind::Success, Kind::Start, Kind::Success];
    let beats = beats.map(|kind| scene.alert(kind, "task")).to_vec();
    scene.send(beats).await;
    scene.pass(SECOND).await;
    assert_eq!(scene.told.summaries().last().expect("a beat"), "task has succeeded");
    assert_eq!((scene.told.summaries().len(), scene.over_states().await), (2, vec![]));
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_channel_that_is_gone_are_given_up_and_old_ones_go_after_a_week() {
    let mut scene = Scene::new(channel());
    let lost = Alert { channel: "gone".to_owned(), ..scene.alert(Kind::Failure, "task") };
    scene.send(vec![lost]).await;
    scene.pass(HOUR + MINUTE).await;
    assert_eq!(scene.over_states().await, ["given-up"]);
    scene.pass(8 * 24 * HOUR).await;
    assert_eq!(scene.over_states().await, Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_a_task_which_is_missing_says_so() {
    let scene = Scene::new(channel());
    let alert = scene.alerts.own("ops", Kind::Test, START);
    let message = Message::new(&alert, Vec::new(), "here", &Links::new(None));
    let attempt = scene.alerts.run_task("nobody", &message, START).await;
    assert!(!attempt.ok && attempt.answer.contains("no task with the name \"nobody\""), "{attempt:?}");
    assert_eq!(json!(message)["host"], "here");
}
