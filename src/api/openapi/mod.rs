//! OpenAPI: the description of the API for programs, made of the API's own table of routes, the types of
//! its documents and the table by which bodies are read.
//!
//! The table of routes gives paths, roles and a line each; a [`Spec`] adds the query, the body and the
//! answers of a route. The document is made once, when it is asked for first.

mod mirrors;
mod rest;
mod spec;
mod tasks;

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use self::spec::{Answer, Body, Parameter, Spec};
use super::{Route, auth::Need, every_route, input::NoQuery, method_name, state::Shared};
use crate::{
    api::error::ApiError,
    domain::{
        binding::LONGEST_NAME,
        draft::fields::FIELDS,
        ids::{ExecutionId, NodeId, TaskId, TokenId},
    },
    store::LONGEST_KEY,
};

/// The document without the address of the server.
static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// Answers the document.
pub(super) async fn read(State(api): State<Shared>, _: NoQuery) -> Result<Response, ApiError> {
    let mut document = DOCUMENT.clone();
    let base = if api.base().is_empty() { "/" } else { api.base() };
    document["servers"] = json!([{"url": base}]);
    Ok(([(header::CONTENT_TYPE, "application/json")], document.to_string()).into_response())
}

fn document() -> Value {
    let mut specs: Vec<_> = tasks::specs().into_iter().chain(rest::specs()).collect();
    let mut components = Map::new();
    let (mut paths, mut tags) = (Map::new(), Vec::new());
    for (name, schema) in specs.iter_mut().flat_map(|spec| spec.components.drain(..)) {
        components.entry(name).or_insert_with(|| serde_json::to_value(schema).unwrap_or_default());
    }
    components.insert("Error".to_owned(), error());
    components.insert("TaskFields".to_owned(), task_fields());
    for route in every_route() {
        let method = method_name(route.method);
        let spec = specs.iter().find(|spec| spec.method == method && spec.path == route.path);
        let path = route.path.replace("{*", "{");
        let operation = describe(&route, spec, &path);
        let tag = route.about.1.heading();
        if !tags.contains(&json!({"name": tag})) {
            tags.push(json!({"name": tag}));
        }
        paths.entry(path).or_insert_with(|| json!({}))[method.to_ascii_lowercase()] = operation;
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "isochron",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Times are epoch milliseconds, durations milliseconds. `x-role` names the role that \
                            a route needs; a role has the rights of those below it: viewer, operator, editor, \
                            admin.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": failures(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    });
    tidy(&mut document);
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas.shift_remove("i64");
    }
    document
}

fn describe(route: &Route, spec: Option<&Spec>, path: &str) -> Value {
    let method = method_name(route.method);
    let mut operation = json!({
        "operationId": operation_id(method, path),
        "summary": route.doc,
        "tags": [route.about.1.heading()],
        "responses": responses(route, spec, path),
    });
    match route.need {
        Need::Anyone => operation["security"] = json!([]),
        Need::Role(role) => {
            operation["x-role"] = role.name().into();
            operation["security"] = json!([{"token": []}]);
        }
    }
    let mut parameters: Vec<_> = in_path(path);
    if let Some(spec) = spec {
        parameters.extend(spec.query.iter().map(|parameter| show_parameter(parameter, "query")));
        parameters.extend(spec.headers.iter().map(|parameter| show_parameter(parameter, "header")));
        if let Some(Body { schema, is_required }) = &spec.body {
            operation["requestBody"] =
                json!({"required": is_required, "content": {"application/json": {"schema": schema}}});
        }
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    operation
}

fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(['/', '{', '}', '-', '.']).filter(|word| !word.is_empty() && *word != "admin");
    words.fold(method.to_ascii_lowercase(), |mut id, word| {
        let (first, rest) = word.split_at(1);
        id += &first.to_ascii_uppercase();
        id + rest
    })
}

fn show_parameter(Parameter { name, schema, is_required }: &Parameter, place: &str) -> Value {
    let mut shown = json!({"name": name, "in": place, "required": is_required, "schema": schema});
    if schema["type"] == "array" {
        // A list is one value with commas.
        shown["style"] = "form".into();
        shown["explode"] = false.into();
    }
    shown
}

/// The parameters in a path.
fn in_path(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let schema = match (name, path) {
            ("execution", _) => schema_of::<ExecutionId>(),
            ("id", path) if path.starts_with("/admin/scheduler") => schema_of::<TaskId>(),
            ("id", path) if path.starts_with("/admin/executions") => schema_of::<ExecutionId>(),
            ("id", path) if path.starts_with("/admin/tokens") => schema_of::<TokenId>(),
            ("id", path) if path.starts_with("/admin/nodes") => schema_of::<NodeId>(),
            ("key", _) => json!({"type": "string", "minLength": 1, "maxLength": LONGEST_KEY}),
            ("hash" | "other", _) => json!({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
            ("name", path) if !path.starts_with("/admin/handlers") => {
                let pattern = format!("^[A-Za-z_][A-Za-z0-9_]{{0,{}}}$", LONGEST_NAME - 1);
                json!({"type": "string", "pattern": pattern})
            }
            _ => json!({"type": "string", "minLength": 1}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    };
    names.map(parameter).collect()
}

fn schema_of<T: ToSchema>() -> Value {
    serde_json::to_value(T::schema()).unwrap_or_default()
}

/// The answers of a route: its documents, and the errors that its parts may lead to.
fn responses(route: &Route, spec: Option<&Spec>, path: &str) -> Value {
    let has_body = spec.is_some_and(|spec| spec.body.is_some());
    let has_role = route.need != Need::Anyone;
    let may_fail: [(u16, bool); 10] = [
        (400, true),
        (401, has_role),
        (403, has_role),
        (404, path.contains('{') || spec.is_some_and(names_task)),
        (409, spec.is_some_and(|spec| spec.has_conflicts)),
        (413, has_body),
        (415, has_body),
        (429, has_role),
        (500, true),
        (503, true),
    ];
    let mut responses = BTreeMap::new();
    for (status, ..) in may_fail.into_iter().filter(|(.., is_possible)| *is_possible) {
        responses.insert(status.to_string(), failure(&status.to_string()));
    }
    for Answer { status, text, content } in spec.iter().flat_map(|spec| &spec.answers) {
        let content: Map<_, _> =
            content.iter().map(|(kind, schema)| ((*kind).to_owned(), json!({"schema": schema}))).collect();
        let mut answer = json!({"description": text});
        if !content.is_empty() {
            answer["content"] = content.into();
        }
        responses.insert(status.to_string(), answer);
    }
    responses.insert("default".to_owned(), failure("default"));
    json!(responses)
}

fn names_task(spec: &Spec) -> bool {
    spec.query.iter().any(|parameter| ["taskId", "excludeId"].contains(&parameter.name))
}

/// The errors, by status.
const FAILURES: [(&str, &str); 11] = [
    ("400", "A value of the request is wrong"),
    ("401", "A token is needed"),
    ("403", "The token may not do this"),
    ("404", "There is no such thing"),
    ("409", "The state of the thing does not allow it"),
    ("413", "The body is too large"),
    ("415", "The body is no JSON"),
    ("429", "Too many wrong tokens came from this address: `Retry-After` tells when to try again"),
    ("500", "The server has failed"),
    ("503", "The server stops, or cannot do its work"),
    ("default", "Any other error"),
];

fn failure(status: &str) -> Value {
    json!({"$ref": format!("#/components/responses/{status}")})
}

fn failures() -> Map<String, Value> {
    let failure = |text| {
        json!({
            "description": text,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        })
    };
    FAILURES.iter().map(|(status, text)| ((*status).to_owned(), failure(text))).collect()
}

fn task_fields() -> Value {
    let fields: Map<_, _> = FIELDS.iter().map(|field| (field.name.to_owned(), field.schema())).collect();
    let names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
    json!({"type": "object", "properties": fields, "required": names})
}

/// The one shape of errors.
fn error() -> Value {
    let problem = json!({
        "type": "object",
        "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
        "required": ["field", "problem"],
    });
    json!({
        "type": "object",
        "properties": {
            "error": {"type": "boolean", "enum": [true]},
            "code": {"type": "integer"},
            "errorNum": {"type": "integer"},
            "errorMessage": {"type": "string"},
            "message": {"type": "string"},
            "details": {"type": "array", "items": problem},
            "requestId": {"type": "string"},
        },
        "required": ["error", "code", "errorNum", "errorMessage", "message", "requestId"],
        "additionalProperties": false,
    })
}

/// The reference to the schema of a number that code has another name for.
const NUMBER: &str = "#/components/schemas/i64";

/// Puts numbers in the place of references to them, and takes the marks of links between items of code out
/// of texts.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(text)) = object.get_mut("description") {
                *text = text.replace("[`", "`").replace("`]", "`");
            }
            object.values_mut().for_each(tidy);
            if object.get("$ref").is_some_and(|reference| reference == NUMBER) {
                object.shift_remove("$ref");
                object.extend(number(json!("integer")));
            }
            let maybe = object.get("oneOf").and_then(Value::as_array);
            if let Some([Value::Object(some), Value::Object(none)]) = maybe.map(Vec::as_slice)
                && none.get("type").is_some_and(|kind| kind == "null")
                && some.get("type").is_some_and(|kind| kind == "integer")
            {
                let description = some.get("description").cloned();
                object.shift_remove("oneOf");
                object.extend(number(json!(["integer", "null"])));
                object.extend(description.map(|text| ("description".to_owned(), text)));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn number(kind: Value) -> [(String, Value); 2] {
    [("type".to_owned(), kind), ("format".to_owned(), "int64".into())]
}

#[cfg(test)]
mod tests;
