//! The work of a scripted handler: steps, entries and progress, through the server's own host calls.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    domain::{execution::Progress, network::NetPolicy},
    handlers::files::Files,
    hostcalls::ServerCalls,
    network::{Client, Limits},
    runtime::{
        Attempt, Caller, Grants, HostCalls, RunCalls,
        live::Live,
        protocol::{Answer, HostCall, KvCall, KvFunction, StepCall},
    },
    simulation::{
        actors::store::FaultyStore,
        world::{Process, pass},
    },
    store::Quota,
};

/// Few enough to be reached.
const QUOTA: Quota = Quota { entries: 8, bytes: 2000 };

/// The host calls of one run.
pub(crate) struct Work {
    process: Arc<Process>,
    attempt: Attempt,
    live: Arc<Live>,
    calls: Arc<dyn RunCalls>,
}

pub(crate) fn host_calls(process: &Arc<Process>, store: Arc<FaultyStore>) -> Arc<ServerCalls> {
    let client = Client::new(NetPolicy::default(), Limits { body: 0, requests: 0 });
    Arc::new(ServerCalls::new(store, process.clock.clone(), client, QUOTA))
}

impl Work {
    pub(crate) fn new(
        process: &Arc<Process>,
        calls: &Arc<ServerCalls>,
        attempt: Option<Attempt>,
        live: Arc<Live>,
    ) -> Self {
        let grants = Grants::default();
        let caller = Caller {
            handler: "scripted".to_owned(),
            attempt,
            only_loads: false,
            grants,
            files: Files::new("nowhere"),
            live: live.clone(),
        };
        let attempt = attempt.expect("an attempt");
        Self { process: process.clone(), attempt, live, calls: calls.begin(caller) }
    }

    /// Works until it is done, or until a call fails, as a handler does that catches nothing.
    pub(crate) async fn run(&self) {
        let chance = self.process.world.chance.clone();
        for number in 0..chance.between(0, 3) {
            let done = match chance.between(0, 5) {
                0..=2 => self.step(&format!("step {number}")).await,
                3 => {
                    let fraction = chance.between(0, 100) as f64 / 100.0;
                    self.live.set_progress(Progress { fraction, text: None });
                    Some(Value::Null)
                }
                _ => self.edit().await,
            };
            if done.is_none() {
                return;
            }
            pass(chance.between(0, 500)).await;
        }
    }

    /// Writes something later, when the run may be over. The runner does not wait for it.
    pub(crate) fn run_late(self) {
        tokio::spawn(async move {
            pass(self.process.world.chance.between(0, 4000)).await;
            self.process.halt_if_dead().await;
            self.edit().await;
            self.step("late").await;
        });
    }

    async fn step(&self, name: &str) -> Option<Value> {
        let world = &self.process.world;
        let attempt = self.attempt;
        let begun = self.call(HostCall::Step(StepCall::Begin { name: name.to_owned() })).await?;
        if begun["finished"] == true {
            self.process.run_checks(|| {
                assert_eq!(begun["value"]["of"], name, "another step's result: {begun}");
            });
            return Some(begun);
        }
        self.process.run_checks(|| {
            let record = world.record();
            let finished = record.world.is_finished(attempt.task, attempt.scheduled_for, name);
            // A run that is over may ask for a step that a later attempt has finished, or that went with its
            // occurrence: it keeps no result.
            let goes_on = record.surely_runs(attempt.task, attempt.execution);
            assert!(!finished || !goes_on, "{} runs the finished step {name:?} again", attempt.execution);
        });
        pass(world.chance.between(0, 300)).await;
        if world.chance.one_in(6) {
            return self.call(HostCall::Step(StepCall::Fail { name: name.to_owned() })).await;
        }
        let value = json!({ "of": name, "by": attempt.execution }).to_string();
        self.call(HostCall::Step(StepCall::Finish { name: name.to_owned(), value })).await
    }

    async fn edit(&self) -> Option<Value> {
        let chance = &self.process.world.chance;
        let key = format!("key {}", chance.between(0, 11));
        let value = json!(chance.between(0, 9)).to_string();
        let function = match chance.between(0, 4) {
            0..=1 => KvFunction::Set { key, value, ttl: None },
            2 => KvFunction::Increment { key, by: 1.0 },
            3 => KvFunction::CompareAndSet { key, version: None, value, ttl: None },
            _ => KvFunction::Delete { key },
        };
        self.call(HostCall::Kv(KvCall { shared: chance.one_in(3), function })).await
    }

    async fn call(&self, call: HostCall) -> Option<Value> {
        self.process.halt_if_dead().await;
        match self.calls.clone().answer(call).await {
            Ok(Answer::Json(text)) => Some(serde_json::from_str(&text).expect("JSON")),
            Ok(Answer::Modules(_) | Answer::Unresolved(_) | Answer::Fetch(_)) => {
                panic!("no call asks for it")
            }
            Err(error) => {
                self.process.tell(format_args!("a call is refused: {error}"));
                None
            }
        }
    }
}
