//! Operations: a route as a person reads it, with a line to try it.

use serde_json::{Value, json};

use super::schema::{Row, Schemas};

/// The routes of one room.
pub(super) struct Room {
    pub(super) name: String,
    pub(super) operations: Vec<Operation>,
}

/// A route.
#[derive(Clone)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) summary: String,
    /// The role that it needs; none for everybody.
    pub(super) role: Option<String>,
    pub(super) parameters: Vec<Row>,
    pub(super) fields: Vec<Row>,
    pub(super) answers: Vec<Answer>,
    /// The statuses of its errors.
    pub(super) errors: String,
    /// A command that asks for it.
    pub(super) curl: String,
}

/// An answer that is no error.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) text: String,
    /// The media type; empty for none.
    pub(super) kind: String,
    pub(super) fields: Vec<Row>,
    /// An answer as it looks; empty where the type says it all.
    pub(super) sample: String,
}

impl Room {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), operations: Vec::new() }
    }

    /// The anchor.
    pub(super) fn id(&self) -> String {
        self.name.to_lowercase().replace(' ', "-")
    }
}

impl Operation {
    pub(super) fn read(schemas: Schemas<'_>, path: &str, method: &str, about: &Value) -> Self {
        let method = method.to_ascii_uppercase();
        let text = |name: &str| about[name].as_str().unwrap_or_default().replace('`', "");
        let parameters: Vec<_> = about["parameters"].as_array().cloned().unwrap_or_default();
        let body = &about["requestBody"]["content"]["application/json"]["schema"];
        let responses = about["responses"].as_object();
        let (answers, errors): (Vec<_>, Vec<_>) =
            responses.into_iter().flatten().partition(|(_, answer)| answer.get("$ref").is_none());
        let errors: Vec<_> = errors
            .into_iter()
            .map(|(status, _)| status.as_str())
            .filter(|status| *status != "default")
            .collect();
        Self {
            curl: write_curl(schemas, &method, path, about),
            id: text("operationId"),
            summary: text("summary"),
            role: about["x-role"].as_str().map(str::to_owned),
            parameters: parameters.iter().map(|parameter| schemas.parameter(parameter)).collect(),
            fields: if body.is_object() { schemas.fields(body) } else { Vec::new() },
            answers: answers.into_iter().flat_map(|answer| read_answer(schemas, answer)).collect(),
            errors: errors.join(", "),
            path: path.to_owned(),
            method,
        }
    }

    /// The word of its colour.
    pub(super) fn kind(&self) -> &'static str {
        match self.method.as_str() {
            "GET" => "reads",
            "DELETE" => "deletes",
            _ => "writes",
        }
    }
}

fn read_answer(schemas: Schemas<'_>, (status, about): (&String, &Value)) -> Vec<Answer> {
    let answer = |kind: &str, schema: &Value| {
        let fields = schemas.fields(schema);
        let sample = if fields.is_empty() { Value::Null } else { schemas.sample(schema) };
        Answer {
            status: status.clone(),
            text: about["description"].as_str().unwrap_or_default().to_owned(),
            kind: kind.to_owned(),
            fields,
            sample: if sample.is_null() { String::new() } else { format!("{sample:#}") },
        }
    };
    match about["content"].as_object() {
        Some(content) => content.iter().map(|(kind, about)| answer(kind, &about["schema"])).collect(),
        None => vec![answer("", &json!({}))],
    }
}

/// A command line that asks for a route. The token is in a variable, so that no history of commands has it.
fn write_curl(schemas: Schemas<'_>, method: &str, path: &str, about: &Value) -> String {
    let mut line = "curl -sS".to_owned();
    if method != "GET" {
        line += &format!(" -X {method}");
    }
    if about["x-role"].is_string() {
        line += " -H \"Authorization: Bearer $ISOCHRON_TOKEN\"";
    }
    let parameters = about["parameters"].as_array().into_iter().flatten();
    let needed = |place: &'static str| {
        let all = parameters.clone();
        all.filter(move |parameter| parameter["in"] == place && parameter["required"] == true)
    };
    let body = &about["requestBody"];
    let schema = &body["content"]["application/json"]["schema"];
    if body["required"] == true {
        let sample = schemas.needed(schema).to_string().replace('\'', "'\\''");
        line += &format!(" -H 'Content-Type: application/json' -d '{sample}'");
    }
    let path = needed("path").fold(path.to_owned(), |path, parameter| {
        let name = parameter["name"].as_str().unwrap_or_default();
        path.replace(&format!("{{{name}}}"), &schemas.sample_text(&parameter["schema"], name))
    });
    let query: Vec<_> = needed("query")
        .map(|parameter| {
            let name = parameter["name"].as_str().unwrap_or_default();
            let value = schemas.sample_text(&parameter["schema"], name);
            format!("{name}={}", url::form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>())
        })
        .collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    format!("{line} \"$ISOCHRON_SERVER{path}{query}\"")
}
