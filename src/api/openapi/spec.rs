//! Specs: the parts of a route's description that the table of routes does not have.

use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

/// A description of a route: its query, its body and its answers.
pub(super) struct Spec {
    pub(super) method: &'static str,
    /// As in the table of routes.
    pub(super) path: &'static str,
    pub(super) query: Vec<Parameter>,
    /// Headers that the route reads.
    pub(super) headers: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
    /// Whether the state of the server may be in the way.
    pub(super) has_conflicts: bool,
    /// The schemas that the answers name.
    pub(super) components: Vec<(String, RefOr<Schema>)>,
}

/// A named value of a query, a path or the headers.
#[derive(Clone)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) schema: Value,
    pub(super) is_required: bool,
}

/// A JSON body.
pub(super) struct Body {
    pub(super) schema: Value,
    pub(super) is_required: bool,
}

/// An answer that is no error.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: &'static str,
    /// Media types and their schemas.
    pub(super) content: Vec<(&'static str, Value)>,
}

pub(super) fn get(path: &'static str) -> Spec {
    Spec::new("GET", path)
}

pub(super) fn post(path: &'static str) -> Spec {
    Spec::new("POST", path)
}

pub(super) fn put(path: &'static str) -> Spec {
    Spec::new("PUT", path)
}

pub(super) fn delete(path: &'static str) -> Spec {
    Spec::new("DELETE", path)
}

impl Spec {
    fn new(method: &'static str, path: &'static str) -> Self {
        Self {
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            answers: Vec::new(),
            has_conflicts: false,
            components: Vec::new(),
        }
    }

    /// The same description with another method.
    pub(super) fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub(super) fn query(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.query.extend(parameters);
        self
    }

    pub(super) fn header(mut self, name: &'static str) -> Self {
        self.headers.push(Parameter { name, schema: json!({"type": "string"}), is_required: false });
        self
    }

    /// A body that must be there.
    pub(super) fn body(self, schema: Value) -> Self {
        Self { body: Some(Body { schema, is_required: true }), ..self }
    }

    /// A body that may be left out.
    pub(super) fn optional_body(self, schema: Value) -> Self {
        Self { body: Some(Body { schema, is_required: false }), ..self }
    }

    /// A body that may be an empty object at most.
    pub(super) fn no_body(self) -> Self {
        self.optional_body(json!({"type": "object", "additionalProperties": false}))
    }

    /// 409 is possible.
    pub(super) fn conflicts(self) -> Self {
        Self { has_conflicts: true, ..self }
    }

    /// 200 with a document.
    pub(super) fn ok<T: ToSchema>(self) -> Self {
        self.answer::<T>(200, "Done")
    }

    /// A status with a document.
    pub(super) fn answer<T: ToSchema>(mut self, status: u16, text: &'static str) -> Self {
        T::schemas(&mut self.components);
        let schema = serde_json::to_value(T::schema()).unwrap_or_default();
        self.answers.push(Answer { status, text, content: vec![("application/json", schema)] });
        self
    }

    /// A status with text of a media type, beside the document of that status if there is one.
    pub(super) fn text(mut self, status: u16, text: &'static str, kind: &'static str) -> Self {
        let content = (kind, json!({"type": "string"}));
        match self.answers.iter_mut().find(|answer| answer.status == status) {
            Some(answer) => answer.content.push(content),
            None => self.answers.push(Answer { status, text, content: vec![content] }),
        }
        self
    }

    /// A status without a body.
    pub(super) fn empty(mut self, status: u16, text: &'static str) -> Self {
        self.answers.push(Answer { status, text, content: Vec::new() });
        self
    }
}

/// A parameter that may be left out.
pub(super) fn parameter(name: &'static str, schema: Value) -> Parameter {
    Parameter { name, schema, is_required: false }
}

/// A whole number in a range.
pub(super) fn number(name: &'static str, least: impl Into<Value>, most: impl Into<Value>) -> Parameter {
    parameter(name, json!({"type": "integer", "minimum": least.into(), "maximum": most.into()}))
}

/// A whole number in a range, with its default.
pub(super) fn preset(name: &'static str, least: u64, most: u64, default: u64) -> Parameter {
    let schema = json!({"type": "integer", "minimum": least, "maximum": most, "default": default});
    parameter(name, schema)
}

/// One of some words.
pub(super) fn word<const N: usize>(name: &'static str, words: [&str; N]) -> Parameter {
    parameter(name, json!({"type": "string", "enum": words.to_vec()}))
}

/// Words with commas between them.
pub(super) fn words(name: &'static str, words: &[&str]) -> Parameter {
    let word = json!({"type": "string", "enum": words});
    parameter(name, json!({"type": "array", "items": word, "minItems": 1, "maxItems": 20}))
}

/// Any text.
pub(super) fn text(name: &'static str) -> Parameter {
    parameter(name, json!({"type": "string"}))
}

/// A text of a form that only the server can judge.
pub(super) fn form(name: &'static str, format: &'static str) -> Parameter {
    parameter(name, json!({"type": "string", "format": format}))
}

/// A value with the schema of a type.
pub(super) fn typed<T: ToSchema>(name: &'static str) -> Parameter {
    parameter(name, serde_json::to_value(T::schema()).unwrap_or_default())
}

impl Parameter {
    pub(super) fn required(self) -> Self {
        Self { is_required: true, ..self }
    }
}
