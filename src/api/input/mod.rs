//! Input: bodies, queries and ids, read strictly. An unknown name is refused and named.

pub(super) mod body;

use std::str::FromStr;

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{Uri, header, request::Parts},
};
use serde_json::{Map, Value};

use self::body::take_body;
use super::{auth::Caller, error::ApiError, json::Strict, state::Shared};
pub(super) use crate::domain::time::LATEST;
use crate::{
    domain::{
        Millis,
        access::pattern::Pattern,
        binding::MOST_PATTERNS,
        draft::{MOST_PROBLEMS, Problem, Problems},
        ids::{ExecutionId, TaskId},
        text::to_one_line,
    },
    store::{LONGEST_KEY, Owner},
};

/// The largest `skip`: more than any list holds.
pub(super) const LARGEST_SKIP: usize = 1_000_000_000;

/// A JSON object.
pub(super) struct Body(pub(super) Map<String, Value>);

/// A JSON object or nothing at all.
pub(super) struct OptionalBody(pub(super) Map<String, Value>);

/// No body, or an object without names.
pub(super) struct NoBody;

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let json = is_json(&request);
        let bytes = take_body(request).await?;
        if !json {
            return Err(not_json());
        }
        parse(&bytes).map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for OptionalBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let json = is_json(&request);
        let bytes = take_body(request).await?;
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        if !json {
            return Err(not_json());
        }
        parse(&bytes).map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let OptionalBody(given) = OptionalBody::from_request(request, state).await?;
        let refuse = |name| Problem::new(name, "is not known here; this action takes no body");
        let problems: Vec<_> = given.keys().take(MOST_PROBLEMS).map(refuse).collect();
        if problems.is_empty() { Ok(Self) } else { Err(ApiError::invalid(problems)) }
    }
}

fn is_json(request: &Request) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    essence.is_some_and(|essence| essence == "application/json" || essence.ends_with("+json"))
}

fn not_json() -> ApiError {
    ApiError::unsupported_media("The body must be JSON: send the header Content-Type: application/json")
}

/// A body's bytes as an object. A byte order mark at their start, as some editors and shells
/// write it, is no part of the JSON.
pub(super) fn parse(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)) {
        Ok(Strict(Value::Object(object))) => Ok(object),
        Ok(_) => Err(ApiError::bad_request("The body must be a JSON object")),
        Err(error) => Err(ApiError::bad_request(format!("The body is not valid JSON: {error}"))),
    }
}

/// A query's values by name, each of which has to be asked for before [`Fields::finish`].
pub(super) struct Fields {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
    problems: Problems,
}

impl<S: Send + Sync> FromRequestParts<S> for Fields {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Self::read(&parts.uri)
    }
}

/// A query without a name.
pub(super) struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Fields::read(&parts.uri)?.finish()?;
        Ok(Self)
    }
}

impl Fields {
    /// The query of an address.
    pub(super) fn read(uri: &Uri) -> Result<Self, ApiError> {
        let Query(given) = Query::try_from_uri(uri)
            .map_err(|e| ApiError::bad_request(format!("The query cannot be read: {e}")))?;
        Ok(Self { given, known: Vec::new(), problems: Problems::default() })
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let mut values = self.given.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone());
        let value = values.next();
        if values.next().is_some() {
            self.report(name, "is given twice");
        }
        value
    }

    /// Whether a name is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| given == name)
    }

    pub(super) fn report(&mut self, name: &str, problem: impl Into<String>) {
        self.problems.report(name, problem);
    }

    /// A whole number in a range.
    pub(super) fn number<T: FromStr + PartialOrd + std::fmt::Display + Copy>(
        &mut self,
        name: &'static str,
        least: T,
        most: T,
        default: T,
    ) -> T {
        let Some(text) = self.text(name) else { return default };
        match text.parse::<T>() {
            Ok(number) if number >= least && number <= most => number,
            _ => {
                self.report(name, format!("must be a whole number from {least} to {most}, not \"{text}\""));
                default
            }
        }
    }

    /// A moment in epoch milliseconds.
    pub(super) fn moment(&mut self, name: &'static str) -> Option<Millis> {
        let given = self.given.iter().any(|(key, _)| key == name);
        let moment = self.number(name, 0, LATEST, 0);
        given.then_some(moment)
    }

    /// One of a list of words.
    pub(super) fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let word = self.text(name)?;
        self.problems.choose(name, &word, choices)
    }

    /// A whole number in a range, if there is one.
    pub(super) fn optional_number<T: FromStr + PartialOrd + std::fmt::Display + Copy>(
        &mut self,
        name: &'static str,
        least: T,
        most: T,
    ) -> Option<T> {
        let is_given = self.has(name);
        let number = self.number(name, least, most, least);
        is_given.then_some(number)
    }

    /// Words of a list, separated by commas; none if the name is not given.
    pub(super) fn choices<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Vec<T> {
        let Some(text) = self.text(name) else { return Vec::new() };
        let words: Vec<_> = text.split(',').collect();
        if words.len() > MOST_PROBLEMS {
            self.report(name, format!("has at most {MOST_PROBLEMS} words"));
            return Vec::new();
        }
        words.into_iter().filter_map(|word| self.problems.choose(name, word.trim(), choices)).collect()
    }

    /// Checks that nothing unknown was given and that everything was right.
    pub(super) fn finish(mut self) -> Result<(), ApiError> {
        self.problems.report_unknown(self.given.iter().map(|(name, _)| name.as_str()), &self.known);
        self.problems.finish().map_err(ApiError::invalid)
    }
}

/// The task that a path names; one that the token may see.
pub(super) struct TaskPath(pub(super) TaskId);

/// The execution that a path names without its task.
pub(super) struct RunPath(pub(super) ExecutionId);

/// The task, which the token may see, and the execution that a path names.
pub(super) struct ExecutionPath(pub(super) TaskId, pub(super) ExecutionId);

impl FromRequestParts<Shared> for TaskPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(|e| unreadable(&e))?;
        // A text that can be no id names no task.
        let id = id.parse().map_err(|_| ApiError::not_found("Task not found"))?;
        ensure_covered(parts, state, id).await?;
        Ok(Self(id))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RunPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(|e| unreadable(&e))?;
        id.parse().map(Self).map_err(|_| ApiError::not_found("Execution not found"))
    }
}

impl FromRequestParts<Shared> for ExecutionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Path((task, execution)) =
            Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|e| unreadable(&e))?;
        let task = task.parse().map_err(|_| ApiError::not_found("Task not found"))?;
        let execution = execution.parse().map_err(|_| ApiError::not_found("Execution not found"))?;
        ensure_covered(parts, state, task).await?;
        Ok(Self(task, execution))
    }
}

/// The owner of entries that a path names: a task, or all tasks.
pub(super) struct OwnerPath(pub(super) Owner);

/// The owner and the key of an entry that a path names.
pub(super) struct EntryPath(pub(super) Owner, pub(super) String);

impl FromRequestParts<Shared> for OwnerPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Path(named) = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|e| unreadable(&e))?;
        let owner = owner_of(&named)?;
        ensure_owned(parts, state, owner).await?;
        Ok(Self(owner))
    }
}

impl FromRequestParts<Shared> for EntryPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Path(named) = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|e| unreadable(&e))?;
        let key =
            named.iter().find(|(name, _)| name == "key").map(|(_, key)| key.clone()).unwrap_or_default();
        if !(1..=LONGEST_KEY).contains(&key.len()) {
            return Err(ApiError::bad_request(format!("A key has 1 to {LONGEST_KEY} bytes")));
        }
        let owner = owner_of(&named)?;
        ensure_owned(parts, state, owner).await?;
        Ok(Self(owner, key))
    }
}

/// Refuses a task that the token of the request may not see.
async fn ensure_covered(parts: &Parts, api: &Shared, task: TaskId) -> Result<(), ApiError> {
    match parts.extensions.get::<Caller>() {
        Some(caller) => caller.ensure_covers(api, task).await,
        None => Ok(()),
    }
}

async fn ensure_owned(parts: &Parts, api: &Shared, owner: Owner) -> Result<(), ApiError> {
    match owner {
        Owner::Task(task) => ensure_covered(parts, api, task).await,
        Owner::Shared => Ok(()),
    }
}

fn owner_of(named: &[(String, String)]) -> Result<Owner, ApiError> {
    match named.iter().find(|(name, _)| name == "id") {
        Some((_, id)) => id.parse().map(Owner::Task).map_err(|_| ApiError::not_found("Task not found")),
        None => Ok(Owner::Shared),
    }
}

/// The name of a secret or a variable in a path, of any form.
pub(super) struct NamePath(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for NamePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(name) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|e| unreadable(&e))?;
        Ok(Self(name))
    }
}

fn unreadable(error: &impl std::fmt::Display) -> ApiError {
    ApiError::bad_request(format!("The path cannot be read: {error}"))
}

/// Reads a list of handlers.
///
/// # Errors
/// A problem for people.
pub(super) fn read_patterns(value: &Value) -> Result<Vec<Pattern>, String> {
    let Some(items) = value.as_array().filter(|items| items.len() <= MOST_PATTERNS) else {
        return Err(format!(
            "must be a list of at most {MOST_PATTERNS} handlers, such as [\"sales\", \"reports/*\"], or [\"*\"] \
             for every handler"
        ));
    };
    let patterns = items.iter().map(|item| {
        let text = item.as_str().ok_or_else(|| "must hold texts only".to_owned())?;
        let named = |error| format!("\"{}\" is no pattern: {error}", shorten(text));
        text.parse::<Pattern>().map_err(named)
    });
    let (right, wrong): (Vec<_>, Vec<_>) = patterns.partition(Result::is_ok);
    if wrong.is_empty() {
        return Ok(right.into_iter().flatten().collect());
    }
    let wrong: Vec<_> = wrong.into_iter().filter_map(Result::err).take(MOST_PROBLEMS).collect();
    Err(wrong.join("; "))
}

/// A text of a body in a message.
fn shorten(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let end = if short.len() < text.len() { "…" } else { "" };
    format!("{}{end}", to_one_line(&short))
}
