//! Users: they send random requests, senseless ones too, and sometimes hang up.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::time::timeout;
use ulid::Ulid;

use crate::{
    clock::Clock,
    domain::{
        Millis,
        draft::{Defaults, Draft},
        facts::Task,
        ids::TaskId,
        step::Refused,
    },
    scheduler::{Actor, ControlError, Scheduler},
    simulation::{
        actors::plans,
        oracle::change::Asked,
        world::{Process, pass},
    },
    store::StoreError,
};

/// Tasks that exist at once at most.
const TASKS: usize = 8;

/// A user of a server.
pub(crate) struct User {
    pub(crate) process: Arc<Process>,
    pub(crate) scheduler: Arc<Scheduler>,
}

impl User {
    /// Sends requests, at most `thinks` milliseconds apart.
    pub(crate) async fn live(self, thinks: Millis) {
        loop {
            let chance = &self.process.world.chance;
            pass(chance.spread(1, thinks)).await;
            if chance.one_in(8) {
                let patience = Duration::from_millis(chance.between(0, 400).unsigned_abs());
                if timeout(patience, self.act()).await.is_err() {
                    self.process.tell("a user hangs up");
                }
            } else {
                self.act().await;
            }
        }
    }

    async fn act(&self) {
        let chance = &self.process.world.chance;
        let Some(task) = self.some_task() else { return self.create().await };
        let few = self.process.world.record().accounts.len() < 3;
        if few && chance.one_in(2) {
            return self.create().await;
        }
        match chance.between(0, 21) {
            0..=1 => self.create().await,
            2..=3 => self.update(task).await,
            4..=5 => self.ask(task, Asked::Pause).await,
            6..=9 => self.ask(task, Asked::Resume).await,
            10..=13 => {
                let params = json!({ "number": chance.between(0, 9) }).as_object().cloned();
                self.ask(task, Asked::RunByHand(params.filter(|_| chance.one_in(2)))).await;
            }
            14..=15 => self.ask(task, Asked::Cancel).await,
            16..=17 => self.ask(task, Asked::ResetRetries).await,
            18 if chance.one_in(2) => self.delete(task).await,
            18 => self.backfill(task).await,
            19..=21 => self.change_file(task).await,
            _ => {}
        }
    }

    fn some_task(&self) -> Option<TaskId> {
        let world = &self.process.world;
        let known: Vec<_> = world.record().accounts.keys().copied().collect();
        if known.is_empty() {
            return None;
        }
        let unknown = TaskId(Ulid::from_parts(0, 1));
        Some(if world.chance.one_in(40) { unknown } else { world.chance.among(&known) })
    }

    fn actor(&self) -> Actor {
        let number = self.process.world.requests.fetch_add(1, Relaxed);
        Actor::of_system("user", format!("r{number}"))
    }

    /// Random fields.
    fn fields(&self) -> Map<String, Value> {
        let world = &self.process.world;
        plans::fields(&world.chance, world.pace)
    }

    /// Adds a schedule to the body; the almanacs learn its rule.
    fn add_schedule(&self, body: &mut Map<String, Value>) {
        let world = &self.process.world;
        let (text, rule) = plans::schedule(&world.chance, world.pace, self.process.store_clock.now());
        let repeats = !matches!(
            rule,
            crate::simulation::oracle::almanac::Rule::Now | crate::simulation::oracle::almanac::Rule::At(_)
        );
        world.record().almanacs.learn(&text, rule);
        body.insert("recurring".to_owned(), json!(repeats && !world.chance.one_in(10)));
        body.insert("schedule".to_owned(), json!(text));
    }

    async fn create(&self) {
        let world = &self.process.world;
        if world.record().accounts.len() >= TASKS {
            return;
        }
        let mut body = self.fields();
        body.insert("name".to_owned(), json!(format!("task {}", world.chance.between(1, 12))));
        body.insert("description".to_owned(), json!(""));
        body.insert("handler".to_owned(), json!("sample"));
        if world.chance.one_in(2) {
            let after = world.chance.among(&[1, 1, 2, 3]);
            body.insert("alerts".to_owned(), json!([{ "channel": "ops", "after": after }]));
        }
        self.add_schedule(&mut body);
        self.add_predecessor(&mut body);
        self.add_end(&mut body);
        let defaults = Defaults {
            timezone: plans::zone(&world.chance).parse().expect("a zone"),
            keep_executions: 10_000,
        };
        let draft = Draft::read_new(&body).expect("a valid body");
        // Some schedules have no future run, such as day 31 of short months.
        let Ok(definition) = draft.create(&defaults, self.process.store_clock.now()) else { return };
        let actor = self.actor();
        let answer = if world.chance.one_in(3) {
            self.scheduler.create_declared(definition, &actor.request_id).await
        } else {
            self.scheduler.create(definition, &actor).await
        };
        self.check_answer(&actor, "create", &answer.map(drop));
    }

    /// Puts a task into a file, changes it there, or takes it out of the file. A file's name is the
    /// request's id, so that each request has a name of its own.
    async fn change_file(&self, id: TaskId) {
        let world = &self.process.world;
        let known = world.record().accounts.get(&id).map(|account| account.task.clone());
        let Some(task) = known else { return };
        if world.chance.one_in(3) {
            return self.ask(id, Asked::Release).await;
        }
        if world.chance.one_in(4) {
            let actor = self.actor();
            let answer = self.scheduler.delete_declared(id, &actor.request_id).await;
            return self.check_answer(&actor, "delete", &answer.map(drop));
        }
        let mut body = Map::new();
        if world.chance.one_in(2) {
            body = self.fields();
            body.retain(|_, _| world.chance.one_in(3));
        }
        if world.chance.one_in(4) {
            self.add_schedule(&mut body);
        }
        let draft = Draft::read(&body).expect("a valid body");
        let Ok(definition) = draft.update(&task.definition, self.process.store_clock.now()) else { return };
        self.ask(id, Asked::Declare(Box::new(definition))).await;
    }

    async fn backfill(&self, task: TaskId) {
        let (chance, pace) = (&self.process.world.chance, self.process.world.pace);
        let to = self.process.store_clock.now() - chance.between(-1, 4 * pace.unit());
        let from = to - chance.between(-1, 20 * pace.unit());
        self.ask(task, Asked::Backfill((from, to), chance.between(1, 5).unsigned_abs())).await;
    }

    /// Gives a task an end, now and then.
    fn add_end(&self, body: &mut Map<String, Value>) {
        let world = &self.process.world;
        match world.chance.between(0, 5) {
            0 if body["recurring"] == true => {
                let end = self.process.store_clock.now() + world.chance.spread(1, 20 * world.pace.unit());
                body.insert("endAt".to_owned(), json!(end));
            }
            1..=2 => drop(body.insert("maxRuns".to_owned(), json!(world.chance.between(1, 6)))),
            _ => {}
        }
    }

    /// Adds a task to follow, now and then.
    fn add_predecessor(&self, body: &mut Map<String, Value>) {
        let chance = &self.process.world.chance;
        if let Some(task) = self.some_task().filter(|_| chance.one_in(3)) {
            let on = chance.among(&["success", "failure", "end", "end"]);
            body.insert("after".to_owned(), json!({ "taskId": task, "on": on }));
        }
    }

    async fn update(&self, task: TaskId) {
        let world = &self.process.world;
        let chance = &world.chance;
        let all = self.fields();
        let mut body: Map<_, _> = all.into_iter().filter(|_| chance.one_in(3)).collect();
        if chance.one_in(3) {
            self.add_schedule(&mut body);
        }
        if chance.one_in(8) {
            body.insert("after".to_owned(), Value::Null);
        }
        self.add_predecessor(&mut body);
        if chance.one_in(10) {
            body.insert("name".to_owned(), json!(format!("task {}", chance.between(1, 12))));
        }
        let draft = Draft::read(&body).expect("a valid body");
        self.ask(task, Asked::Update(draft)).await;
    }

    async fn ask(&self, task: TaskId, asked: Asked) {
        let (scheduler, actor) = (&self.scheduler, self.actor());
        self.process.world.record().requests.insert(actor.request_id.clone(), asked.clone());
        let (name, answer) = match asked {
            Asked::Pause => ("pause", scheduler.pause(task, &actor).await.map(drop)),
            Asked::Resume => ("resume", scheduler.resume(task, &actor).await.map(drop)),
            Asked::ResetRetries => ("reset", scheduler.reset_retries(task, &actor).await.map(drop)),
            Asked::Backfill(span, most) => {
                ("backfill", scheduler.backfill(task, span, most, &actor).await.map(drop))
            }
            Asked::Cancel => ("cancel", scheduler.cancel(task, &actor).await.map(drop)),
            Asked::Update(draft) => ("update", scheduler.update(task, draft, &actor).await.map(drop)),
            Asked::Declare(definition) => {
                let declared = scheduler.declare(task, *definition, &actor.request_id).await;
                ("declare", declared.map(drop))
            }
            Asked::Release => ("release", scheduler.release(task, &actor.request_id).await.map(drop)),
            Asked::RunByHand(params) => ("run", scheduler.run_by_hand(task, params, &actor).await.map(drop)),
        };
        self.check_answer(&actor, name, &answer);
    }

    async fn delete(&self, task: TaskId) {
        let actor = self.actor();
        let answer: Result<Task, _> = self.scheduler.delete(task, &actor).await;
        self.check_answer(&actor, "delete", &answer.map(drop));
    }

    /// Checks that the change of a successful request counts, and of a refused one does not.
    fn check_answer(&self, actor: &Actor, name: &str, answer: &Result<(), ControlError>) {
        let (process, world) = (&self.process, &self.process.world);
        let id = &actor.request_id;
        match answer {
            Ok(()) => process.tell(format_args!("{id} {name} is answered")),
            Err(error) => process.tell(format_args!("{id} {name} is refused: {error}")),
        }
        process.run_checks(|| {
            if world.record().losses.has_request(id) {
                return;
            }
            let done = world.record().done.contains(id);
            assert!(done == answer.is_ok() || process.is_dead(), "{id} {name}: {answer:?}, done: {done}");
            let right = match answer {
                Ok(()) => true,
                Err(ControlError::Stopping) => process.stopping.load(Relaxed),
                Err(ControlError::Store(StoreError::Refused(Refused::NotYet))) => false,
                Err(ControlError::Store(StoreError::Closed)) => process.is_dead(),
                Err(ControlError::Store(_)) => true,
            };
            assert!(right, "{id} {name}: {answer:?}");
        });
    }
}
