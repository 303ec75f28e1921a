//! Webhooks.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{FAILS, WORKS, delivered, server, watched};
use crate::harness::{Server, Web, WebRequest, id_of, until};

fn body(request: &WebRequest) -> Value {
    serde_json::from_str(&request.body).expect("JSON")
}

/// The verifier of `docs/alerts.md`, in Rust.
fn is_signed(request: &WebRequest, secret: &str) -> bool {
    let header = request.header("x-isochron-signature");
    let (time, given) =
        header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).expect("both parts");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(format!("{time}.{}", request.body).as_bytes());
    let bytes = data_encoding::HEXLOWER.decode(given.as_bytes()).expect("hexadecimal");
    mac.verify_slice(&bytes).is_ok()
}

#[test]
fn a_failing_task_tells_its_webhook_once_and_when_it_works_again() {
    let web = Web::start(|_| (200, "", "taken".to_owned()));
    let settings = format!(
        "[alerts.own]\nkind = \"webhook\"\nurl = \"{}\"\nsecret = \"s3cret\"\nbatch = 0",
        web.url("/hook")
    );
    let server = server(&settings);
    let task = watched(&server, "nightly", FAILS, "own");
    let failed = server.run(&task);
    server.run(&task);
    until("the failure is told", || (!web.seen().is_empty()).then_some(()));
    server.home.write("nightly", WORKS);
    server.run(&task);
    let all = delivered(&server, "own", 2);
    assert_eq!(
        all.iter().map(|it| it["kind"].as_str()).collect::<Vec<_>>(),
        [Some("recovery"), Some("failure")]
    );
    let seen = web.seen();
    assert_eq!(seen.len(), 2, "one failure and one recovery");
    assert!(seen.iter().all(|request| is_signed(request, "s3cret")) && !is_signed(&seen[0], "other"));
    let (failure, recovery) = (body(&seen[0]), body(&seen[1]));
    assert_eq!(failure["summary"], "nightly has failed: no luck");
    assert_eq!(failure["execution"]["execution"], failed["id"]);
    assert_eq!((&failure["task"]["id"], &failure["streak"]), (&json!(task), &json!(1)));
    assert_eq!(failure["output"][0]["message"], "line one");
    assert_eq!((&recovery["kind"], &recovery["follows"]), (&json!("recovery"), &failure["id"]));
    assert_eq!((&recovery["streak"], &recovery["sourceChanged"]), (&json!(2), &json!(null)));
    assert_eq!(seen[0].header("x-isochron-id"), failure["id"].as_str().expect("an id"));
    let attempt = &all[1]["attempts"][0];
    assert_eq!((&attempt["status"], &attempt["answer"]), (&json!(200), &json!("taken")));
}

#[test]
fn a_message_outlives_a_kill_and_keeps_its_id() {
    let status = Arc::new(AtomicU16::new(503));
    let web = Web::start({
        let status = status.clone();
        move |_| (status.load(Ordering::Relaxed), "", String::new())
    });
    let settings = format!("[alerts.own]\nkind = \"webhook\"\nurl = \"{}\"\nbatch = 0", web.url("/"));
    let mut server = server(&settings);
    let task = watched(&server, "nightly", FAILS, "own");
    server.run(&task);
    until("the first attempt", || (!web.seen().is_empty()).then_some(()));
    server.kill();
    status.store(200, Ordering::Relaxed);
    server.start_again();
    let all = delivered(&server, "own", 1);
    assert_eq!((&all[0]["status"], all.len()), (&json!("delivered"), 1));
    let ids: Vec<_> = web.seen().iter().map(|request| request.header("x-isochron-id").to_owned()).collect();
    assert!(ids.len() >= 2 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn a_channel_that_fails_is_known_to_fail_after_a_restart() {
    let status = Arc::new(AtomicU16::new(500));
    let web = Web::start({
        let status = status.clone();
        move |_| (status.load(Ordering::Relaxed), "", "no luck".to_owned())
    });
    let settings = format!("[alerts.own]\nkind = \"webhook\"\nurl = \"{}\"\nbatch = 0", web.url("/"));
    let mut server = server(&settings);
    let task = watched(&server, "nightly", FAILS, "own");
    server.run(&task);
    let until_failed = |server: &Server| {
        until("the channel has failed", || {
            let channel = server.client().get("/admin/alerts").expect(200)["channels"][0].clone();
            (channel["lastError"] == "status 500: no luck").then_some(())
        });
    };
    until_failed(&server);
    server.kill();
    // A further attempt would have another end.
    status.store(503, Ordering::Relaxed);
    server.start_again();
    until_failed(&server);
    assert_eq!(server.client().get("/admin/overview").expect(200)["alerts"]["troubled"], json!(["own"]));
}

#[test]
fn a_test_shows_the_answer_and_a_redirect_is_not_followed() {
    let web = Web::start(|request| match request.path.as_str() {
        "/moved" => (302, "location: /hook", String::new()),
        _ => (200, "", "hello".to_owned()),
    });
    let settings = format!(
        "[alerts.own]\nkind = \"webhook\"\nurl = \"{}\"\nheaders = {{ authorization = \"Bearer t0ken\" }}\n\
         body = '{{\"text\": {{{{ summary|tojson }}}}}}'\n\
         [alerts.moved]\nkind = \"slack\"\nurl = \"{}\"",
        web.url("/hook"),
        web.url("/moved")
    );
    let server = server(&settings);
    let test = |channel: &str| server.client().post("/admin/alerts/test", &json!({ "channel": channel }));
    let answer = test("own").expect(200);
    assert_eq!(
        (&answer["ok"], &answer["status"], &answer["answer"]),
        (&json!(true), &json!(200), &json!("hello"))
    );
    let seen = web.seen();
    assert_eq!(seen[0].header("authorization"), "Bearer t0ken");
    assert_eq!(body(&seen[0]), json!({ "text": "This is a test of the channel: it works." }));
    let moved = test("moved").expect(200);
    assert_eq!((&moved["ok"], &moved["status"]), (&json!(false), &json!(302)));
    assert_eq!(web.seen().len(), 2, "nothing was sent to the other address");
    let unknown = test("nobody").expect(400);
    assert!(unknown.to_string().contains("known are moved, own"), "{unknown}");
}

#[test]
fn channels_are_shown_without_their_secrets_and_a_mute_is_kept() {
    let web = Web::start(|_| (200, "", String::new()));
    let settings =
        format!("[alerts.own]\nkind = \"discord\"\nurl = \"{}\"\nbatch = 0", web.url("/s3cret-path"));
    let mut server = server(&settings);
    let until_then = 4_000_000_000_000_i64;
    let body = json!({ "until": until_then, "reason": "maintenance" });
    let muted = server.client().put("/admin/alerts/mute", &body).expect(200);
    assert_eq!((&muted["mute"]["until"], &muted["mute"]["tag"]), (&json!(until_then), &json!(null)));
    let task = watched(&server, "nightly", FAILS, "own");
    server.run(&task);
    let held = until("the message is held back", || {
        let list = server.client().get("/admin/alerts/deliveries?channel=own&status=held").expect(200);
        (list["deliveries"].as_array().map(Vec::len) == Some(1)).then_some(list)
    });
    assert_eq!(held["deliveries"][0]["summary"], "nightly has failed: no luck");
    server.kill();
    server.start_again();
    let state = server.client().get("/admin/alerts").expect(200);
    assert_eq!(state["mute"]["reason"], "maintenance");
    let channel = &state["channels"][0];
    assert_eq!(
        (&channel["kind"], &channel["place"], &channel["held"]),
        (&json!("discord"), &json!("127.0.0.1"), &json!(1))
    );
    assert_eq!(
        (&state["firing"][0]["taskId"], &state["firing"][0]["occasion"]),
        (&json!(task), &json!("failure"))
    );
    assert!(!state.to_string().contains("s3cret") && !server.log().contains("s3cret"));
    assert_eq!(web.seen().len(), 0);
    server.client().put("/admin/alerts/mute", &json!({ "until": null })).expect(200);
    delivered(&server, "own", 1);
    for (body, problem) in [
        (json!({}), "until"),
        (json!({ "until": 5 }), "time to come"),
        (json!({ "until": null, "for": 3 }), "is not known here"),
        (json!({ "until": null, "tag": "" }), "1 to 40"),
    ] {
        let refused = server.client().put("/admin/alerts/mute", &body).expect(400);
        assert!(refused.to_string().contains(problem), "{body}: {refused}");
    }
}

#[test]
fn a_task_is_refused_whose_alerts_go_to_no_channel() {
    let server = crate::harness::Server::start();
    server.home.write("nightly", WORKS);
    let body =
        crate::harness::task("nightly", "nightly", "@daily", &json!({ "alerts": [{ "channel": "ops" }] }));
    let refused = server.client().post("/admin/scheduler", &body).expect(400);
    assert!(refused.to_string().contains("alerts[0].channel"), "{refused}");
    let none = crate::harness::task("nightly", "nightly", "@daily", &json!({ "alerts": [] }));
    id_of(&server.client().post("/admin/scheduler", &none).expect(201)["task"]);
}
