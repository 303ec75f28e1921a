//! Access: who gets in, and the answers to everyone else.

use std::{fs, os::unix::fs::PermissionsExt};

use insta::assert_json_snapshot;

use crate::harness::{Options, Server, redact, until};

#[test]
fn without_the_token_nothing_below_admin_answers() {
    let _guard = redact();
    let server = Server::start();
    let client = server.client();
    let routes = [
        ("GET", "/admin/scheduler"),
        ("POST", "/admin/scheduler"),
        ("DELETE", "/admin/scheduler/task-01"),
        ("GET", "/admin/handlers"),
        ("GET", "/admin/schedule/preview"),
        ("GET", "/admin/nothing-here"),
        ("PATCH", "/admin/scheduler"),
        ("GET", "/admin"),
    ];
    for (method, path) in routes {
        let answer = client.send(client.anonymous(method, path), "");
        assert_eq!(answer.status, 401, "{method} {path}: {}", answer.body);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    assert_json_snapshot!(client.send(client.anonymous("GET", "/admin/scheduler"), "").body, @r#"
    {
      "error": true,
      "code": 401,
      "errorNum": 401,
      "errorMessage": "A token is needed: send the header Authorization: Bearer <token>",
      "message": "A token is needed: send the header Authorization: Bearer <token>",
      "requestId": "[request id]"
    }
    "#);

    for wrong in ["Bearer", "Bearer ", "Bearer wrong-token-wrong-token", "Basic YWRtaW46YWRtaW4=", "x"] {
        let request = client.anonymous("GET", "/admin/scheduler").header("authorization", wrong);
        let answer = client.send(request, "");
        assert_eq!(answer.status, 401, "{wrong:?}: {}", answer.body);
        assert!(!answer.body.to_string().contains("wrong-token"), "the token comes back: {}", answer.body);
    }
    assert_eq!(client.get("/admin/scheduler").status, 200);
}

#[test]
fn health_and_readiness_need_no_token() {
    let server = Server::start();
    let client = server.client();
    let health = client.send(client.anonymous("GET", "/health"), "").expect(200);
    assert_json_snapshot!(health, @r#"
    {
      "status": "ok"
    }
    "#);
    let mut ready = until("it is ready", || {
        let answer = client.send(client.anonymous("GET", "/ready"), "");
        let settled = answer.body["runners"]["idle"] == 1 && answer.body["store"]["backup"]["time"].is_i64();
        (answer.status == 200 && settled).then_some(answer.body)
    });
    // The sandbox's layers depend on the system.
    assert!(ready["cage"].take().is_string());
    assert!(ready["store"]["freeBytes"].take().is_u64());
    let backup = ready["store"]["backup"].take();
    assert!(backup["file"].as_str().is_some_and(|name| name.starts_with("isochron-")), "{backup}");
    assert_eq!(backup["error"], serde_json::Value::Null);
    assert_json_snapshot!(ready, @r#"
    {
      "ready": true,
      "store": {
        "open": true,
        "full": false,
        "freeBytes": null,
        "start": {
          "epoch": 1,
          "tasks": 0,
          "check": "done",
          "setAside": [],
          "rebuilt": [],
          "missing": []
        },
        "backup": null
      },
      "scheduler": {
        "running": true,
        "stopping": false
      },
      "runners": {
        "alive": 1,
        "idle": 1,
        "waiting": 0
      },
      "taskFile": {
        "file": null,
        "tasks": 0,
        "mistakes": 0,
        "problems": []
      },
      "cage": null
    }
    "#);
}

#[test]
fn the_first_start_makes_a_token_that_only_its_owner_can_read_and_later_starts_keep_it() {
    let mut server = Server::start();
    let path = server.home.data().join("admin-token");
    let mode = fs::metadata(&path).expect("the token's file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = fs::read_to_string(&path).expect("the token");
    assert!(token.trim().len() >= 43, "256 bits take 43 characters at least: {token}");
    server.kill();
    server.start_again();
    assert_eq!(fs::read_to_string(&path).expect("the token"), token);

    let other = Server::start();
    let others = fs::read_to_string(other.home.data().join("admin-token")).expect("the token");
    assert_ne!(others, token, "a default token");
}

#[test]
fn the_token_of_the_environment_goes_before_the_one_of_the_file() {
    let server = Server::start();
    let filed = fs::read_to_string(server.home.data().join("admin-token")).expect("the token");
    let server =
        Options::default().set("ADMIN_TOKEN", "a-token-of-the-environment").with_token(&filed).start();
    let client = server.client();
    let request = client
        .anonymous("GET", "/admin/scheduler")
        .header("authorization", "Bearer a-token-of-the-environment");
    assert_eq!(client.send(request, "").status, 200);
    assert_eq!(client.get("/admin/scheduler").status, 401, "the token of the file still works");
}
