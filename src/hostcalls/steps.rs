//! `ctx.step`: the results of finished steps, handed back to later attempts of the occurrence.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{explain, kv::read_value};
use crate::{
    domain::Millis,
    runtime::{
        Attempt,
        live::{Begun, EarlierStep, Finishing, Live},
        protocol::StepCall,
    },
    store::{Fence, FinishedStep, LONGEST_VALUE, Store},
};

/// The longest name, in characters.
const LONGEST_NAME: usize = 200;

pub(super) struct Steps {
    store: Arc<dyn Store>,
}

impl Steps {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    pub(super) async fn answer(
        &self,
        attempt: Attempt,
        live: &Live,
        call: StepCall,
    ) -> Result<Value, String> {
        match call {
            StepCall::Begin { name } => self.begin(attempt, live, name).await,
            StepCall::Finish { name, value } => {
                let Finishing { number, duration } = live.finishing(&name, value.len())?;
                let kept = self.keep(attempt, &name, &value, number, duration).await;
                match kept {
                    Ok(()) => live.finished(&name, duration),
                    Err(_) => live.failed(&name),
                }
                kept.map(|()| Value::Null)
            }
            StepCall::Fail { name } => {
                live.failed(&name);
                Ok(Value::Null)
            }
        }
    }

    async fn begin(&self, attempt: Attempt, live: &Live, name: String) -> Result<Value, String> {
        match name.chars().count() {
            1..=LONGEST_NAME => {}
            count => {
                return Err(format!("the name of a step has 1 to {LONGEST_NAME} characters, not {count}"));
            }
        }
        if !live.is_loaded() {
            // The first attempt of an occurrence has none before it.
            let earlier = if attempt.number > 1 {
                self.store.steps(attempt.task, attempt.scheduled_for).await.map_err(explain)?
            } else {
                Vec::new()
            };
            let earlier =
                earlier.into_iter().map(|FinishedStep { name, value, attempt, duration, .. }| {
                    (name, EarlierStep { value, attempt, duration })
                });
            live.load(earlier.collect());
        }
        Ok(match live.begin(name, attempt.number)? {
            Begun::Finished(value) => json!({ "finished": true, "value": value }),
            Begun::Run => json!({ "finished": false }),
        })
    }

    async fn keep(
        &self,
        attempt: Attempt,
        name: &str,
        text: &str,
        number: u32,
        duration: Millis,
    ) -> Result<(), String> {
        let what = format!("the result of the step \"{name}\"");
        if text.len() > LONGEST_VALUE {
            return Err(format!("{what} has {} bytes as JSON; {LONGEST_VALUE} are the most", text.len()));
        }
        let value = read_value(&what, text)?;
        let step = FinishedStep { name: name.to_owned(), number, value, attempt: attempt.number, duration };
        let fence = Fence { task: attempt.task, execution: attempt.execution };
        self.store.finish_step(fence, attempt.scheduled_for, step).await.map_err(explain)
    }
}
