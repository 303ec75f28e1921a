//! Fuzzes records: a damaged disk may hold any bytes. See `crate::fuzzing`.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    domain::{
        Millis,
        chance::Chance,
        draft::Draft,
        execution::{Ending, Execution, Line, Reason, Verdict},
        facts::{Origin, Task},
        ids::ExecutionId,
        step::{Circumstances, Input, Policy},
    },
    store::{
        Audit,
        sled::engine::{keys, record},
    },
};

/// Inputs that a decoded task is given.
const EVENTS: u32 = 12;

/// Reads bytes as a record, then as the payload of a record that verifies.
pub fn records(bytes: &[u8]) {
    if let Ok(payload) = record::payload(bytes) {
        assert_eq!(record::encode_bytes(payload), bytes);
    }
    let whole = record::encode_bytes(bytes);
    assert_eq!(record::payload(&whole), Ok(bytes));
    let seed = crc32c::crc32c(bytes);
    check_damage(whole.clone(), seed);
    check_round_trip::<Execution>(&whole);
    check_round_trip::<Vec<Line>>(&whole);
    check_round_trip::<Audit>(&whole);
    check_round_trip::<Value>(&whole);
    if let Some(task) = check_round_trip::<Task>(&whole) {
        take_steps(task, seed);
    }
}

/// A record with one bit changed does not verify.
fn check_damage(mut record: Vec<u8>, seed: u32) {
    let chance = Chance::new(u64::from(seed));
    for _ in 0..8 {
        let (at, change) = (chance.below(record.len()), 1 << chance.below(8));
        record[at] ^= change;
        assert!(record::payload(&record).is_err(), "byte {at} changed by {change}");
        record[at] ^= change;
    }
}

/// A value that decodes is written and read again without loss.
fn check_round_trip<T: Serialize + DeserializeOwned + Debug + PartialEq>(whole: &[u8]) -> Option<T> {
    let value = record::decode::<T>(whole).ok()?;
    let written = record::encode(&value).expect("a decoded value encodes");
    assert_eq!(record::decode::<T>(&written).as_ref(), Ok(&value));
    Some(value)
}

/// No decoded task makes the writer panic when it takes steps of the task.
fn take_steps(mut task: Task, seed: u32) {
    let chance = Chance::new(u64::from(seed));
    let mut now: Millis = 1_767_225_600_000;
    let mut made: u128 = 0;
    let mut new_id = || {
        made += 1;
        ExecutionId::from_bytes(made.to_be_bytes())
    };
    for _ in 0..EVENTS {
        now += [0, 1, 61_000, 86_400_000, 40_000_000_000][chance.below(5)];
        let input = input(&task, &chance, &mut new_id);
        let circumstances =
            &mut Circumstances { now, roll: 0.5, new_id: &mut new_id, policy: Policy::default() };
        if let Ok(step) = task.step(input, circumstances) {
            keys::index_entries(&step.task);
            record::encode(&step.task).expect("a task becomes a record");
            task = step.task;
        }
    }
}

fn input(task: &Task, chance: &Chance, new_id: &mut dyn FnMut() -> ExecutionId) -> Input {
    match chance.below(10) {
        0 => Input::RunByHand { execution: new_id(), params: None, origin: Origin::default() },
        1 => Input::Pause,
        2 => Input::Resume,
        3 => Input::ResetRetries,
        4 => Input::Cancel,
        5 => Input::Update(Box::new(draft(chance))),
        6 | 7 => end(task, chance),
        _ => Input::Due,
    }
}

fn end(task: &Task, chance: &Chance) -> Input {
    let running = &task.facts.running;
    let Some(run) = running.get(chance.below(running.len().max(1))) else { return Input::Due };
    let mut verdict = Verdict::failed(Reason::Exception, "Error: no");
    if chance.below(2) == 0 {
        verdict.ending = Ending::Completed { result: Value::Null };
    }
    Input::Ended { execution: run.execution, verdict: Box::new(verdict) }
}

fn draft(chance: &Chance) -> Draft {
    let (field, value) = [
        ("schedule", Value::from("*/5 * * * *")),
        ("schedule", "every 1d".into()),
        ("timezone", "America/New_York".into()),
        ("recurring", false.into()),
        ("maxRetries", 0.into()),
        ("overlap", "queue".into()),
    ][chance.below(6)]
    .clone();
    Draft::read(&[(field.to_owned(), value)].into_iter().collect()).expect("a valid body")
}
