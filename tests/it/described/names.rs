use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Answer, Server};

/// An operation of the document.
struct Operation {
    method: String,
    path: String,
    about: Value,
}

fn operations(server: &Server) -> Vec<Operation> {
    let client = server.client();
    let document = client.send(client.anonymous("GET", "/openapi.json"), "").expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths").clone();
    let of_path = |(path, methods): (String, Value)| {
        let methods = methods.as_object().expect("methods").clone();
        methods.into_iter().map(move |(method, about)| Operation {
            method: method.to_ascii_uppercase(),
            path: path.clone(),
            about,
        })
    };
    paths.into_iter().flat_map(of_path).collect()
}

impl Operation {
    /// Its path with the id of a task.
    fn path(&self, task: &str) -> String {
        let run = "exec-01jd0000000000000000000000";
        let id = match &self.path {
            path if path.starts_with("/admin/scheduler") => task,
            path if path.starts_with("/admin/tokens") => "token-01jd0000000000000000000000",
            _ => run,
        };
        let path = self.path.replace("{id}", id).replace("{execution}", run);
        ["name", "key", "hash", "other"]
            .iter()
            .fold(path, |path, name| path.replace(&format!("{{{name}}}"), name))
    }

    fn send(&self, server: &Server, path: &str, body: Option<&Value>) -> Answer {
        let request = server.client().request(&self.method, path);
        match body {
            Some(body) => {
                server.client().send(request.header("content-type", "application/json"), body.to_string())
            }
            None => server.client().send(request, ""),
        }
    }

    fn parameters(&self) -> BTreeSet<String> {
        let parameters = self.about["parameters"].as_array().into_iter().flatten();
        let in_query = parameters.filter(|parameter| parameter["in"] == "query");
        in_query.map(|parameter| parameter["name"].as_str().expect("a name").to_owned()).collect()
    }

    fn fields(&self) -> Option<BTreeSet<String>> {
        let schema = self.about.pointer("/requestBody/content/application~1json/schema")?;
        assert_eq!(schema["additionalProperties"], false, "{} {}", self.method, self.path);
        let names = schema["properties"].as_object().into_iter().flat_map(|fields| fields.keys());
        Some(names.cloned().collect())
    }
}

/// The names that an error about an unknown one tells.
fn known(answer: Answer, unknown: &str) -> BTreeSet<String> {
    let body = answer.expect(400);
    let details = body["details"].as_array().unwrap_or_else(|| panic!("{body}"));
    let found = details.iter().find(|detail| detail["field"] == unknown);
    let problem = found.and_then(|detail| detail["problem"].as_str()).unwrap_or_else(|| panic!("{body}"));
    match problem.split_once("known are ") {
        Some((_, names)) => names.split(", ").map(str::to_owned).collect(),
        None => BTreeSet::new(),
    }
}

#[test]
fn every_route_knows_the_parameters_that_the_document_names_and_no_others() {
    let server = Server::start();
    let task = server.create_dormant("described", "module.exports = () => {};", &json!({}));
    for operation in operations(&server) {
        // Monitors add a value to these to get past caches.
        if ["/health", "/ready"].contains(&operation.path.as_str()) {
            continue;
        }
        let path = format!("{}?nonsense=1", operation.path(&task));
        let body = operation.fields().map(|_| json!({}));
        let answer = operation.send(&server, &path, body.as_ref());
        assert_eq!(known(answer, "nonsense"), operation.parameters(), "{} {path}", operation.method);
    }
}

#[test]
fn every_route_knows_the_fields_that_the_document_names_and_no_others() {
    let server = Server::start();
    let task = server.create_dormant("described", "module.exports = () => {};", &json!({}));
    let operations = operations(&server);
    let with_body = operations.iter().filter_map(|operation| Some((operation, operation.fields()?)));
    let mut seen = 0;
    for (operation, fields) in with_body {
        let path = operation.path(&task);
        let answer = operation.send(&server, &path, Some(&json!({"nonsense": 1})));
        assert_eq!(known(answer, "nonsense"), fields, "{} {path}", operation.method);
        seen += 1;
    }
    assert!(seen > 15, "{seen} operations have a body");
}

#[test]
fn the_document_names_the_role_that_a_route_asks_for() {
    let server = Server::start();
    let made = json!({"name": "watcher", "role": "viewer"});
    let viewer = server.client().post("/admin/tokens", &made).expect(201)["token"].clone();
    let viewer = server.client().with(viewer.as_str().expect("a text"));
    let task = server.create_dormant("described", "module.exports = () => {};", &json!({}));
    for operation in operations(&server) {
        let path = operation.path(&task);
        if path.ends_with("/stream") || path.ends_with("/events") {
            continue;
        }
        let request = viewer.request(&operation.method, &path);
        let status = viewer.status(request.header("content-type", "application/json"));
        let may = [Value::Null, json!("viewer")].contains(&operation.about["x-role"]);
        assert_eq!(status != Some(403), may, "{} {path}: {status:?}", operation.method);
    }
}
