//! Forms: the fields of a POST, and the way from a form to a body of the API.

use std::collections::BTreeMap;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
};
use serde_json::{Map, Value};

use super::{
    ask::{Fault, Problem, Refusal},
    times::{self, Viewpoint},
};

/// The fields of a form, in their order.
pub(super) struct Form(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let bytes = Bytes::from_request(request, state).await.map_err(|error| {
            let message = format!("The form could not be read: {error}");
            Fault::Refused(Refusal { code: error.status().as_u16(), message, details: Vec::new() })
        })?;
        Ok(Self::parse(&bytes))
    }
}

impl Form {
    /// Reads the body of a form.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// A field's value; empty if it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Whether a form has a field, such as a box that is ticked.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Every name and value.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Every value, by name.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        self.0.iter().cloned().collect()
    }
}

/// The meaning of a field's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The text itself.
    Text,
    /// A box: `true` if it is ticked.
    Switch,
    /// A whole number.
    Whole,
    /// A length of time with its unit, such as `5 min`.
    Length,
    /// A JSON object.
    Object,
    /// Words with commas between them.
    Words,
    /// The text, or null where the field is empty.
    TextOrNone,
    /// A whole number, or null where the field is empty.
    WholeOrNone,
    /// A moment in the reader's zone, such as `2027-01-31T09:00`, or null where the field is empty.
    Moment,
}

/// Reads a form as the body of a request to the API. Fields that the form leaves empty are not in it,
/// texts excepted; the API judges the rest.
///
/// # Errors
/// The problems of texts that have no JSON form.
pub(super) fn read(
    form: &Form,
    fields: &[(&str, Kind)],
    at: Viewpoint,
) -> Result<Map<String, Value>, Vec<Problem>> {
    let mut body = Map::new();
    let mut problems = Vec::new();
    for &(name, kind) in fields {
        match read_field(form, name, kind, at) {
            Ok(Some(value)) => drop(body.insert(name.to_owned(), value)),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(body) } else { Err(problems) }
}

fn read_field(form: &Form, name: &str, kind: Kind, at: Viewpoint) -> Result<Option<Value>, Problem> {
    let text = form.get(name).trim();
    let problem = |problem: &str| Problem { field: name.to_owned(), problem: problem.to_owned() };
    Ok(match kind {
        Kind::Switch => Some(Value::from(form.get(name) == "true")),
        Kind::Text => form.has(name).then(|| Value::from(text)),
        Kind::Words => {
            form.has(name).then(|| text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect())
        }
        Kind::TextOrNone | Kind::WholeOrNone | Kind::Moment if text.is_empty() => {
            form.has(name).then_some(Value::Null)
        }
        _ if text.is_empty() => None,
        Kind::TextOrNone => Some(text.into()),
        Kind::Moment => {
            let moment = at.moment(text);
            Some(moment.ok_or_else(|| problem("must be a moment, such as 2027-01-31T09:00"))?.into())
        }
        Kind::Whole | Kind::WholeOrNone => {
            Some(text.parse::<i64>().map_err(|_| problem("must be a whole number, such as 3"))?.into())
        }
        Kind::Length => {
            let length = times::parse_length(text);
            Some(
                length
                    .ok_or_else(|| {
                        problem("must be a time with its unit, such as 30 s, 5 min or 1 h 30 min")
                    })?
                    .into(),
            )
        }
        Kind::Object => read_object(name, text)?.map(Value::Object),
    })
}

/// Reads the text of a field for JSON objects; an empty text is `None`.
///
/// # Errors
/// The problem, with the line and the column.
pub(super) fn read_object(field: &str, text: &str) -> Result<Option<Map<String, Value>>, Problem> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let problem = |problem: String| Problem { field: field.to_owned(), problem };
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) => Err(problem("must be a JSON object, such as {\"month\": 7}".to_owned())),
        Err(error) => Err(problem(format!("is not valid JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_an_object_or_nothing_and_an_error_names_its_place() {
        let read = |text| read_object("params", text).map_err(|error| error.problem);
        assert_eq!(read(" \n"), Ok(None));
        assert!(read("{\"a\": [1, null]}").is_ok_and(|object| object.is_some()));
        assert!(read("[1]").is_err_and(|problem| problem.contains("must be a JSON object")));
        let problem = read("{\n  \"a\": 1,,\n}").expect_err("two commas");
        assert!(problem.contains("line 2 column 10"), "{problem}");
    }

    #[test]
    fn a_form_becomes_a_body_or_all_of_its_problems() {
        const FIELDS: &[(&str, Kind)] = &[
            ("name", Kind::Text),
            ("note", Kind::Text),
            ("recurring", Kind::Switch),
            ("maxRetries", Kind::Whole),
            ("timeout", Kind::Length),
            ("params", Kind::Object),
            ("tags", Kind::Words),
            ("maxRuns", Kind::WholeOrNone),
            ("startAt", Kind::Moment),
        ];
        let at = Viewpoint { now: 0, zone: chrono_tz::Tz::Europe__Berlin };
        let read = |form: &Form| read(form, FIELDS, at);
        let form = Form::parse(b"name=+a+b+&recurring=true&maxRetries=3&timeout=1+h+30+min&params=%7B%7D&tags=a,+b,&maxRuns=&startAt=2027-01-31T09:00");
        let body = r#"{"name":"a b","recurring":true,"maxRetries":3,"timeout":5400000,"params":{},"tags":["a","b"],"maxRuns":null,"startAt":1801382400000}"#;
        let found = read(&form).map(|found| Value::Object(found).to_string());
        assert_eq!(found.map_err(drop), Ok(body.to_owned()));
        let form = Form::parse(b"name=&maxRetries=many&timeout=5&params=[");
        let problems = read(&form).expect_err("three problems");
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["maxRetries", "timeout", "params"]);
    }
}
