//! Record: the store's promises, kept apart from the store.
//!
//! Every decision is recorded as pending ([`Record::add_decision`]) and counts once its answer has been
//! given ([`Record::settle`]). A pending decision may or may not have reached the disk before a crash;
//! both are right, and the disk tells which ([`Record::settle_after_restart`]). The record also has the
//! users' requests and the runner's verdicts, so it can derive the input of each decision and take the
//! step again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    domain::{
        Millis,
        execution::{Execution, Line, Progress, Reason, Verdict},
        facts::{Origin, Task},
        ids::{AlertId, ExecutionId, TaskId},
        step::{Input, Refused, Step},
    },
    simulation::oracle::{
        account::Account,
        almanac::Almanacs,
        change::{Asked, Change, Why},
        nodes::{Losses, Nodes, bare, closes_lost},
        replay::{Circumstances, by_hand, replay},
        state::{self, World, Wrote},
    },
    store::{Edit, Edited, Fence, FinishedStep, memory::disk::Data},
};

#[derive(Debug, Clone)]
enum What {
    Created(Box<Task>),
    Changed(Box<Change>),
    /// An end was told to successors: the predecessor's new state, and its name for people.
    Informed(Box<Task>),
    Deleted,
    Wrote(Wrote),
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) operation: u64,
    pub(super) request: Option<String>,
    task: TaskId,
    what: What,
}

impl Entry {
    /// The task after it; `None` if it leaves the task as it was.
    fn after(&self) -> Option<Option<&Task>> {
        match &self.what {
            What::Created(task) => Some(Some(task)),
            What::Changed(change) => Some(Some(&change.step.task)),
            What::Informed(task) => Some(Some(task)),
            What::Deleted => Some(None),
            What::Wrote(_) => None,
        }
    }

    fn apply(&self, world: &mut World) {
        match (self.after(), &self.what) {
            (Some(Some(task)), _) => world.put_task(task),
            (Some(None), _) => world.remove_task(self.task),
            (None, What::Wrote(wrote)) => world.put(self.task, wrote),
            (None, _) => {}
        }
    }
}

/// The promises of the store, and their causes.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) almanacs: Almanacs,
    /// The account of every task.
    pub(crate) accounts: BTreeMap<TaskId, Account>,
    /// The tasks and the state of their handlers, by the answers so far.
    pub(crate) world: World,
    /// Decisions and writes without an answer yet, in order.
    pub(super) pending: VecDeque<Entry>,
    /// Users' requests by their id.
    pub(crate) requests: BTreeMap<String, Asked>,
    /// Requests whose changes count.
    pub(crate) done: BTreeSet<String>,
    /// Verdicts of the runner.
    pub(crate) verdicts: BTreeMap<ExecutionId, Verdict>,
    /// Output of handlers.
    pub(crate) said: BTreeMap<ExecutionId, Vec<Line>>,
    /// The successor and the predecessor's last attempt of every end that a task has been told of.
    pub(super) told: BTreeSet<(TaskId, ExecutionId)>,
    /// The concurrency key of each execution that had one when it started.
    pub(crate) keys: BTreeMap<ExecutionId, String>,
    /// What each operation without an answer will add to `owed`.
    pub(super) owing: BTreeMap<u64, Vec<(TaskId, ExecutionId)>>,
    /// The successors to tell of ends, as of when the occurrences ended.
    pub(super) owed: BTreeSet<(TaskId, ExecutionId)>,
    /// All executions ever given to a runner.
    pub(crate) started: BTreeSet<ExecutionId>,
    /// The messages that steps have promised.
    pub(super) alerts: BTreeSet<AlertId>,
    /// The nodes that share the store.
    pub(crate) nodes: Nodes,
    /// The changes that the store has lost.
    pub(crate) losses: Losses,
}

impl Record {
    /// The task that the next decision must find.
    fn tip(&self, task: TaskId) -> Option<&Task> {
        match self.pending.iter().rev().filter(|entry| entry.task == task).find_map(Entry::after) {
            Some(after) => after,
            None => self.accounts.get(&task).map(|account| &account.task),
        }
    }

    /// Whether an execution is in progress, in what has been answered and in what the store may have done
    /// since.
    pub(crate) fn surely_runs(&self, task: TaskId, execution: ExecutionId) -> bool {
        let runs = |task: &Task| task.facts.running.iter().any(|running| running.execution == execution);
        self.world.tasks.get(&task).is_some_and(runs) && self.tip(task).is_some_and(runs)
    }

    pub(crate) fn add_creation(&mut self, operation: u64, request: Option<String>, task: Task) {
        self.pending.push_back(Entry {
            operation,
            request,
            task: task.id,
            what: What::Created(Box::new(task)),
        });
    }

    pub(crate) fn add_deletion(&mut self, operation: u64, request: Option<String>, task: TaskId) {
        self.pending.push_back(Entry { operation, request, task, what: What::Deleted });
    }

    /// Records a write of a run to the state, and checks its fence.
    pub(crate) fn add_edit(&mut self, operation: u64, edit: &Edit, edited: &Edited) {
        let Some(fence) = edit.fence else { return };
        if let Some(wrote) = state::wrote(edit, edited, self.tip(fence.task)) {
            self.add_write(operation, fence.task, wrote);
        }
    }

    pub(crate) fn add_step(&mut self, operation: u64, fence: Fence, time: Millis, step: FinishedStep) {
        state::check_fence(Some(fence), self.tip(fence.task));
        self.add_write(operation, fence.task, Wrote::Step(time, step));
    }

    pub(crate) fn add_progress(&mut self, operation: u64, fence: Fence, progress: Progress) {
        state::check_fence(Some(fence), self.tip(fence.task));
        self.add_write(operation, fence.task, Wrote::Progress(fence.execution, progress));
    }

    fn add_write(&mut self, operation: u64, task: TaskId, wrote: Wrote) {
        self.pending.push_back(Entry { operation, request: None, task, what: What::Wrote(wrote) });
    }

    /// Records and checks the decision `result` about the task `before`.
    pub(crate) fn add_decision(
        &mut self,
        operation: u64,
        why: &Why,
        before: &Task,
        result: &Result<Step, Refused>,
        circumstances: &Circumstances,
    ) {
        assert_eq!(Some(before), self.tip(before.id), "a decision about a task that never was in this state");
        if *result == Err(Refused::NotYet) {
            let due = before.due();
            assert!(
                due.is_some_and(|due| due > circumstances.now) && !before.facts.running.is_empty(),
                "refused with `NotYet`, but due or without a run: {before:#?}"
            );
            return;
        }
        let input = self.input(why, before, result, circumstances.recovering);
        let mut now = circumstances.now;
        if let (Why::Due, Some(due)) = (why, before.due()) {
            assert!(
                due <= now + 20 || circumstances.set_meanwhile,
                "claimed {} ms before it is due",
                due - now
            );
            now = now.max(due);
        }
        assert_eq!(
            &replay(before, &input, result, now, circumstances),
            result,
            "the facts are not the fold of their events: {input:?}"
        );
        if let Ok(step) = result {
            let request = if let Why::Request(id) = why { Some(id.clone()) } else { None };
            let change = Change { before: before.clone(), input, now, step: step.clone() };
            let what = What::Changed(Box::new(change));
            self.pending.push_back(Entry { operation, request, task: before.id, what });
        }
    }

    /// Derives the input of a decision.
    fn input(&self, why: &Why, before: &Task, result: &Result<Step, Refused>, recovering: bool) -> Input {
        match why {
            Why::Due => Input::Due,
            Why::Informed(end) => Input::Follow(end.clone()),
            Why::Request(id) => match self.requests.get(id).expect("a user's request") {
                Asked::Pause => Input::Pause,
                Asked::Resume => Input::Resume,
                Asked::ResetRetries => Input::ResetRetries,
                Asked::Cancel => Input::Cancel,
                Asked::Backfill((from, to), most) => Input::Backfill { from: *from, to: *to, most: *most },
                Asked::Declare(definition) => {
                    Input::Declare { definition: definition.clone(), file: id.clone() }
                }
                Asked::Release => Input::Release,
                Asked::Update(draft) => Input::Update(Box::new(draft.clone())),
                Asked::RunByHand(params) => {
                    let new = result.as_ref().ok().and_then(|step| by_hand(before, &step.task));
                    let execution = new.unwrap_or_else(|| ExecutionId::from_bytes([0; 16]));
                    Input::RunByHand { execution, params: params.clone(), origin: Origin::default() }
                }
            },
            Why::Ended => {
                if let Ok(step) = result
                    && before.facts.running.iter().all(|running| step.task.facts.running.contains(running))
                {
                    // Not an end, but the turn of a task with a key; without a start the key was another one.
                    let key = before.definition.concurrency_key.clone().filter(|_| !step.start.is_empty());
                    return Input::Admit { key: key.unwrap_or_default() };
                }
                let execution = match result {
                    Err(Refused::NotRunning(execution)) => *execution,
                    Err(refused) => panic!("an end is refused: {refused}"),
                    Ok(step) => {
                        let after = &step.task.facts.running;
                        let is_gone = |id: &ExecutionId| after.iter().all(|r| r.execution != *id);
                        let mut before = before.facts.running.iter().map(|r| r.execution);
                        before.find(is_gone).expect("an end ends something")
                    }
                };
                let lost = || self.lost(before, execution);
                let verdict = match self.verdicts.get(&execution) {
                    Some(verdict) if !result.as_ref().is_ok_and(|step| closes_lost(step, execution)) => {
                        verdict.clone()
                    }
                    _ => {
                        let right = recovering || self.nodes.has_lost(execution);
                        assert!(
                            right,
                            "no runner has reported the end of {execution} of {:?}",
                            self.nodes.owner(execution)
                        );
                        lost()
                    }
                };
                Input::Ended { execution, verdict: Box::new(verdict) }
            }
        }
    }

    /// The verdict on an execution that an earlier process left in progress.
    fn lost(&self, task: &Task, execution: ExecutionId) -> Verdict {
        let row = self.accounts.get(&task.id).and_then(|account| account.rows.get(&execution));
        let steps = row.map(|row| self.world.notes(task.id, row.scheduled_for));
        Verdict {
            progress: row.and_then(|row| row.progress.clone()),
            steps: steps.unwrap_or_default(),
            ..Verdict::failed(Reason::Lost, "the server died while the handler ran")
        }
    }

    /// A store adds the ends in a step to the facts of a task that others follow.
    pub(crate) fn keep_ends(&mut self, operation: u64, step: &Step) {
        let entry = self.pending.iter_mut().rev().find(|entry| entry.operation == operation);
        let Some(Entry { task, what: What::Changed(change), .. }) = entry else { return };
        let mut expected = change.step.clone();
        let task = *task;
        let step = &bare(step, &expected);
        change.step = step.clone();
        if self.followers(task).next().is_some() {
            expected.keep_ends();
        }
        assert_eq!(expected, *step, "the ends kept for successors are not those of the step");
        let followers: Vec<_> = self.followers(task).collect();
        let owed = step
            .ended
            .iter()
            .flat_map(|ended| followers.iter().map(move |successor| (*successor, ended.execution)));
        self.owing.insert(operation, owed.collect());
    }

    /// The tasks that run after one, by the decisions so far.
    fn followers(&self, task: TaskId) -> impl Iterator<Item = TaskId> {
        let all: BTreeSet<TaskId> =
            self.accounts.keys().copied().chain(self.pending.iter().map(|entry| entry.task)).collect();
        let after = move |id: &TaskId| {
            self.tip(*id).and_then(|other| other.definition.after).is_some_and(|after| after.task_id == task)
        };
        all.into_iter().filter(after)
    }

    /// Records that the oldest end of the first task that has one was told to `most` successors.
    pub(crate) fn add_told(&mut self, operation: u64, most: usize) {
        let all: BTreeSet<TaskId> =
            self.accounts.keys().copied().chain(self.pending.iter().map(|entry| entry.task)).collect();
        let with_ends =
            all.into_iter().find(|id| self.tip(*id).is_some_and(|task| !task.facts.untold.is_empty()));
        let Some(mut task) = with_ends.and_then(|id| self.tip(id)).cloned() else { return };
        let told_to = task.facts.untold[0].told_to;
        let behind = self.followers(task.id).filter(|id| told_to.is_none_or(|last| *id > last));
        let found: Vec<_> = behind.take(most).collect();
        task.facts.informed(found.len() < most, found.last().copied());
        let what = What::Informed(Box::new(task.clone()));
        self.pending.push_back(Entry { operation, request: None, task: task.id, what });
    }

    /// Drops the decisions of an operation that failed.
    pub(crate) fn drop_operation(&mut self, operation: u64) {
        self.pending.retain(|entry| entry.operation != operation);
        self.owing.remove(&operation);
    }

    /// Counts the decisions of an answered operation and of all operations before it.
    pub(crate) fn settle(&mut self, operation: u64) {
        while self.pending.front().is_some_and(|entry| entry.operation <= operation) {
            self.count();
        }
    }

    fn count(&mut self) {
        let Some(entry) = self.pending.pop_front() else { return };
        entry.apply(&mut self.world);
        let Entry { operation, request, task, what } = entry;
        self.done.extend(request);
        match what {
            What::Created(new) => {
                self.accounts.insert(task, Account::new(*new, &mut self.almanacs));
            }
            What::Deleted => {
                let gone = self.accounts.remove(&task).expect("it was there");
                self.owed.retain(|(successor, _)| *successor != task);
                assert!(gone.task.facts.running.is_empty(), "deleted while it runs");
            }
            What::Changed(change) => {
                self.alerts.extend(change.step.alerts.iter().map(|alert| alert.id));
                if let Input::Follow(end) = &change.input {
                    let fresh = self.told.insert((task, end.execution_id));
                    assert!(fresh, "{} is told twice of the end of {}", task, end.execution_id);
                }
                self.owed.extend(self.owing.remove(&operation).into_iter().flatten());
                let follows = |task: &Task| task.definition.after;
                if follows(&change.before) != follows(&change.step.task) {
                    // Ends that are not told yet go to the tasks that follow by then.
                    self.owed.retain(|(successor, _)| *successor != task);
                }
                for start in &change.step.start {
                    let key = start.definition.concurrency_key.clone();
                    self.keys.extend(key.map(|key| (start.execution, key)));
                }
                let account = self.accounts.get_mut(&task).expect("it is there");
                account.follow(&change, &mut self.almanacs);
            }
            What::Informed(new) => {
                let account = self.accounts.get_mut(&task).expect("it is there");
                account.task = *new;
            }
            What::Wrote(Wrote::Progress(execution, progress)) => {
                let row = self.accounts.get_mut(&task).and_then(|account| account.rows.get_mut(&execution));
                row.expect("a run has a row").progress = Some(progress);
            }
            What::Wrote(_) => {}
        }
    }

    /// Compares the disk with the record after the end of a process. The disk must have every answered
    /// decision, and a first part of the pending ones.
    pub(crate) fn settle_after_restart(&mut self, data: &Data) {
        let found = World::of(data);
        let mut expected = self.world.clone();
        let mut reached = (expected == found).then_some(0);
        for (number, entry) in self.pending.iter().enumerate() {
            entry.apply(&mut expected);
            // An operation reaches the disk as a whole.
            let is_whole = self.pending.get(number + 1).is_none_or(|next| next.operation != entry.operation);
            if is_whole && expected == found {
                reached = Some(number + 1);
            }
        }
        let Some(reached) = reached else {
            panic!(
                "an acknowledged change is lost, or the disk has an unknown one: {found:#?}\nexpected {expected:#?}"
            )
        };
        (0..reached).for_each(|_| self.count());
        self.pending.clear();
        let kept: BTreeSet<_> = data.outbox.values().map(|delivery| delivery.alert.id).collect();
        assert_eq!(kept, self.alerts, "the messages on the disk are not the promised ones");
        self.compare_rows(data);
        self.check_told(data);
        self.check_audit(data);
    }

    /// Checks that each acknowledged change has its record in the audit, and no other change has one.
    fn check_audit(&self, data: &Data) {
        let noted: BTreeSet<_> = data.audit.values().map(|audit| audit.request_id.as_str()).collect();
        let lacks = self.done.iter().find(|id| !noted.contains(id.as_str()));
        assert!(lacks.is_none(), "{lacks:?} is acknowledged and not in the audit");
        let of_user = |id: &&&str| id.starts_with('r') && id[1..].parse::<u64>().is_ok();
        let other = noted.iter().find(|id| of_user(id) && !self.done.contains(**id));
        assert!(other.is_none(), "{other:?} is in the audit and changed nothing");
    }

    /// Checks that no end is lost: each task that follows another one, and did so when an occurrence of that
    /// one ended, has been told, or the end is kept.
    fn check_told(&self, data: &Data) {
        for (successor, end) in &self.owed {
            let told = self.told.contains(&(*successor, *end));
            let kept = data.tasks.values().flat_map(|task| &task.facts.untold);
            let kept = kept.filter(|untold| untold.end.execution_id == *end);
            let will_be = kept.into_iter().any(|untold| untold.told_to.is_none_or(|last| *successor > last));
            assert!(told != will_be, "{successor} is told of the end of {end}: {told}, will be: {will_be}");
        }
    }

    /// Checks that the rows on the disk are exactly the promised ones.
    pub(crate) fn compare_rows(&self, data: &Data) {
        let expected: BTreeMap<(TaskId, ExecutionId), &Execution> = self
            .accounts
            .iter()
            .flat_map(|(task, account)| account.rows.iter().map(|(id, row)| ((*task, *id), row)))
            .collect();
        let found: BTreeMap<_, _> =
            data.rows.iter().map(|(key, row)| (*key, Execution { node: None, ..row.clone() })).collect();
        let expected: BTreeMap<_, _> = expected.into_iter().map(|(key, row)| (key, row.clone())).collect();
        assert_eq!(found, expected, "the rows differ from the written ones");
    }
}
