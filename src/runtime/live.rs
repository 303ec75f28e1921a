//! The live part of a run: its progress and its steps while it goes on.
//!
//! Host calls change it; the scheduler reads it when the run ends, and the API while the run is in
//! progress. Nothing in it is durable by itself: a finished step is in the store before it is finished
//! here.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, OnceLock},
};

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{sync::Notify, time::Instant};

use crate::domain::{
    Millis,
    execution::{Hashes, Progress, StepNote, StepStatus},
    lock::lock,
    network::trace::TraceContext,
};

/// Steps that an occurrence may finish, and that a run may begin.
pub const MOST_STEPS: usize = 1000;
/// Bytes of the finished steps' results of an occurrence, as JSON, altogether.
pub const MOST_STEP_BYTES: usize = 4 * 1024 * 1024;
/// Characters of a progress's text that are kept.
const TEXT: usize = 200;

/// The live part of one run.
#[derive(Debug, Default)]
pub struct Live {
    state: Mutex<State>,
    progressed: Notify,
    trace: OnceLock<TraceContext>,
}

#[derive(Debug, Default)]
struct State {
    /// The files that the run was given, its entry first: as they are shown, with their SHA-256.
    files: Vec<(String, [u8; 32])>,
    progress: Option<Progress>,
    /// Whether the steps of earlier attempts are in `earlier`.
    loaded: bool,
    earlier: HashMap<String, EarlierStep>,
    /// The steps that this run has begun, in that order.
    notes: Vec<StepNote>,
    /// By name, the places in `notes` and the clocks of those that run.
    begun: HashMap<String, (usize, Option<Instant>)>,
    /// Finished steps of the occurrence, and the bytes of their results.
    finished: usize,
    bytes: usize,
}

/// A step that an earlier attempt has finished.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlierStep {
    /// The result.
    pub value: Value,
    /// The attempt that finished it.
    pub attempt: u32,
    /// Milliseconds that its function took.
    pub duration: Millis,
}

/// The answer to the beginning of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// An earlier attempt has finished it: its result.
    Finished(Value),
    /// Its function is to be called.
    Run,
}

/// A step that may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finishing {
    /// Counts the finished steps of the occurrence from 0.
    pub number: u32,
    /// Milliseconds since it began.
    pub duration: Millis,
}

impl Live {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Notes the span of the run, once.
    pub fn set_trace(&self, context: TraceContext) {
        let _ = self.trace.set(context);
    }

    /// The span of the run, if traces are recorded.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        self.trace.get().copied()
    }

    /// Sets the progress. A fraction outside 0 to 1 counts for nothing, and a long text is cut.
    pub fn set_progress(&self, progress: Progress) {
        if !(0.0..=1.0).contains(&progress.fraction) {
            return;
        }
        let text = progress.text.map(|text| text.chars().take(TEXT).collect());
        self.state().progress = Some(Progress { text, ..progress });
        self.progressed.notify_one();
    }

    /// Adds a file that the run is given; its entry comes first.
    pub(super) fn add_file(&self, file: String, hash: [u8; 32]) {
        self.state().files.push((file, hash));
    }

    /// The hashes of the files that the run was given so far; `None` before it has begun.
    #[must_use]
    pub fn hashes(&self) -> Option<Hashes> {
        hash_files(self.state().files.clone())
    }

    /// The files that the run was given besides its entry.
    pub(super) fn modules(&self) -> Vec<(String, [u8; 32])> {
        self.state().files.get(1..).unwrap_or_default().to_vec()
    }

    /// Waits until the progress changes; for one waiter at a time.
    pub async fn progressed(&self) {
        self.progressed.notified().await;
    }

    /// The last progress.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.state().progress.clone()
    }

    /// The steps begun so far, in that order.
    #[must_use]
    pub fn steps(&self) -> Vec<StepNote> {
        self.state().notes.clone()
    }

    /// The steps of a run that is over: none of them is running any more.
    #[must_use]
    pub fn ended_steps(&self) -> Vec<StepNote> {
        let mut notes = self.steps();
        notes.iter_mut().filter(|note| note.status == StepStatus::Running).for_each(|note| {
            note.status = StepStatus::Failed;
        });
        notes
    }

    /// Whether the steps of earlier attempts have been loaded.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.state().loaded
    }

    /// Adds the finished steps of earlier attempts, once.
    pub fn load(&self, earlier: Vec<(String, EarlierStep)>) {
        let mut state = self.state();
        if state.loaded {
            return;
        }
        state.loaded = true;
        state.finished = earlier.len();
        state.bytes = earlier.iter().map(|(_, step)| step.value.to_string().len()).sum();
        state.earlier = earlier.into_iter().collect();
    }

    /// Begins a step. [`Live::load`] comes first.
    ///
    /// # Errors
    /// A sentence for the handler's author: the name is taken, or there are too many steps.
    pub fn begin(&self, name: String, attempt: u32) -> Result<Begun, String> {
        let mut state = self.state();
        if state.begun.contains_key(&name) {
            return Err(format!("the step \"{name}\" has been used in this run: each step has its own name"));
        }
        let earlier = state.earlier.remove(&name);
        if state.notes.len() >= MOST_STEPS || earlier.is_none() && state.finished >= MOST_STEPS {
            return Err(format!("more than {MOST_STEPS} steps"));
        }
        let place = state.notes.len();
        let (note, clock, begun) = match earlier {
            Some(step) => (
                StepNote {
                    name: name.clone(),
                    status: StepStatus::Completed,
                    duration: Some(step.duration),
                    attempt: step.attempt,
                },
                None,
                Begun::Finished(step.value),
            ),
            None => (
                StepNote { name: name.clone(), status: StepStatus::Running, duration: None, attempt },
                Some(Instant::now()),
                Begun::Run,
            ),
        };
        state.notes.push(note);
        state.begun.insert(name, (place, clock));
        Ok(begun)
    }

    /// Reserves the room for the result of a step that runs. [`Live::finished`] or [`Live::failed`] follows.
    ///
    /// # Errors
    /// A sentence for the handler's author: the step does not run, or there is no room.
    pub fn finishing(&self, name: &str, bytes: usize) -> Result<Finishing, String> {
        let mut state = self.state();
        let clock = state.begun.get_mut(name).and_then(|(_, clock)| clock.take());
        let clock = clock.ok_or_else(|| format!("the step \"{name}\" does not run"))?;
        if state.finished >= MOST_STEPS {
            return Err(format!("more than {MOST_STEPS} steps"));
        }
        if state.bytes + bytes > MOST_STEP_BYTES {
            return Err(format!(
                "the results of the steps would take more than {} MiB: the step \"{name}\" has {bytes} bytes",
                MOST_STEP_BYTES >> 20
            ));
        }
        let number = u32::try_from(state.finished).unwrap_or(u32::MAX);
        state.finished += 1;
        state.bytes += bytes;
        Ok(Finishing { number, duration: since(clock) })
    }

    /// Notes that a step's result is in the store.
    pub fn finished(&self, name: &str, duration: Millis) {
        self.note(name, StepStatus::Completed, Some(duration));
    }

    /// Notes that a step failed.
    pub fn failed(&self, name: &str) {
        let clock = self.state().begun.get_mut(name).and_then(|(_, clock)| clock.take());
        self.note(name, StepStatus::Failed, clock.map(since));
    }

    fn note(&self, name: &str, status: StepStatus, duration: Option<Millis>) {
        let mut state = self.state();
        let Some(place) = state.begun.get(name).map(|(place, _)| *place) else { return };
        if let Some(note) = state.notes.get_mut(place).filter(|note| note.status == StepStatus::Running) {
            (note.status, note.duration) = (status, duration.or(note.duration));
        }
    }
}

/// The hash over all files is that of a line "hash, two spaces, name" for each, in the order of their
/// names, as `sha256sum` writes them.
fn hash_files(mut files: Vec<(String, [u8; 32])>) -> Option<Hashes> {
    let handler = HEXLOWER.encode(&files.first()?.1);
    files.sort();
    files.dedup();
    let lines: String =
        files.iter().map(|(file, hash)| format!("{}  {file}\n", HEXLOWER.encode(hash))).collect();
    Some(Hashes { handler, files: HEXLOWER.encode(&Sha256::digest(lines)) })
}

fn since(start: Instant) -> Millis {
    Millis::try_from(start.elapsed().as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn statuses(live: &Live) -> Vec<(String, StepStatus, u32)> {
        live.steps().into_iter().map(|note| (note.name, note.status, note.attempt)).collect()
    }

    #[test]
    fn a_step_runs_once_and_shows_how_it_stands() {
        let live = Live::default();
        live.load(vec![("a".to_owned(), EarlierStep { value: json!([1]), attempt: 1, duration: 7 })]);
        live.load(vec![("b".to_owned(), EarlierStep { value: json!(2), attempt: 1, duration: 7 })]);
        assert_eq!(live.begin("a".to_owned(), 2), Ok(Begun::Finished(json!([1]))));
        assert_eq!(live.begin("b".to_owned(), 2), Ok(Begun::Run), "the first load counts");
        assert_eq!(live.begin("c".to_owned(), 2), Ok(Begun::Run));
        for name in ["a", "b"] {
            assert!(live.begin(name.to_owned(), 2).is_err_and(|error| error.contains("has been used")));
        }
        assert_eq!(live.finishing("b", 10).map(|step| step.number), Ok(1));
        live.finished("b", 3);
        for name in ["a", "b", "d"] {
            assert!(live.finishing(name, 1).is_err_and(|error| error.contains("does not run")), "{name}");
        }
        live.failed("a");
        let [completed, running, failed] = [StepStatus::Completed, StepStatus::Running, StepStatus::Failed];
        let shown = |last| {
            [("a", completed, 1), ("b", completed, 2), ("c", last, 2)].map(|(n, s, a)| (n.to_owned(), s, a))
        };
        assert_eq!(statuses(&live), shown(running));
        assert_eq!(live.ended_steps()[2].status, failed);
        live.failed("c");
        assert_eq!(statuses(&live), shown(failed));
    }

    #[test]
    fn steps_are_bounded_by_their_number_and_their_bytes() {
        let live = Live::default();
        live.load(Vec::new());
        for n in 0..MOST_STEPS {
            assert_eq!(live.begin(n.to_string(), 1), Ok(Begun::Run));
        }
        assert!(live.begin("more".to_owned(), 1).is_err_and(|error| error.contains("1000 steps")));
        assert!(live.finishing("0", MOST_STEP_BYTES).is_ok());
        assert!(live.finishing("1", 1).is_err_and(|error| error.contains("4 MiB")));

        let live = Live::default();
        let step = EarlierStep { value: json!(1), attempt: 1, duration: 0 };
        live.load((0..MOST_STEPS).map(|n| (n.to_string(), step.clone())).collect());
        assert!(live.begin("more".to_owned(), 2).is_err(), "the occurrence has as many already");
        assert_eq!(live.begin("7".to_owned(), 2), Ok(Begun::Finished(json!(1))));
    }

    #[test]
    fn a_progress_is_kept_within_its_bounds() {
        let live = Live::default();
        let set =
            |fraction, text: &str| live.set_progress(Progress { fraction, text: Some(text.to_owned()) });
        set(0.5, &"x".repeat(300));
        for fraction in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
            set(fraction, "wrong");
        }
        assert_eq!(live.progress(), Some(Progress { fraction: 0.5, text: Some("x".repeat(200)) }));
    }
}
