//! `isochron doctor`: what it finds, and its exit code.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use crate::harness::{Home, Options, Web};

/// The check of a thing in the report.
fn check<'a>(report: &'a Value, about: &str) -> &'a Value {
    let checks = report["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["about"] == about).unwrap_or_else(|| panic!("no {about}: {report}"))
}

fn report(home: &Home, listen: &str) -> (Option<i32>, Value) {
    let mut command = home.command(&["doctor", "--json"]);
    let output = command.env("ISOCHRON_LISTEN", listen).output().expect("it runs");
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code(), report)
}

#[test]
fn a_machine_that_runs_handlers_is_well_and_nothing_is_left_behind() {
    let home = Home::new();
    home.write("hello", "module.exports = () => 1");
    let (code, found) = report(&home, "127.0.0.1:1");
    assert_eq!((code, &found["ok"]), (Some(0), &json!(true)), "{found}");
    for about in ["sandbox", "test run", "disk", "handlers", "runners", "memory", "time zones", "clock"] {
        assert_ne!(check(&found, about)["state"], "bad", "{found}");
    }
    assert!(check(&found, "disk")["found"].to_string().contains("99th percentile"), "{found}");
    assert_eq!(check(&found, "server")["found"], "none runs at 127.0.0.1:1");
    assert!(!home.data().exists(), "the folder of data is the server's to make");
    let left: Vec<_> =
        fs::read_dir(home.path()).expect("the home").map(|entry| entry.expect("one").file_name()).collect();
    assert_eq!(left, ["tasks"]);
    let told = home.command(&["doctor"]).env("ISOCHRON_LISTEN", "127.0.0.1:1").output().expect("it runs");
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(text.lines().any(|line| line.starts_with("ok      test run: a handler ran in ")), "{text}");
}

#[test]
fn files_that_others_may_read_and_a_folder_that_cannot_be_written_are_bad() {
    let home = Home::new();
    fs::create_dir(home.data()).expect("made");
    fs::set_permissions(home.data(), fs::Permissions::from_mode(0o700)).expect("set");
    let token = home.data().join("admin-token");
    fs::write(&token, "a token of sixteen").expect("written");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).expect("set");
    let (code, found) = report(&home, "127.0.0.1:1");
    let files = check(&found, "files");
    assert_eq!((code, &files["state"]), (Some(1), &json!("bad")), "{found}");
    assert!(files["mend"].to_string().contains("chmod 600 "), "{found}");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("set");
    let (code, found) = report(&home, "127.0.0.1:1");
    assert_eq!((code, &check(&found, "files")["state"]), (Some(0), &json!("ok")), "{found}");
}

#[test]
fn the_quick_look_tells_whether_the_server_is_ready() {
    let quick = |home: &Home, listen: &str| {
        let mut command = home.command(&["doctor", "--quick"]);
        let output = command.env("ISOCHRON_LISTEN", listen).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let home = Home::new();
    let (code, text) = quick(&home, "127.0.0.1:1");
    assert!(code == Some(1) && text.contains("none answers at 127.0.0.1:1"), "{text}");
    let mut server = Options::default().start_in(home).expect("it starts");
    let address = server.client().address().to_owned();
    let (code, text) = quick(&server.home, &address);
    assert!(code == Some(0) && text.starts_with("ok      server: it is ready"), "{text}");
    server.kill();
    assert_eq!(quick(&server.home, &address).0, Some(1));
}

#[test]
fn the_first_trouble_of_a_server_is_told() {
    let well = json!({ "ready": true, "store": { "full": false, "start": { "missing": [] }, "backup": null },
        "runners": { "alive": 2 }, "taskFile": { "problems": [] } });
    let home = Home::new();
    for (path, value, code, words) in [
        ("/ready", json!(false), 1, "not ready"),
        ("/ready", json!(null), 1, "something else"),
        ("/store/full", json!(true), 1, "full"),
        ("/store/start/missing", json!(["task x"]), 1, "lost"),
        ("/store/backup", json!({ "error": "no room" }), 0, "no room"),
        ("/taskFile/problems", json!(["tasks/tasks.json:1:1: x"]), 0, "tasks.json:1:1"),
    ] {
        let mut ready = well.clone();
        *ready.pointer_mut(path).expect("it is there") = value;
        let web = Web::start(move |_| (200, "", ready.to_string()));
        let listen = web.url("").trim_start_matches("http://").to_owned();
        let mut command = home.command(&["doctor", "--quick"]);
        let output = command.env("ISOCHRON_LISTEN", listen).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(code) && text.contains(words), "{path}: {text}");
    }
}
