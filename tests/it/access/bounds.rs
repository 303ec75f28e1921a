//! Tokens that are bound to handlers, and values that not everybody sees.

use serde_json::{Value, json};

use super::{client_as, make_token};
use crate::harness::{Client, Options, Server, task};

/// A server with a task of `reports/sales` and one of `mail`.
fn serve() -> (Server, String, String) {
    let server = Options::default().start();
    std::fs::create_dir_all(server.home.tasks().join("reports")).expect("a folder");
    for name in ["reports/sales", "mail"] {
        server.home.write(name, "module.exports = (params) => ({ token: 'abc', got: params })");
    }
    let secret = json!({ "params": { "region": "eu", "apiKey": "very-secret" } });
    let sales = server.create(&task("sales", "reports/sales", "0 0 1 1 *", &secret));
    let mail = server.create(&task("mail", "mail", "0 0 1 1 *", &secret));
    (server, sales, mail)
}

fn bound(server: &Server, role: &str) -> Client {
    let body = json!({ "name": format!("bound {role}"), "role": role, "handlers": ["reports/*"] });
    server.client().with(&make_token(server.client(), &body).0)
}

fn names(list: &Value) -> Vec<&str> {
    let tasks = list["tasks"].as_array().expect("a list");
    tasks.iter().map(|task| task["name"].as_str().expect("a name")).collect()
}

#[test]
fn a_bound_token_sees_and_touches_the_tasks_of_its_handlers_only() {
    let (server, sales, mail) = serve();
    let client = bound(&server, "editor");
    for query in ["", "?sortBy=name", "?name=a", "?status=active&sortBy=createdAt", "?fields=list"] {
        let list = client.get(&format!("/admin/scheduler{query}")).expect(200);
        assert_eq!((names(&list), &list["total"]), (vec!["sales"], &json!(1)), "{query}");
    }
    assert_eq!(names(&client.get("/admin/scheduler?handler=mail").expect(200)), Vec::<&str>::new());
    let handlers = client.get("/admin/handlers").expect(200);
    let handlers: Vec<_> =
        handlers["handlers"].as_array().expect("a list").iter().map(|h| &h["name"]).collect();
    assert_eq!(handlers, [&json!("reports/sales")]);

    let run = |id: &str| client.action(&format!("/admin/scheduler/{id}/actions/run?wait=true")).status;
    assert_eq!((run(&sales), run(&mail)), (200, 404));
    let change = |id: &str, body: Value| client.put(&format!("/admin/scheduler/{id}"), &body);
    assert_eq!(change(&mail, json!({ "description": "x" })).message(404), "Task not found");
    assert_eq!(change(&sales, json!({ "handler": "mail" })).status, 403, "it would go out of reach");
    let follow = change(&sales, json!({ "after": { "taskId": mail, "on": "end" } }));
    assert!(follow.message(400).contains("names no task"), "its results would come into reach");
    // An admin may have given it a task to follow: the document can be sent back whole, and tells no name.
    let path = format!("/admin/scheduler/{sales}");
    server.client().put(&path, &json!({ "after": { "taskId": mail, "on": "end" } })).expect(200);
    let document = client.get(&path).expect(200)["task"].clone();
    client.put(&path, &document).expect(200);
    server.client().put(&path, &json!({ "after": null })).expect(200);
    let after = json!({ "after": { "taskId": sales, "on": "end" } });
    server.client().put(&format!("/admin/scheduler/{mail}"), &after).expect(200);
    assert!(client.delete(&path).message(409).starts_with("Another task runs after it"));
    let made = client.post("/admin/scheduler", &task("more", "mail", "@hourly", &json!({})));
    assert_eq!(made.message(403), "The token is not for the handler \"mail\"");
    for path in ["/admin/activity", "/admin/overview", "/admin/forecast", "/admin/kv", "/admin/variables"] {
        assert_eq!(client.get(path).status, 403, "{path}");
    }
    assert_eq!(client.get(&format!("/admin/activity?taskId={sales}")).status, 200);
    assert_eq!(client.get(&format!("/admin/activity?taskId={mail}")).status, 404);
    assert_eq!(client.get("/admin/upcoming?handler=reports/sales").status, 200);
}

#[test]
fn a_viewer_and_an_operator_see_no_value_under_a_name_such_as_token() {
    let (server, sales, _) = serve();
    server.act(&sales, "run?wait=true").expect(200);
    let path = format!("/admin/scheduler/{sales}");
    for (role, hidden) in [("viewer", true), ("operator", true), ("editor", false)] {
        let client = client_as(server.client(), role);
        for path in [path.clone(), format!("{path}/executions"), "/admin/scheduler".to_owned()] {
            let answer = client.get(&path).expect(200);
            let text = answer.to_string();
            assert_eq!(!text.contains("very-secret"), hidden, "{role} {path}: {text}");
            assert!(text.contains("\"region\":\"eu\""), "{role} {path}: {text}");
        }
        let task = client.get(&path).expect(200);
        let expected = if hidden { "•••" } else { "abc" };
        assert_eq!(task["executions"][0]["result"]["token"], expected, "{role}");
    }
}
