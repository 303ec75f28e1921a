//! Random lives of random tasks. A ledger asks the schedule alone which times came while
//! the task was neither paused nor stopped; each of them must be found in the rows, once.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::domain::definition::Backoff;

/// What may happen. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Act {
    Due,
    Look,
    End(usize, Box<Verdict>),
    LateEnd(usize),
    Cancel,
    Pause,
    Resume,
    ByHand,
    Reset,
    Update(Value),
}

const RECURRING: [&str; 5] = ["every 30s", "every 10m", "* * * * *", "*/7 3-20 * * *", "0 9 * * 1-5"];
const ONE_TIME: [&str; 3] = ["now", "2026-03-02T10:05:00Z", "2026-03-02T09:00:00Z"];

fn planned() -> impl Strategy<Value = (&'static str, bool)> {
    prop_oneof![
        6 => select(&RECURRING[..]).prop_map(|schedule| (schedule, true)),
        1 => select(&RECURRING[..]).prop_map(|schedule| (schedule, false)),
        2 => select(&ONE_TIME[..]).prop_map(|schedule| (schedule, false)),
    ]
}

fn definitions() -> impl Strategy<Value = Definition> {
    let rules = (
        select(vec![Overlap::Skip, Overlap::Queue, Overlap::Allow, Overlap::Replace]),
        select(vec![Misfire::Once, Misfire::Skip, Misfire::All]),
        select(vec![OnExhausted::Continue, OnExhausted::Stop]),
        select(vec![Backoff::Fixed, Backoff::Exponential]),
    );
    let retries = (0_u32..=3, select(vec![1000, 45_000, 3_600_000]));
    (planned(), rules, retries, any::<f64>()).prop_map(|((schedule, recurring), rules, retries, number)| {
        let (overlap, misfire, on_exhausted, retry_backoff) = rules;
        let params = json!({"number": number, "text": "\u{0}\u{1f600}"}).as_object().cloned();
        Definition {
            recurring,
            timezone: chrono_tz::Europe::Berlin,
            params: params.unwrap_or_default(),
            max_retries: retries.0,
            retry_delay: retries.1,
            overlap,
            misfire,
            on_exhausted,
            retry_backoff,
            ..definition(schedule)
        }
    })
}

fn acts() -> impl Strategy<Value = Act> {
    let verdict = prop_oneof![
        3 => Just(Verdict::failed(Reason::Exception, "no luck")),
        2 => Just(completed()),
        1 => Just(cancelled()),
        1 => Just(Verdict::failed(Reason::Lost, "the server died")),
    ];
    let update = prop_oneof![
        planned().prop_map(|(schedule, recurring)| json!({"schedule": schedule, "recurring": recurring})),
        (0..=3).prop_map(|n| json!({"maxRetries": n})),
        select(vec!["UTC", "Asia/Tokyo"]).prop_map(|zone| json!({"timezone": zone})),
        select(vec!["skip", "queue", "allow", "replace"]).prop_map(|rule| json!({"overlap": rule})),
    ];
    prop_oneof![
        8 => Just(Act::Due),
        4 => Just(Act::Look),
        6 => (any::<usize>(), verdict).prop_map(|(which, verdict)| Act::End(which, Box::new(verdict))),
        1 => any::<usize>().prop_map(Act::LateEnd),
        1 => Just(Act::Cancel),
        1 => Just(Act::Pause),
        2 => Just(Act::Resume),
        2 => Just(Act::ByHand),
        1 => Just(Act::Reset),
        1 => update.prop_map(Act::Update),
    ]
}

fn waits() -> impl Strategy<Value = Millis> {
    prop_oneof![
        6 => 1..5 * SECOND,
        6 => 20 * SECOND..200 * SECOND,
        3 => 30 * MINUTE..5 * HOUR,
        1 => 20 * HOUR..40 * HOUR,
    ]
}

/// Planned times in `(after, until]`, one by one.
fn times(task: &Task, after: Millis, until: Millis) -> u64 {
    let plan = task.plan();
    let times = std::iter::successors(plan.next_after(after), |time| plan.next_after(*time));
    times.take_while(|time| *time <= until).count() as u64
}

/// How many times have come, and until when that has been counted.
struct Ledger {
    came: u64,
    /// Nothing while times pass without a claim to be run: paused, stopped, not recurring.
    counted_until: Option<Millis>,
}

fn is_live(task: &Task) -> bool {
    task.definition.recurring && !task.facts.paused && task.facts.next.is_some()
}

impl Ledger {
    fn new(task: &Task) -> Self {
        let mut ledger = Self { came: 0, counted_until: None };
        ledger.begin(task, START);
        ledger
    }

    fn begin(&mut self, task: &Task, now: Millis) {
        if task.definition.recurring {
            self.counted_until = is_live(task).then_some(now);
        } else {
            // It comes some time or other, unless it is replaced.
            (self.came, self.counted_until) = (self.came + 1, None);
        }
    }

    /// Follows what happened at `now`.
    fn follow(&mut self, before: &Task, after: &Task, now: Millis) {
        if let Some(since) = self.counted_until.as_mut() {
            self.came += times(before, *since, now);
            *since = now;
        }
        let (old, new) = (&before.definition, &after.definition);
        let follows_clocks =
            !old.schedule.as_str().starts_with("every") && !ONE_TIME.contains(&old.schedule.as_str());
        let replanned = old.schedule != new.schedule
            || old.recurring != new.recurring
            || (follows_clocks && old.timezone != new.timezone);
        if replanned {
            let undecided = before.facts.next.is_some_and(|next| next > now || before.facts.paused);
            self.came -= u64::from(!old.recurring && undecided);
            self.begin(after, now);
        } else if is_live(after) != self.counted_until.is_some() {
            self.counted_until = is_live(after).then_some(now);
        }
    }
}

/// Occurrences of the schedule in the rows, in the queue, and those still to be decided about.
fn accounted(life: &Life) -> u64 {
    let Facts { next, waiting, paused, .. } = &life.task.facts;
    let of_the_schedule = |row: &&Execution| row.trigger != Trigger::Manual && row.attempt <= 1;
    let in_rows: u64 =
        life.rows.values().filter(of_the_schedule).map(|row| row.skipped_count.unwrap_or(1)).sum();
    let in_queue = waiting.iter().filter(|waiting| !waiting.occurrence.by_hand).count() as u64;
    let undecided = match next {
        Some(_) if !life.task.definition.recurring => 1,
        Some(next) if !paused => times(&life.task, next - 1, life.now),
        _ => 0,
    };
    in_rows + in_queue + undecided
}

struct World {
    life: Life,
    ledger: Ledger,
    closed: Vec<ExecutionId>,
}

impl World {
    fn new(definition: Definition) -> Self {
        let life = Life::new(definition);
        Self { ledger: Ledger::new(&life.task), life, closed: Vec::new() }
    }

    fn happens(&mut self, input: Input) -> Result<Step, Refused> {
        let before = self.life.clone();
        let result = self.life.try_step(input);
        match &result {
            Ok(step) => {
                self.ledger.follow(&before.task, &step.task, self.life.now);
                check_step(&before, step);
            }
            Err(_) => assert_eq!((&self.life.task, &self.life.rows), (&before.task, &before.rows)),
        }
        check_life(&self.life);
        if result.is_ok() {
            assert_eq!(accounted(&self.life), self.ledger.came, "{:#?}", self.life.task.facts);
        }
        result
    }

    fn act(&mut self, act: Act) {
        let facts = self.life.task.facts.clone();
        let stopped = self.life.task.is_stopped();
        match act {
            Act::Due => {
                // Under `allow` each time of the last minute and each retry may start.
                let mut left = 8 + facts.retries.len();
                while self.life.task.due().is_some_and(|due| due <= self.life.now) {
                    assert!(left > 0, "this never ends: {:?}", self.life.task.facts);
                    left -= 1;
                    assert_eq!(self.happens(Input::Due).map(drop), Ok(()));
                }
            }
            Act::Look => assert_eq!(self.happens(Input::Due).map(drop), Ok(())),
            Act::End(which, verdict) => {
                let Some(running) = facts.running.get(which % facts.running.len().max(1)) else { return };
                let input = Input::Ended { execution: running.execution, verdict };
                assert_eq!(self.happens(input).map(drop), Ok(()));
                self.closed.push(running.execution);
            }
            Act::LateEnd(which) => {
                let Some(execution) = self.closed.get(which % self.closed.len().max(1)).copied() else {
                    return;
                };
                let input = Input::Ended { execution, verdict: Box::new(completed()) };
                assert_eq!(self.happens(input), Err(Refused::NotRunning(execution)));
            }
            Act::Cancel => assert_eq!(self.happens(Input::Cancel).is_ok(), !facts.running.is_empty()),
            Act::Pause => assert_eq!(self.happens(Input::Pause).is_ok(), !facts.paused),
            Act::Resume => assert_eq!(self.happens(Input::Resume).is_ok(), facts.paused || stopped),
            Act::ByHand => {
                let refused = !facts.running.is_empty()
                    && match self.life.task.definition.overlap {
                        Overlap::Skip => true,
                        Overlap::Queue => !facts.waiting.is_empty(),
                        Overlap::Allow | Overlap::Replace => false,
                    };
                let execution = self.life.new_id();
                assert_eq!(
                    self.happens(Input::RunByHand { execution, params: None, origin: Origin::default() })
                        .is_err(),
                    refused
                );
            }
            Act::Reset => assert_eq!(self.happens(Input::ResetRetries).map(drop), Ok(())),
            Act::Update(fields) => {
                let draft = Draft::read(fields.as_object().expect("an object")).expect("a valid draft");
                let result = self.happens(Input::Update(Box::new(draft)));
                assert!(matches!(result, Ok(_) | Err(Refused::Invalid(_))), "{result:?}");
            }
        }
    }
}

/// What a step may say, given what there was before it.
fn check_step(before: &Life, step: &Step) {
    assert!(step.task.updated_at >= before.task.updated_at);
    for start in &step.start {
        assert!(start.attempt <= step.task.definition.max_attempts(), "{start:?}");
        assert!(start.trigger == Trigger::Manual || !before.task.facts.paused, "it is paused: {start:?}");
        let row = step.rows.iter().find(|row| row.id == start.execution).expect("its row");
        assert_eq!(row.status, ExecutionStatus::Running);
    }
    for row in &step.rows {
        let Some(old) = before.rows.get(&row.id) else { continue };
        match old.status {
            ExecutionStatus::Running => assert_ne!(row.status, ExecutionStatus::Running),
            ExecutionStatus::Skipped => assert!(row.skipped_count > old.skipped_count, "{old:?} {row:?}"),
            _ => panic!("a closed row is written again: {old:?} {row:?}"),
        }
        assert_eq!((row.scheduled_for, row.attempt), (old.scheduled_for, old.attempt));
        assert_eq!(row.created_at, old.created_at);
    }
}

/// What is true of any task at any time.
fn check_life(life: &Life) {
    let Task { facts, definition, .. } = &life.task;
    let json = serde_json::to_string(&life.task).expect("it serialises");
    assert_eq!(serde_json::from_str::<Task>(&json).expect("it parses"), life.task);

    let mut attempts = BTreeSet::new();
    for row in life.rows.values().filter(|row| row.attempt > 0) {
        assert!(attempts.insert((row.scheduled_for, row.attempt)), "twice: {row:?}");
    }
    for row in life.rows.values().filter(|row| row.attempt == 0 && row.trigger != Trigger::Manual) {
        assert!(!attempts.contains(&(row.scheduled_for, 1)), "skipped and run: {row:?}");
    }
    let open = life.rows.values().filter(|row| row.status == ExecutionStatus::Running).map(|row| row.id);
    let running: BTreeSet<_> = facts.running.iter().map(|run| run.execution).collect();
    assert_eq!((open.collect::<BTreeSet<_>>(), running.len()), (running, facts.running.len()));
    assert!(facts.retries.is_sorted_by_key(|retry| retry.due), "{:?}", facts.retries);
    assert!(facts.retries.iter().all(|retry| retry.attempt <= definition.max_attempts()));
    let idle = facts.running.is_empty();
    assert_eq!(
        life.task.next_run().is_none(),
        facts.paused || (facts.retries.is_empty() && facts.next.is_none())
    );
    if idle && !facts.paused && life.task.next_run().is_some() {
        assert!(life.task.due().is_some(), "it never runs again: {facts:?}");
    }
    assert!(!(idle && facts.paused && life.task.due().is_some_and(|due| due > life.now)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_every_planned_time_is_accounted_for(
        definition in definitions(),
        story in vec((waits(), acts()), 1..60),
        roll in -1.0..1.0,
    ) {
        let mut world = World::new(definition);
        world.life.roll = roll;
        for (wait, act) in story {
            world.life.now += wait;
            world.act(act);
        }
    }
}
