//! The way of an operation through the faulty store: its turn, its weather, its writes and its answer.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::store::Shared;
use crate::{
    clock::Clock,
    domain::{
        Millis,
        execution::Execution,
        facts::Task,
        ids::NodeId,
        step::{Refused, Step},
    },
    simulation::{
        oracle::{change::Why, replay::Circumstances},
        world::pass,
    },
    store::{
        Now, StoreError,
        memory::disk::{NodeWrite, Operation, Prepared, Write},
    },
};

impl Shared {
    /// The time of the process's clock.
    pub(super) fn now(&self) -> Now {
        let clock = self.process.store_clock.clone();
        Arc::new(move || clock.now())
    }

    /// Serves an operation. One that is not written yet when the process dies has never been.
    pub(super) async fn serve<T>(
        &self,
        name: &'static str,
        by_user: bool,
        operation: Operation<T>,
        note: impl FnOnce(&Self, u64, &T),
    ) -> Result<T, StoreError> {
        // The number of the operation, as long as it is not written.
        let unwritten = AtomicU64::new(0);
        let served = self.serve_in_turn((name, by_user, &unwritten), operation, note);
        tokio::select! {
            biased;
            () = self.process.wait_for_death() => {}
            answer = served => return answer,
        }
        let number = unwritten.load(Relaxed);
        if number > 0 {
            self.process.world.record().drop_operation(number);
        }
        std::future::pending().await
    }

    async fn serve_in_turn<T>(
        &self,
        (name, by_user, unwritten): (&'static str, bool, &AtomicU64),
        operation: Operation<T>,
        note: impl FnOnce(&Self, u64, &T),
    ) -> Result<T, StoreError> {
        let process = &self.process;
        let world = &process.world;
        self.reach_store().await?;
        let turn = world.turn.lock().await;
        process.halt_if_dead().await;
        let number = world.operations.fetch_add(u64::from(name != "beat"), Relaxed) + 1;
        let number = if process.shares() { world.current.load(Relaxed) + 1 } else { number };
        world.current.store(number, Relaxed);
        unwritten.store(number, Relaxed);
        if world.is_over() {
            process.die();
            return std::future::pending().await;
        }
        let fails = self.fails(by_user);
        let (lost, unanswered) = (self.dies(), self.dies());
        self.delay().await;
        process.halt_if_dead().await;
        if let Some(error) = fails.clone().filter(|_| world.chance.one_in(2)) {
            process.tell(format_args!("#{number} {name} fails"));
            return Err(error);
        }
        if process.shares() {
            // The others are still to get their answers, but their writes are there.
            process.run_checks(|| world.record().settle(number - 1));
        }
        let prepared = process.run_checks(|| operation(&world.disk.data()));
        let Some(prepared) = prepared else { return std::future::pending().await };
        let Prepared { answer, writes } = prepared.inspect_err(|error| {
            process.tell(format_args!("#{number} {name}: {error}"));
            // The operation may have been decided before it was refused.
            world.record().drop_operation(number);
        })?;
        process.run_checks(|| note(self, number, &answer));
        self.delay().await;
        process.halt_if_dead().await;
        if let Some(error) = fails {
            return Err(self.fail((name, by_user, number), error, writes));
        }
        if lost {
            process.tell(format_args!("the process dies before #{number} {name} is durable"));
            process.die();
            return std::future::pending().await;
        }
        let commit = self.write(name, writes);
        unwritten.store(0, Relaxed);
        if unanswered {
            process.tell(format_args!("the process dies before #{number} {name} is answered"));
            process.die();
            return std::future::pending().await;
        }
        drop(turn);
        self.delay().await;
        self.hear_answer().await;
        if world.record().losses.has(number) {
            // On the way back to the store the process finds that the commit is not there.
            return Err(StoreError::Unavailable("the store has lost it".to_owned()));
        }
        process.run_checks(|| world.record().settle(number));
        if let Some((node, beat)) = commit {
            self.memory.identity.hear(node, beat);
            world.record().nodes.tell(node, number);
        }
        process.halt_if_dead().await;
        Ok(answer)
    }

    /// Applies writes, and notes them as a commit of the node. Returns that, with its beat.
    fn write(&self, name: &'static str, writes: Vec<Write>) -> Option<(NodeId, u64)> {
        let (process, world) = (&self.process, &self.process.world);
        if writes.is_empty() {
            return None;
        }
        let now = process.store_clock.elapsed();
        let gone = writes.iter().filter_map(|write| match write {
            Write::OfNode(NodeWrite::Gone(node, ..)) => Some(*node),
            _ => None,
        });
        let gone: Vec<_> = gone.collect();
        world.disk.data().write(writes);
        process.run_checks(|| {
            let mut record = world.record();
            for node in gone {
                if name == "give up" {
                    record.nodes.give_up(node, now, world.lease);
                } else {
                    record.nodes.leave(node);
                }
            }
            self.memory.identity.node().into_iter().for_each(|node| record.nodes.commit(node, now));
        });
        let node = self.memory.identity.node()?;
        Some((node, world.disk.data().nodes.get(&node)?.beat))
    }

    /// Lets an operation fail when it was about to be written. The end of a run may be written although the store
    /// reports a failure: the scheduler then reports the end again.
    fn fail(
        &self,
        (name, by_user, number): (&'static str, bool, u64),
        error: StoreError,
        writes: Vec<Write>,
    ) -> StoreError {
        let (process, world) = (&self.process, &self.process.world);
        if name == "change" && !by_user && !error.passes() && world.chance.one_in(2) {
            process.tell(format_args!("#{number} {name} is said to fail"));
            self.write(name, writes);
            process.run_checks(|| world.record().settle(number));
        } else {
            process.tell(format_args!("#{number} {name} fails at the disk"));
            world.record().drop_operation(number);
        }
        error
    }

    /// Waits while the process stands still or, for a moment, while the store cannot be reached.
    pub(super) async fn reach_store(&self) -> Result<(), StoreError> {
        self.process.pass_gate().await;
        if self.process.cut.is_set() {
            pass(self.process.world.chance.between(0, 2000)).await;
            self.process.pass_gate().await;
            if self.process.cut.is_set() {
                return Err(StoreError::Unavailable("the cable".to_owned()));
            }
        }
        Ok(())
    }

    /// Waits until the answer to a written operation reaches the process.
    async fn hear_answer(&self) {
        if self.process.cut.is_set() {
            self.process.tell("an answer is on its way");
            self.process.cut.wait_until(false).await;
        }
        self.process.pass_gate().await;
    }

    /// Records the scheduler's decision about a task. `steps` is the number of times that the clock had been
    /// set when the scheduler called the store.
    pub(super) fn record_decision(
        &self,
        why: &Why,
        task: &Task,
        result: &Result<Step, Refused>,
        steps: u64,
        now: Millis,
    ) {
        let process = &self.process;
        let circumstances = Circumstances {
            now,
            roll: process.clock.last_roll(),
            policy: process.policy(),
            recovering: process.recovering.load(Relaxed),
            set_meanwhile: process.store_clock.steps() != steps,
        };
        let number = process.world.current.load(Relaxed);
        let name = &task.definition.name;
        match result {
            Ok(step) => {
                let rows: Vec<_> = step.rows.iter().map(brief).collect();
                let facts = &step.task.facts;
                process.tell(format_args!(
                    "#{number} {name} {why:?}: next {:?}, {} running, {} waiting, {} retries; {}",
                    facts.next,
                    facts.running.len(),
                    facts.waiting.len(),
                    facts.retries.len(),
                    rows.join(", ")
                ));
            }
            Err(refused) => process.tell(format_args!("#{number} {name} {why:?}: {refused}")),
        }
        process.world.record().add_decision(number, why, task, result, &circumstances);
    }

    async fn delay(&self) {
        let world = &self.process.world;
        pass(world.chance.between(0, world.weather.delay)).await;
    }

    fn dies(&self) -> bool {
        let world = &self.process.world;
        world.weather.crashes > 0 && world.chance.one_in(2 * world.weather.crashes)
    }

    pub(super) fn fails(&self, by_user: bool) -> Option<StoreError> {
        let world = &self.process.world;
        if world.weather.failures == 0 || !world.chance.one_in(world.weather.failures) {
            return None;
        }
        self.process.failures.fetch_add(1, Relaxed);
        Some(if world.chance.one_in(3) {
            StoreError::Unavailable("the weather".to_owned())
        } else if by_user && world.chance.one_in(2) {
            StoreError::NoSpace { path: "the disk".to_owned(), least: 1 }
        } else {
            StoreError::Backend { doing: "write the store", why: "the weather".to_owned() }
        })
    }
}

fn brief(row: &Execution) -> String {
    let count = row.skipped_count.map(|count| format!(" x{count}")).unwrap_or_default();
    format!("{:?} {:?} #{} for {}{count}", row.trigger, row.status, row.attempt, row.scheduled_for)
}
