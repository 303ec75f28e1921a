//! Record: what was promised, kept apart from the store that promised it.
//!
//! Every decision that the store takes is noted ([`Record::decided`]) and, once its answer is
//! out, counts ([`Record::answered`]). A decision whose answer a crash has swallowed may have
//! reached the disk or not; both are right, and the disk is asked ([`Record::reopened`]).
//! The record knows what was asked for, by whom, and what the runner said, so it knows which
//! input each decision is about and can take the step again by itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    domain::{
        Millis,
        execution::{Execution, Line, Reason, Verdict},
        facts::Task,
        ids::{ExecutionId, TaskId},
        step::{self, Input, Policy, Refused, Step},
    },
    simulation::oracle::{
        account::Account,
        almanac::Almanacs,
        change::{Asked, Change, Why},
    },
    store::memory::disk::Data,
};

#[derive(Debug, Clone)]
enum What {
    Created(Box<Task>),
    Changed(Box<Change>),
    Deleted,
}

#[derive(Debug, Clone)]
struct Entry {
    operation: u64,
    request: Option<String>,
    task: TaskId,
    what: What,
}

impl Entry {
    fn after(&self) -> Option<&Task> {
        match &self.what {
            What::Created(task) => Some(task),
            What::Changed(change) => Some(&change.step.task),
            What::Deleted => None,
        }
    }
}

/// When a decision is taken, and what is not a function of the task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    pub(crate) now: Millis,
    pub(crate) roll: f64,
    pub(crate) policy: Policy,
    /// Whether what an earlier process left behind is being settled.
    pub(crate) recovering: bool,
    /// Whether the clock was set between the question and the decision.
    pub(crate) set_meanwhile: bool,
}

/// What was promised.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) almanacs: Almanacs,
    /// Every task that there is, and what became of its occurrences.
    pub(crate) accounts: BTreeMap<TaskId, Account>,
    /// Decisions that have not been answered yet, in order.
    pending: VecDeque<Entry>,
    /// What was asked for, by request.
    pub(crate) requests: BTreeMap<String, Asked>,
    /// Requests whose changes count.
    pub(crate) done: BTreeSet<String>,
    /// What the runner said.
    pub(crate) verdicts: BTreeMap<ExecutionId, Verdict>,
    /// What handlers said.
    pub(crate) said: BTreeMap<ExecutionId, Vec<Line>>,
    /// Executions that the runner was given, ever.
    pub(crate) started: BTreeSet<ExecutionId>,
}

impl Record {
    /// The task as a decision must find it.
    fn tip(&self, task: TaskId) -> Option<&Task> {
        match self.pending.iter().rev().find(|entry| entry.task == task) {
            Some(entry) => entry.after(),
            None => self.accounts.get(&task).map(|account| &account.task),
        }
    }

    pub(crate) fn created(&mut self, operation: u64, request: Option<String>, task: Task) {
        self.pending.push_back(Entry {
            operation,
            request,
            task: task.id,
            what: What::Created(Box::new(task)),
        });
    }

    pub(crate) fn deleted(&mut self, operation: u64, request: Option<String>, task: TaskId) {
        self.pending.push_back(Entry { operation, request, task, what: What::Deleted });
    }

    /// The store has asked what becomes of `before` and was told `result`.
    pub(crate) fn decided(
        &mut self,
        operation: u64,
        why: &Why,
        before: &Task,
        result: &Result<Step, Refused>,
        circumstances: Circumstances,
    ) {
        assert_eq!(Some(before), self.tip(before.id), "the store asks about a task as it never was");
        if *result == Err(Refused::NotYet) {
            let due = before.due();
            assert!(
                due.is_some_and(|due| due > circumstances.now) && !before.facts.running.is_empty(),
                "it is due, or nothing of it runs: {before:#?}"
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
            &replayed(before, &input, result, now, circumstances),
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

    /// What must have happened.
    fn input(&self, why: &Why, before: &Task, result: &Result<Step, Refused>, recovering: bool) -> Input {
        match why {
            Why::Due => Input::Due,
            Why::Request(id) => match self.requests.get(id).expect("somebody asked for it") {
                Asked::Pause => Input::Pause,
                Asked::Resume => Input::Resume,
                Asked::ResetRetries => Input::ResetRetries,
                Asked::Cancel => Input::Cancel,
                Asked::Update(draft) => Input::Update(Box::new(draft.clone())),
                Asked::RunByHand(params) => {
                    let new = result.as_ref().ok().and_then(|step| by_hand(before, &step.task));
                    let execution = new.unwrap_or_else(|| ExecutionId::from_bytes([0; 16]));
                    Input::RunByHand { execution, params: params.clone() }
                }
            },
            Why::Ended => {
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
                let lost = || Verdict::failed(Reason::Lost, "the server died while the handler ran");
                let verdict = match self.verdicts.get(&execution) {
                    Some(verdict) if !recovering => verdict.clone(),
                    _ => {
                        assert!(recovering, "nobody has reported the end of {execution}");
                        lost()
                    }
                };
                Input::Ended { execution, verdict: Box::new(verdict) }
            }
        }
    }

    /// An operation failed although its decision was taken.
    pub(crate) fn failed(&mut self, operation: u64) {
        self.pending.retain(|entry| entry.operation != operation);
    }

    /// An operation was answered: it and everything before it is there for good.
    pub(crate) fn answered(&mut self, operation: u64) {
        while self.pending.front().is_some_and(|entry| entry.operation <= operation) {
            self.count();
        }
    }

    fn count(&mut self) {
        let Some(Entry { request, task, what, .. }) = self.pending.pop_front() else { return };
        self.done.extend(request);
        match what {
            What::Created(new) => {
                self.accounts.insert(task, Account::new(*new, &mut self.almanacs));
            }
            What::Deleted => {
                let gone = self.accounts.remove(&task).expect("it was there");
                assert!(gone.task.facts.running.is_empty(), "deleted while it runs");
            }
            What::Changed(change) => {
                let account = self.accounts.get_mut(&task).expect("it is there");
                account.follow(&change, &mut self.almanacs);
            }
        }
    }

    /// A new process finds this on the disk. What was answered is there; of what was not, the
    /// first so many.
    pub(crate) fn reopened(&mut self, data: &Data) {
        let mut expected: BTreeMap<TaskId, Task> =
            self.accounts.iter().map(|(id, account)| (*id, account.task.clone())).collect();
        let mut reached = (expected == data.tasks).then_some(0);
        for (number, entry) in self.pending.iter().enumerate() {
            match entry.after() {
                Some(task) => expected.insert(entry.task, task.clone()),
                None => expected.remove(&entry.task),
            };
            if expected == data.tasks {
                reached = Some(number + 1);
            }
        }
        let Some(reached) = reached else {
            panic!("an acknowledged change is lost, or there is one that nobody made: {:#?}", data.tasks)
        };
        (0..reached).for_each(|_| self.count());
        self.pending.clear();
        self.compare_rows(data);
    }

    /// What the disk holds is what was promised, to the row.
    pub(crate) fn compare_rows(&self, data: &Data) {
        let expected: BTreeMap<(TaskId, ExecutionId), &Execution> = self
            .accounts
            .iter()
            .flat_map(|(task, account)| account.rows.iter().map(|(id, row)| ((*task, *id), row)))
            .collect();
        let found: BTreeMap<_, _> = data.rows.iter().map(|(key, row)| (*key, row)).collect();
        assert_eq!(found, expected, "the rows are not those that were written");
    }
}

/// The execution of a run by hand that a step has added.
fn by_hand(before: &Task, after: &Task) -> Option<ExecutionId> {
    let known = executions(before);
    let waiting = after.facts.waiting.iter().filter(|w| w.occurrence.by_hand).map(|w| w.execution);
    let running = after.facts.running.iter().filter(|r| r.occurrence.by_hand).map(|r| r.execution);
    waiting.chain(running).find(|id| !known.contains(id))
}

fn executions(task: &Task) -> BTreeSet<ExecutionId> {
    let facts = &task.facts;
    let skips = facts.running.iter().filter_map(|r| r.skipped.as_ref()).map(|skip| skip.execution);
    let waiting = facts.waiting.iter().map(|w| w.execution);
    facts.running.iter().map(|r| r.execution).chain(waiting).chain(skips).collect()
}

/// The same step, taken again.
fn replayed(
    before: &Task,
    input: &Input,
    result: &Result<Step, Refused>,
    now: Millis,
    circumstances: Circumstances,
) -> Result<Step, Refused> {
    let Circumstances { roll, policy, .. } = circumstances;
    // Ids are made in order, so the new ones are handed out in order again.
    let mut new: BTreeSet<ExecutionId> = BTreeSet::new();
    if let Ok(step) = result {
        new.extend(executions(&step.task));
        new.extend(step.rows.iter().map(|row| row.id));
        let known = executions(before);
        new.retain(|id| !known.contains(id));
        if let Input::RunByHand { execution, .. } = input {
            new.remove(execution);
        }
    }
    let mut new = new.into_iter();
    let mut new_id = || new.next().expect("no more ids than the step used");
    before.step(
        input.clone(),
        &mut step::Circumstances { now, roll: roll * 2.0 - 1.0, new_id: &mut new_id, policy },
    )
}
