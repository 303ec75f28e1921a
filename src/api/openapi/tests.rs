use std::collections::BTreeSet;

use super::*;

fn operations() -> impl Iterator<Item = (String, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods");
        methods
            .iter()
            .map(move |(method, operation)| (format!("{} {path}", method.to_ascii_uppercase()), operation))
    })
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let routes: BTreeSet<_> =
        every_route().iter().map(|route| (method_name(route.method), route.path)).collect();
    let specs: Vec<_> = tasks::specs().into_iter().chain(rest::specs()).collect();
    let described: BTreeSet<_> = specs.iter().map(|spec| (spec.method, spec.path)).collect();
    assert_eq!(described.len(), specs.len(), "a route is described once");
    assert_eq!(described, routes);
    assert_eq!(operations().count(), routes.len());
}

#[test]
fn one_name_is_one_schema() {
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    for (name, schema) in tasks::specs().into_iter().chain(rest::specs()).flat_map(|spec| spec.components) {
        let schema = serde_json::to_value(schema).expect("JSON");
        let first = seen.entry(name.clone()).or_insert_with(|| schema.clone());
        assert_eq!(*first, schema, "{name} has two schemas");
    }
}

#[test]
fn every_reference_leads_to_a_schema() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    references(&DOCUMENT, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').expect("inside the document");
        assert!(DOCUMENT.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let named = DOCUMENT["components"]["schemas"].as_object().expect("schemas").keys();
    let unused: Vec<_> =
        named.filter(|name| !found.contains(&format!("#/components/schemas/{name}"))).collect();
    assert!(unused.is_empty(), "{unused:?} are named by nothing");
}

#[test]
fn every_operation_has_its_role_and_its_own_id() {
    let mut ids = BTreeSet::new();
    for (name, operation) in operations() {
        assert!(ids.insert(operation["operationId"].as_str()), "{name}");
        assert_eq!(operation["x-role"].is_string(), operation["security"] != json!([]), "{name}");
        let successes = operation["responses"].as_object().expect("responses");
        assert!(successes.keys().any(|status| status.starts_with('2')), "{name}");
    }
}
