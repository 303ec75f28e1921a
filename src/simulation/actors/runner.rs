//! The scripted runner: handlers that end in every possible way, after simulated time.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use serde_json::json;
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};

use crate::{
    clock::Clock,
    cluster::{Member, Standing},
    domain::{
        Millis,
        execution::{Ending, Level, Line, Reason, Verdict},
        ids::{ExecutionId, TaskId},
    },
    hostcalls::ServerCalls,
    runtime::{Invocation, Later, Runner},
    simulation::{
        actors::{
            store::FaultyStore,
            work::{self, Work},
        },
        oracle::{invariants, nodes},
        world::{Process, pass},
    },
};

/// The scheduler claims at most this many milliseconds ahead.
const FARTHEST: Millis = 1000;

/// Plays a random script for each run.
pub(crate) struct ScriptedRunner {
    process: Arc<Process>,
    calls: Arc<ServerCalls>,
    slots: Semaphore,
}

impl ScriptedRunner {
    pub(crate) fn new(process: &Arc<Process>, store: Arc<FaultyStore>) -> Self {
        let calls = work::host_calls(process, store);
        Self { process: process.clone(), calls, slots: Semaphore::new(process.world.weather.capacity) }
    }

    async fn play(&self, invocation: Invocation) -> Verdict {
        let Invocation { context, attempt, live, not_before, timeout: limit, lines, mut cancel, .. } =
            invocation;
        let (process, world) = (&self.process, &self.process.world);
        let task: TaskId = context.task_id.parse().expect("a task's id");
        let execution: ExecutionId = context.execution_id.parse().expect("an execution's id");
        process.halt_if_dead().await;
        let others = world.all_runs();
        process.run_checks(|| {
            let (mut record, data) = (world.record(), world.disk.data());
            if record.losses.has_execution(execution) {
                process.tell(format_args!("{execution} runs although its claim is lost"));
                return;
            }
            invariants::check_start(&mut record, &data, task, execution, context.attempt);
            nodes::check_occurrence(&data, execution, &others);
        });
        self.enter(execution);
        // The semaphore is never closed.
        let slot = self.slots.acquire().await;
        while (1..=FARTHEST).contains(&(not_before - process.clock.now())) {
            process.clock.sleep_until(not_before).await;
        }
        let started = process.clock.now();
        let began = process.clock.elapsed();
        let (whole, ending) = self.plot(limit);
        let said = self.lines(started);
        let mut cancelled = None;
        for line in said {
            if cancelled.is_none() {
                cancelled = wait_or_cancel(whole / 4, &mut cancel).await;
            }
            world.record().said.entry(execution).or_default().push(line.clone());
            if lines.send(line).await.is_err() {
                break;
            }
        }
        let work = || Work::new(process, &self.calls, attempt, live.clone());
        if cancelled.is_none() && world.chance.one_in(2) {
            // A run that ends drops its calls.
            let _ = timeout(Duration::from_millis((whole / 2).max(1).unsigned_abs()), work().run()).await;
        }
        if world.chance.one_in(8) {
            work().run_late();
        }
        let left = whole - (process.clock.elapsed() - began);
        let reaction = world.chance.among(&[1, 30, 200, 3000, 6000]);
        let ignores = world.chance.one_in(8);
        if cancelled.is_none() {
            cancelled = wait_or_cancel(left, &mut cancel).await;
        }
        let ending = match cancelled {
            Some(who) if !ignores => {
                pass(reaction).await;
                Ending::Cancelled { error: who }
            }
            // The handler ignores the cancellation and ends as planned.
            Some(_) => {
                pass(left.clamp(0, 7000)).await;
                ending
            }
            None => ending,
        };
        drop(slot);
        process.halt_if_dead().await;
        let duration = Some(process.clock.elapsed() - began);
        let (progress, steps) = (live.progress(), live.ended_steps());
        let verdict = Verdict { started: Some(started), duration, progress, steps, ..Verdict::of(ending) };
        process.tell(format_args!("{} {execution} ends: {:?}", context.task_name, verdict.ending));
        world.record().verdicts.insert(execution, verdict.clone());
        process.runs().remove(&execution);
        verdict
    }

    fn enter(&self, execution: ExecutionId) {
        let mut runs = self.process.runs();
        runs.insert(execution);
        if runs.len() >= self.process.world.weather.capacity {
            self.process.full.fetch_add(1, Relaxed);
        }
    }

    /// Chooses the duration and the ending of a run that is not cancelled.
    fn plot(&self, limit: u64) -> (Millis, Ending) {
        let world = &self.process.world;
        let chance = &world.chance;
        let failed =
            |reason, result| Ending::Failed { reason, error: "no luck".to_owned(), stack: None, result };
        let completed = Ending::Completed { result: json!({ "sum": chance.between(0, 9) }) };
        let most = if chance.one_in(4) { 3 * world.pace.unit() } else { 2000 };
        let takes = chance.spread(1, most);
        let ending = match chance.between(0, 19) {
            0..=10 => completed,
            11..=14 => failed(Reason::Exception, None),
            15 => failed(Reason::ReturnedFailure, Some(json!({ "success": false }))),
            16 => failed(Reason::Crashed, None),
            17 => failed(Reason::LoadError, None),
            18 => failed(Reason::MemoryLimit, None),
            _ => return (limit.cast_signed(), failed(Reason::Timeout, None)),
        };
        if takes >= limit.cast_signed() {
            return (limit.cast_signed(), failed(Reason::Timeout, None));
        }
        (takes, ending)
    }

    fn lines(&self, time: Millis) -> Vec<Line> {
        let chance = &self.process.world.chance;
        let count = if chance.one_in(3) { chance.between(1, 3) } else { 0 };
        let line =
            |n| Line { time, level: Level::Log, message: format!("line {n} of {}", chance.between(0, 99)) };
        (0..count).map(line).collect()
    }
}

/// Waits for `millis`, or until the run is cancelled; returns who cancelled it.
async fn wait_or_cancel(millis: Millis, cancel: &mut watch::Receiver<Option<String>>) -> Option<String> {
    let wanted = async { cancel.wait_for(Option::is_some).await.ok().and_then(|who| who.clone()) };
    match timeout(Duration::from_millis(millis.max(1).unsigned_abs()), wanted).await {
        Ok(None) => {
            // The sender was dropped, so no cancellation can come.
            pass(millis).await;
            None
        }
        Ok(who) => who,
        Err(_) => None,
    }
}

/// Waits for the end of the lease that a process has now, as its runners do, even while it stands still.
async fn end_of_lease(member: &Member) {
    let lease = member.lease();
    let Standing::Member { node, .. } = lease.standing() else { return };
    loop {
        let changed = lease.changed();
        let Standing::Member { node: now, until } = lease.standing() else { return };
        if now != node {
            return;
        }
        tokio::select! {
            biased;
            () = changed => {}
            () = pass((until - member.boot()).max(1)) => {}
        }
    }
}

impl Runner for ScriptedRunner {
    fn run(&self, invocation: Invocation) -> Later<'_, Verdict> {
        Box::pin(async move {
            let Some(member) = self.process.member.get() else { return self.play(invocation).await };
            let execution = invocation.context.execution_id.parse().expect("an execution's id");
            let verdict = tokio::select! {
                biased;
                verdict = self.play(invocation) => verdict,
                () = end_of_lease(member) => {
                    self.process.tell(format_args!("the runner of {execution} ends: its lease is over"));
                    self.process.runs().remove(&execution);
                    Verdict::failed(Reason::Crashed, "its lease is over")
                }
            };
            // Runners go on while their server stands still, but it does not hear them.
            self.process.pass_gate().await;
            verdict
        })
    }

    fn capacity(&self) -> usize {
        self.process.world.weather.capacity
    }
}
