//! `ctx.step` and `ctx.progress`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::read;
use crate::domain::execution::Progress;

/// A part of `ctx.step`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepCall {
    /// Asks for the result of an earlier attempt, before the step's function is called.
    Begin {
        /// The step's name.
        name: String,
    },
    /// Keeps the result.
    Finish {
        /// The step's name.
        name: String,
        /// The result as JSON text.
        value: String,
    },
    /// Tells that the step's function threw, or that its result could not be kept.
    Fail {
        /// The step's name.
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    name: String,
    value: Value,
}

impl StepCall {
    /// A call from the function's name and its argument as JSON text.
    ///
    /// # Errors
    /// A sentence for the handler's author.
    pub fn parse(function: &str, argument: &str) -> Result<Self, String> {
        Ok(match function {
            "begin" => Self::Begin { name: read::<Name>(argument)?.name },
            "finish" => {
                let Finish { name, value } = read(argument)?;
                Self::Finish { name, value: value.to_string() }
            }
            "fail" => Self::Fail { name: read::<Name>(argument)?.name },
            other => return Err(format!("ctx.step has no function {other}")),
        })
    }
}

/// Reads the argument of `ctx.progress`, which is no question.
///
/// # Errors
/// A sentence for the handler's author.
pub fn parse_progress(argument: &str) -> Result<Progress, String> {
    read(argument)
}
