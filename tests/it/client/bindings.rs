//! Variables and secrets of a server, by `isochron variable` and `isochron secret --server`.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{Ran, command, out, run};
use crate::harness::Server;

/// The end of a command that reads a text.
fn given(mut command: Command, input: &str) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends").into()
}

#[test]
fn a_variable_is_set_listed_changed_and_deleted() {
    let server = Server::start();
    let set = out(&server, &["variable", "set", "REGION", "-1 west", "--handlers", "reports/*, sales"]);
    assert_eq!(set, "the variable REGION is set for reports/*, sales\n");
    let kept = || server.client().get("/admin/variables/REGION").expect(200)["variable"].take();
    assert_eq!((&kept()["value"], &kept()["handlers"]), (&json!("-1 west"), &json!(["reports/*", "sales"])));
    out(&server, &["variable", "set", "REGION", "--env"]);
    assert_eq!((&kept()["value"], &kept()["env"]), (&json!("-1 west"), &json!(true)), "the rest stays");
    let ran = given(command(&server, &["variable", "set", "TEXT", "-"]), "two\nlines\n");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("no handler may read it yet"), "{}", ran.out);
    let lines = out(&server, &["variable", "list", "--json"]);
    let values: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["value"].clone())
        .collect();
    assert_eq!(values, [json!("-1 west"), json!("two\nlines")]);
    let table = out(&server, &["variable", "list"]);
    assert!(table.starts_with("NAME") && table.contains("-1 west"), "{table}");
    assert_eq!(out(&server, &["variable", "delete", "REGION"]), "the variable REGION is deleted\n");
    assert_eq!(server.client().get("/admin/variables/REGION").status, 404);
}

#[test]
fn a_variable_that_cannot_be_set_is_refused_in_one_line() {
    let server = Server::start();
    let nothing = run(&server, &["variable", "set", "REGION"]);
    let problem = "isochron: nothing to set: give a value, --handlers or --env\n";
    assert_eq!((nothing.code, nothing.err.as_str()), (Some(2), problem));
    let slash = run(&server, &["variable", "delete", "a/b"]);
    assert_eq!((slash.code, slash.err.lines().count()), (Some(1), 1), "{}", slash.err);
    let absent = run(&server, &["variable", "delete", "NONE", "--json"]);
    assert_eq!(absent.code, Some(1));
    assert_eq!(serde_json::from_str::<Value>(&absent.err).expect("JSON")["code"], 404, "{}", absent.err);
}

#[test]
fn a_secret_of_another_server_is_set_listed_and_deleted_and_its_value_never_shown() {
    let server = Server::start();
    let url = format!("http://{}", server.client().address());
    let remote = |arguments: &[&str]| {
        // Another folder, as on another machine: only the flags name the server and the token.
        let mut command = server.home.command(&[arguments, &["--server", &url]].concat());
        command.env("ISOCHRON_TOKEN", server.client().token()).env("ISOCHRON_DATA", "elsewhere");
        command
    };
    let set = given(remote(&["secret", "set", "API_TOKEN", "--handlers", "*"]), "hush-hush\n");
    assert_eq!((set.code, set.out.as_str()), (Some(0), "the secret API_TOKEN is set for *\n"), "{}", set.err);
    let handler =
        "module.exports = (params, ctx) => ctx.secrets.get('API_TOKEN').then((text) => text.length)";
    let id = server.create_dormant("reads", handler, &json!({}));
    assert_eq!(server.run(&id)["result"], 9);
    let list = given(remote(&["secret", "list"]), "");
    assert!(list.out.contains("API_TOKEN") && !list.out.contains("hush-hush"), "{}", list.out);
    let json = given(remote(&["secret", "list", "--json"]), "");
    assert_eq!(serde_json::from_str::<Value>(&json.out).expect("JSON")["name"], "API_TOKEN");
    let gone = given(remote(&["secret", "delete", "API_TOKEN"]), "");
    assert_eq!(gone.out, "the secret API_TOKEN is deleted\n");
    assert_eq!(server.client().get("/admin/secrets/API_TOKEN").status, 404);
    let alone = server.home.run(&["secret", "list", "--json"]);
    assert_eq!(alone.code(), Some(2), "{}", alone.err());
}
