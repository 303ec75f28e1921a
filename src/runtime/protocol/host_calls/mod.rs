//! Host calls: the questions of a handler to the server, and their answers.
//!
//! Every call that takes and gives JSON is a function with a name (`system.get`); [`HostCall::parse`]
//! reads its argument strictly, in a file per group of functions.

mod kv;
mod steps;
mod system;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use self::{
    kv::{KvCall, KvFunction},
    steps::{StepCall, parse_progress},
    system::SystemCall,
};

use super::fetch::{FetchAnswer, FetchCall};
use crate::domain::{
    source::{Loaded, Unresolved, Way},
    text::json,
};

/// Host calls that a run may have in flight, besides a `require`, for which it stands still.
pub const CALLS_AT_ONCE: usize = 32;
/// Host calls that a run may make altogether, failed ones included.
pub const CALLS_PER_RUN: u32 = 10_000;
/// Bytes of arguments that a run may send in its host calls altogether.
pub const ARGUMENT_BYTES: usize = 16 * 1024 * 1024;

/// A question of a handler to the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum HostCall {
    /// `require` or `import` of a specifier in the file `from` (a [`Source::file`]).
    ///
    /// [`Source::file`]: crate::domain::source::Source::file
    Module {
        /// The asking file.
        from: String,
        /// The text between the quotes.
        specifier: String,
        /// How it asks.
        way: Way,
    },
    /// `require.resolve` and `import.meta.resolve`: as [`Self::Module`], without the file itself.
    Resolve {
        /// The asking file.
        from: String,
        /// The text between the quotes.
        specifier: String,
        /// How it asks.
        way: Way,
    },
    /// A function of `isochron:system`.
    System(SystemCall),
    /// A function of `ctx.kv`.
    Kv(KvCall),
    /// A part of `ctx.step`.
    Step(StepCall),
    /// A call about a request of `fetch`.
    Fetch(FetchCall),
    /// `ctx.secrets.get(name)`.
    Secret {
        /// The secret's name.
        name: String,
    },
}

/// The answer to a [`HostCall`].
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The file of a module, with the files that it leads to.
    Modules(Loaded),
    /// A specifier means no file.
    Unresolved(Unresolved),
    /// A value as JSON text.
    Json(String),
    /// The answer to a call about a request.
    Fetch(FetchAnswer),
}

impl HostCall {
    /// A call of the function with this name, such as `system.get`, with its argument as JSON text. A
    /// `require` is no such function.
    ///
    /// # Errors
    /// A sentence for the handler's author.
    pub fn parse(function: &str, argument: &str) -> Result<Self, String> {
        match function.split_once('.') {
            Some(("system", name)) => SystemCall::parse(name, argument).map(Self::System),
            Some(("kv", name)) => KvCall::parse(name, argument).map(Self::Kv),
            Some(("step", name)) => StepCall::parse(name, argument).map(Self::Step),
            Some(("secrets", "get")) => read(argument).map(|Named { name }| Self::Secret { name }),
            _ => Err(format!("the server has no function {function}")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

fn read<T: DeserializeOwned>(argument: &str) -> Result<T, String> {
    json::parse(argument).map_err(|error| match error {
        json::Unreadable::TooDeep => format!("a value is nested over {} levels", json::LEVELS),
        json::Unreadable::Wrong(error) => format!("the argument is wrong: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_the_name_of_its_group_and_its_own() {
        let call = HostCall::System(SystemCall::Get { key: "k".to_owned() });
        assert_eq!(HostCall::parse("system.get", r#"{"key": "k"}"#), Ok(call));
        for name in ["get", "system", "system.get.more", "module.find", ""] {
            let error = HostCall::parse(name, r#"{"key": "k"}"#).expect_err(name);
            assert!(error.contains("no function"), "{error}");
        }
    }
}
