//! The contract of every backend of [`Store`], as stories independent of the backend.
//!
//! A backend's tests call [`passes`] with a function that opens the backend in a directory, empty or
//! written by the backend before.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use ulid::Ulid;

use super::*;
use crate::domain::{
    chance::Chance,
    definition::{Definition, Overlap},
    draft::tests::definition,
    execution::{Ending, ExecutionStatus, Level, Reason, Trigger, Verdict},
    facts::{Occurrence, Origin, Running, TaskStatus},
    step::{Circumstances, Input, Policy, Refused},
};

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod bindings;
pub(crate) mod changes;
pub(crate) mod claims;
pub(crate) mod copies;
pub(crate) mod figures;
pub(crate) mod history;
pub(crate) use self::history::queries;
pub(crate) mod keeping;
pub(crate) mod lists;
pub(crate) mod nodes;
pub(crate) mod outbox;
pub(crate) mod state;

/// Opens a backend's store in a directory; the store reads its time from [`Now`].
pub(crate) type Open = fn(&Path, Now) -> Arc<dyn Store>;

/// Makes a test of each story for the backend that `$open` opens. The tests lie in modules, so `$open` is
/// a path from inside one: `super::open`.
macro_rules! passes {
    ($open:expr) => {
        $crate::store::contract::passes! { $open, true }
    };
    // Only where the backend is there.
    ($open:expr, $there:expr) => {
        $crate::store::contract::passes! { $open, $there;
            access: [
                tokens_and_sessions_are_kept_until_they_are_removed,
                a_late_note_of_a_use_brings_back_no_token_and_no_session,
                a_name_belongs_to_one_token,
                a_copy_has_the_tokens_and_no_session,
            ];
            audit: [
                records_are_found_newest_first_by_task_actor_action_and_time,
                a_page_goes_on_where_it_ended_while_records_are_added,
                many_records_that_a_filter_refuses_end_a_page,
                old_records_go_and_the_others_stay,
                a_change_of_a_task_tells_its_fields,
                a_pause_by_an_alert_is_recorded_without_a_request,
                edits_and_bindings_are_recorded_if_they_are_made,
                the_audit_is_in_a_copy_with_its_order,
            ];
            bindings: [
                bindings_are_kept_in_the_order_of_their_names_until_they_are_removed,
                a_change_of_bindings_sees_all_of_them_and_is_all_or_nothing,
                bindings_are_in_a_copy_as_they_are,
            ];
            changes: [
                an_end_is_told_to_each_successor_once,
                a_task_follows_no_stranger_and_not_itself,
                a_task_that_others_follow_is_not_deleted,
                a_task_is_kept_until_it_is_deleted,
                a_name_belongs_to_one_task,
                a_refused_change_leaves_nothing_behind,
                a_change_sees_what_the_one_before_it_did,
                a_task_in_progress_is_not_deleted,
                a_deleted_task_takes_its_history_with_it,
                the_next_due_time_and_what_runs_follow_every_change,
            ];
            claims: [
                what_is_due_is_decided_about_earliest_first_and_no_more_than_asked,
                what_is_due_is_claimed_by_priority_and_then_by_time,
                claims_that_are_made_together_get_one_task_each,
                a_claim_writes_what_each_decision_says,
                one_that_cannot_be_decided_about_is_held_back_until_it_is_changed,
                one_that_is_not_due_yet_by_its_own_account_stays,
                a_decision_is_given_the_time_of_the_store,
                a_task_that_is_due_later_than_asked_for_is_not_claimed,
            ];
            figures: [
                ends_are_counted_per_minute_hour_and_day,
                a_clock_that_goes_back_loses_and_doubles_no_end,
                minutes_and_hours_go_when_their_time_is_over_and_days_stay,
                activity_survives_reopening_and_copies,
                schedules_are_counted_while_their_tasks_run_by_them,
                the_usual_durations_of_tasks_are_summed_per_schedule,
                tasks_come_in_the_order_of_their_next_runs_part_by_part,
            ];
            history: [
                rows_are_listed_newest_first_and_replaced_by_their_id,
                only_as_many_rows_as_the_task_keeps_stay,
                an_end_that_does_not_stay_leaves_no_output,
                lists_of_executions_agree_with_a_naive_model,
                old_history_is_counted_and_then_removed,
                others_are_served_while_much_history_is_removed,
                history_is_counted_while_it_is_removed,
                lines_come_back_in_the_order_they_were_written,
                long_lines_come_back_whole,
                the_tail_is_the_last_bytes_and_has_no_holes,
                output_that_comes_with_a_change_is_kept_or_dropped_with_it,
            ];
            keeping: [
                executions_that_a_process_left_in_progress_are_told_until_they_are_closed,
                values_are_kept_under_their_keys,
                values_are_changed_together_and_listed_by_the_start_of_their_keys,
                everything_is_still_there_after_reopening,
                a_closed_store_refuses_changes,
                what_many_ask_for_at_once_is_all_done,
                statistics_count_what_there_is,
            ];
            lists: [
                lists_of_tasks_agree_with_a_naive_model,
                a_page_of_tasks_has_the_newest_executions_of_each,
                a_list_goes_on_after_a_task_in_the_order_of_creation,
            ];
            outbox: [
                the_alerts_of_a_step_wait_in_their_channels_in_order,
                deliveries_that_are_over_are_listed_newest_first,
                the_task_whose_alerts_wait_for_the_earliest_time_is_known,
                alerts_survive_reopening_and_copies,
            ];
            queries: [
                lists_over_all_tasks_agree_with_a_naive_model,
                a_list_goes_on_where_it_ended_while_rows_are_added_and_removed,
                an_execution_is_found_by_its_id_until_it_goes,
                a_skip_that_grows_after_a_change_of_its_handler_is_listed_once,
                tasks_are_found_by_the_beginning_and_then_by_a_part_of_their_name,
                long_parameters_are_kept_apart_as_long_as_they_are_among_the_newest,
                versions_of_a_handler_are_kept_with_their_runs_and_sources,
            ];
            state: [
                an_entry_is_kept_under_its_key_with_a_version_that_grows,
                a_deleted_entry_that_is_made_again_shows_no_old_version,
                an_edit_that_expects_another_version_changes_nothing,
                a_number_grows_and_keeps_the_time_of_its_end,
                entries_are_listed_in_the_order_of_their_keys_page_by_page,
                owners_do_not_see_one_anothers_entries,
                an_entry_whose_time_has_passed_is_never_shown_and_goes,
                more_entries_or_bytes_than_the_quota_are_refused,
                a_run_that_is_over_writes_nothing,
                the_entries_of_a_deleted_task_go_with_it,
                finished_steps_stay_until_their_occurrence_is_over,
                a_run_that_is_over_finishes_no_step,
                progress_is_in_the_row_of_the_run,
                state_survives_reopening_and_copies,
                many_entries_of_a_deleted_task_go_beside_other_changes,
            ];
            copies: [
                a_copy_has_everything_and_an_empty_store_takes_it_in,
                only_an_empty_store_takes_a_copy_in,
                a_copy_that_is_given_up_leaves_an_empty_store,
                a_task_and_its_executions_are_of_one_moment_in_a_copy,
            ];
        }
    };
    ($open:expr, $there:expr; $($room:ident: [$($story:ident),* $(,)?];)*) => {
        $(mod $room {
            $(#[test]
            fn $story() {
                if $there {
                    $crate::store::contract::$room::$story(&mut $crate::store::contract::Bench::new($open));
                }
            })*
        })*
    };
}
pub(crate) use passes;

/// Makes a test of each story of many nodes, for a backend that can have them. `$open` opens it and joins.
macro_rules! shares {
    ($open:expr) => {
        $crate::store::contract::shares! { $open, true }
    };
    // Only where the backend is there.
    ($open:expr, $there:expr) => {
        $crate::store::contract::shares! { $open, $there;
            two_nodes_share_the_due_tasks_and_none_gets_one_twice,
            a_name_belongs_to_one_task_whichever_node_makes_it,
            a_name_belongs_to_one_token_whichever_node_makes_it,
            a_change_of_one_node_is_seen_by_the_next_on_another,
            changes_of_one_task_by_many_nodes_are_all_there,
            executions_of_a_gone_node_are_abandoned_and_no_others,
            a_gone_node_writes_nothing_more,
            a_beat_saves_a_node_from_being_given_up,
            a_late_end_is_refused_and_its_output_dropped,
            a_node_ends_no_execution_of_a_living_one,
            a_wish_reaches_the_node_that_runs_the_execution,
            a_step_cancels_executions_of_other_nodes_by_wishes,
            an_execution_is_open_until_it_has_ended_wherever_it_runs,
            a_held_task_is_held_for_all_nodes,
            the_slots_of_a_key_are_those_of_all_nodes,
            a_turn_is_one_nodes_until_its_time_is_over_or_it_is_gone,
            a_node_that_joins_anew_is_another_node,
            a_node_that_joins_anew_has_the_wish_to_take_no_new_runs,
            a_beat_tells_of_tasks_that_wait_for_a_process,
            rows_tell_the_node_that_ran_them,
        }
    };
    ($open:expr, $there:expr; $($story:ident),* $(,)?) => {
        mod nodes {
            $(#[test]
            fn $story() {
                if $there {
                    $crate::store::contract::nodes::$story(&mut $crate::store::contract::nodes::ManyNodes::new($open));
                }
            })*
        }
    };
}
pub(crate) use shares;

/// The time at which the stories start.
const START: Millis = 1_772_445_600_000;
const HOUR: Millis = 3_600_000;

/// A store in a directory of its own.
pub(crate) struct Bench {
    open: Open,
    directory: TempDir,
    store: Option<Arc<dyn Store>>,
    runtime: Runtime,
    /// The store's time.
    now: Arc<AtomicI64>,
    ids: u128,
}

impl Bench {
    pub(crate) fn new(open: Open) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let now = Arc::new(AtomicI64::new(START));
        let store = Some(open(directory.path(), now_of(&now)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { open, directory, store, runtime, now, ids: 0 }
    }

    fn store(&self) -> &dyn Store {
        self.store.as_deref().expect("it is open")
    }

    fn reopen(&mut self) {
        self.wait(self.store().close()).expect("it closes");
        self.store = None;
        self.store = Some((self.open)(self.directory.path(), now_of(&self.now)));
    }

    fn wait<T>(&self, answer: Answer<T>) -> Result<T, StoreError> {
        self.runtime.block_on(answer)
    }

    fn next_id(&mut self) -> Ulid {
        self.ids += 1;
        Ulid::from_parts(START.unsigned_abs(), self.ids)
    }

    fn task(&mut self, name: &str, definition: Definition) -> Task {
        let definition = Definition { name: name.to_owned(), ..definition };
        Task::new(TaskId(self.next_id()), definition, START)
    }

    /// Creates a task with this name that is due every hour.
    fn hourly(&mut self, name: &str) -> Task {
        self.create(name, definition("@hourly"))
    }

    fn create(&mut self, name: &str, definition: Definition) -> Task {
        let task = self.task(name, definition);
        self.wait(self.store().create(task.clone(), None)).expect("it is created");
        task
    }

    fn read(&self, id: TaskId) -> Task {
        self.wait(self.store().task(id)).expect("it reads").expect("it is there")
    }

    /// Gives a task an input at a time.
    fn step(&mut self, task: TaskId, now: Millis, input: Input) -> Result<Step, StoreError> {
        let decide = self.decision(now, input);
        self.wait(self.store().change(task, decide, None, None))
    }

    fn decision(&mut self, now: Millis, input: Input) -> Decision {
        // Each decision makes new ids, in the order of the decisions.
        self.ids += 1;
        let mut next = self.ids << 32;
        Box::new(move |task, _| {
            let mut new_id = || {
                next += 1;
                ExecutionId(Ulid::from_parts(START.unsigned_abs(), next))
            };
            let policy = Policy::default();
            task.step(input.clone(), &mut Circumstances { now, roll: 0.0, new_id: &mut new_id, policy })
        })
    }

    /// Claims the tasks due by `now`, to which the store's time is set first.
    fn claim(&self, until: Millis, most: usize, decide: Decision) -> Result<Vec<Step>, StoreError> {
        self.now.store(until, Ordering::Relaxed);
        self.wait(self.store().claim(0, most, decide)).map(|claimed| claimed.steps)
    }

    fn run_by_hand(&mut self, task: TaskId, now: Millis) -> ExecutionId {
        let execution = ExecutionId(self.next_id());
        let input = Input::RunByHand { execution, params: None, origin: Origin::default() };
        let step = self.step(task, now, input).expect("a run by hand is allowed");
        assert_eq!(step.start[0].execution, execution);
        execution
    }

    fn end(&mut self, task: TaskId, execution: ExecutionId, now: Millis) {
        let ending = Ending::Completed { result: json!(1) };
        let verdict = Box::new(Verdict::of(ending));
        self.step(task, now, Input::Ended { execution, verdict }).expect("it is in progress");
    }

    /// Writes rows of a task without a change of its facts.
    fn write_rows(&mut self, task: TaskId, rows: Vec<Execution>) {
        let decide: Decision =
            Box::new(move |task, _| Ok(Step { rows: rows.clone(), ..Step::to(task.clone()) }));
        self.wait(self.store().change(task, decide, None, None)).expect("they are written");
    }

    fn row(&mut self, task: &Task, status: ExecutionStatus, created_at: Millis) -> Execution {
        row(task, ExecutionId(self.next_id()), status, created_at)
    }

    fn all_executions(&self, task: TaskId) -> Page<Execution> {
        let query = ExecutionQuery { limit: 20_000, ..ExecutionQuery::default() };
        self.wait(self.store().executions(task, query)).expect("it reads")
    }

    fn names(&self) -> Vec<String> {
        let page = self.wait(self.store().tasks(everything())).expect("it reads");
        assert_eq!(page.total, page.items.len() as u64);
        page.items.into_iter().map(|view| view.task.definition.name).collect()
    }
}

impl Drop for Bench {
    /// Closes the store before its directory is removed: a store that cannot write ends the process.
    fn drop(&mut self) {
        if let Some(store) = self.store.take() {
            let _ = self.runtime.block_on(store.close());
        }
    }
}

fn now_of(now: &Arc<AtomicI64>) -> Now {
    let now = now.clone();
    Arc::new(move || now.load(Ordering::Relaxed))
}

/// A query for all tasks by name.
pub(crate) fn everything() -> TaskQuery {
    TaskQuery {
        status: None,
        handler: None,
        bound: None,
        tag: None,
        after: None,
        name: None,
        sort: TaskSort::Name,
        direction: Direction::Ascending,
        skip: 0,
        limit: 10_000,
        newest: 0,
    }
}

/// Makes a row of a first attempt.
pub(crate) fn row(task: &Task, id: ExecutionId, status: ExecutionStatus, created_at: Millis) -> Execution {
    let occurrence = Occurrence::planned(created_at);
    let running = Running {
        execution: id,
        attempt: 1,
        trigger: Trigger::Schedule,
        claimed_at: created_at,
        occurrence,
        former_params: None,
        skipped: None,
    };
    Execution { status, ..Execution::started(task, &running) }
}

fn line(message: impl Into<String>) -> Line {
    Line { time: START, level: Level::Log, message: message.into() }
}

fn audit(task: &Task, time: Millis) -> Audit {
    Audit {
        time,
        action: "pause".to_owned(),
        task_id: Some(task.id),
        task_name: Some(task.definition.name.clone()),
        request_id: "r1".to_owned(),
        ..Audit::default()
    }
}
