//! Forms: every form of a page is held to the role of its change.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use super::Visitor;
use crate::harness::Server;

const ROLES: [&str; 4] = ["viewer", "operator", "editor", "admin"];
const NO_TOKEN: &str = "token-01hzzzzzzzzzzzzzzzzzzzzzzz";

/// The paths of pages that take forms, from the code of the dashboard.
fn paths_with_forms() -> BTreeSet<String> {
    let source = fs::read_to_string(format!("{}/src/dashboard/mod.rs", env!("CARGO_MANIFEST_DIR")));
    let source = source.expect("the code");
    let paths = source
        .lines()
        .filter(|line| line.contains("post("))
        .filter_map(|line| Some(line.trim().strip_prefix(".route(\"")?.split_once('"')?.0.to_owned()));
    paths.collect()
}

/// Every form: the least role, the path of the page, and the names in it with the fields.
fn forms(task: &str, run: &str) -> Vec<(&'static str, &'static str, String, String)> {
    let mut forms = vec![
        ("viewer", "/settings", "/settings".to_owned(), "theme=dark".to_owned()),
        ("operator", "/alerts/mute", "/alerts/mute".to_owned(), "length=900000&reason=works".to_owned()),
        ("operator", "/alerts/mute", "/alerts/mute".to_owned(), "length=0".to_owned()),
        ("admin", "/alerts/test", "/alerts/test".to_owned(), "channel=none".to_owned()),
        ("admin", "/tokens", "/tokens".to_owned(), "name=another&role=viewer".to_owned()),
        ("editor", "/tasks/{id}/edit", format!("/tasks/{task}/edit"), "description=changed".to_owned()),
        ("operator", "/tasks/bulk", "/tasks/bulk".to_owned(), format!("action=pause&id={task}")),
    ];
    for action in ["rotate", "delete"] {
        forms.push(("admin", "/tokens/{id}/{action}", format!("/tokens/{NO_TOKEN}/{action}"), String::new()));
    }
    for (role, kind) in [("editor", "variables"), ("admin", "secrets")] {
        let fields = format!("kind={kind}&name=A_NAME&value=12345678&handlers=");
        forms.push((role, "/secrets", "/secrets".to_owned(), fields));
        let path = format!("/secrets/{kind}/A_NAME/delete");
        forms.push((role, "/secrets/{kind}/{name}/delete", path, String::new()));
    }
    for action in ["run", "cancel", "pause", "resume", "reset-retries"] {
        let path = format!("/tasks/{task}/{action}");
        forms.push(("operator", "/tasks/{id}/{action}", path, String::new()));
    }
    for action in ["rerun", "cancel"] {
        let path = format!("/executions/{run}/{action}");
        forms.push(("operator", "/executions/{id}/{action}", path, String::new()));
    }
    let new = "name=Made+by+a+form&description=x&handler=greet&schedule=0+0+1+1+*&recurring=on";
    forms.push(("editor", "/tasks/new", "/tasks/new".to_owned(), new.to_owned()));
    forms.push(("editor", "/tasks/bulk", "/tasks/bulk".to_owned(), format!("action=delete&id={task}")));
    forms.push(("editor", "/tasks/{id}/{action}", format!("/tasks/{task}/delete"), String::new()));
    forms
}

#[test]
fn every_form_of_a_page_is_refused_below_its_role() {
    let server = Server::start();
    let task = server.create_dormant("greet", "module.exports = () => 1", &json!({}));
    let run = server.run(&task)["id"].as_str().expect("an id").to_owned();
    let forms = forms(&task, &run);
    let mut covered: BTreeSet<_> = forms.iter().map(|(_, page, ..)| (*page).to_owned()).collect();
    // These two have no role: they begin and end a session.
    covered.extend(["/login", "/logout"].map(str::to_owned));
    assert_eq!(covered, paths_with_forms(), "every page that takes a form is in the matrix");
    for (rank, role) in ROLES.iter().enumerate() {
        let visitor = Visitor::with_role(&server, role, &Value::Null);
        for (least, _, path, fields) in &forms {
            let status = visitor.send(path, fields);
            let may = rank >= ROLES.iter().position(|known| known == least).expect("a role");
            assert_eq!(status == 403, !may, "{role}: {path} {fields} is answered {status}");
            assert!(![401, 500].contains(&status), "{role}: {path} {fields} is answered {status}");
        }
    }
}
