//! The functions of each built-in against values recorded from Node (`tests/cases/node`).

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::harness::Server;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/node");

/// The module's name and its `[expression, expected value]` pairs.
fn read_cases(path: &Path) -> (String, Vec<(String, Value)>) {
    let name = path.file_stem().expect("a name").to_string_lossy().replace('+', "/");
    let text = fs::read_to_string(path).expect("the cases");
    (name, serde_json::from_str(&text).expect("pairs"))
}

/// A handler that evaluates the expressions with the module as `m`.
fn handler(module: &str, cases: &[(String, Value)]) -> String {
    let encode = fs::read_to_string(format!("{CASES}/encode.js")).expect("the encoder");
    let expressions: Vec<_> = cases.iter().map(|(expression, _)| format!("() => ({expression})")).collect();
    format!(
        "const encode = (value) => {{ {encode} }};
         const m = require('{module}');
         const cases = [{}];
         module.exports = async () => {{
           const values = [];
           for (const run of cases) {{
             try {{ values.push(encode(await run())); }} catch (error) {{ values.push({{ throws: encode(error) }}); }}
           }}
           return values;
         }};",
        expressions.join(",\n")
    )
}

#[test]
fn the_functions_of_every_built_in_give_the_values_of_node() {
    let server = Server::start();
    let mut paths: Vec<_> =
        fs::read_dir(CASES).expect("the cases").map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
    paths.sort();
    assert!(paths.len() > 15, "{paths:?}");
    let mut wrong = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        let (module, cases) = read_cases(path);
        let execution = server.run_source(&format!("module-{number}"), &handler(&module, &cases), &json!({}));
        let values = execution["result"].as_array().unwrap_or_else(|| panic!("{module}: {execution}"));
        assert_eq!(values.len(), cases.len(), "{module}");
        for ((expression, expected), value) in cases.iter().zip(values) {
            if value != expected {
                wrong.push(format!("{module}: {expression}\n  Node:  {expected}\n  here:  {value}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
