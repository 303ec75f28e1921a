//! Tokens: made, used, rotated, taken back; and wrong ones.

use serde_json::{Value, json};

use super::{client_as, make_token};
use crate::harness::{Options, Server};

/// A time to come, in epoch milliseconds.
const FAR: i64 = 4_000_000_000_000;

#[test]
fn a_token_is_shown_once_and_works_until_it_is_taken_back() {
    let server = Server::start();
    let admin = server.client();
    let body = json!({ "name": "ci", "role": "operator", "handlers": ["reports/*"], "expiresAt": FAR });
    let (token, id) = make_token(admin, &body);
    assert!(token.len() == 53 && token.starts_with("iso_"), "{token}");
    let client = admin.with(&token);
    let me = client.get("/admin/me").expect(200);
    assert_eq!((&me["id"], &me["role"], &me["via"]), (&json!(id), &json!("operator"), &json!("token")));
    assert_eq!((&me["handlers"], &me["expiresAt"]), (&json!(["reports/*"]), &json!(FAR)));
    let listed = admin.get("/admin/tokens").expect(200);
    let first = &listed["tokens"][0];
    assert_eq!(
        (&first["name"], &first["createdBy"], &first["lastAddress"]),
        (&json!("ci"), &json!("config"), &json!("127.0.0.1"))
    );
    assert!(first["lastUsedAt"].is_i64(), "{first}");
    assert!(!listed.to_string().contains(&token) && !server.log().contains(&token));
    admin.delete(&format!("/admin/tokens/{id}")).expect(200);
    assert_eq!(client.get("/admin/me").status, 401);
    assert_eq!(admin.delete(&format!("/admin/tokens/{id}")).status, 404);
}

#[test]
fn a_rotated_token_works_on_for_the_overlap_only() {
    let server = Server::start();
    let admin = server.client();
    let (old, id) = make_token(admin, &json!({ "name": "ci", "role": "viewer" }));
    let rotate = |body: Value| {
        let answer = admin.post(&format!("/admin/tokens/{id}/actions/rotate"), &body).expect(200);
        answer["token"].as_str().expect("a text").to_owned()
    };
    let new = rotate(json!({ "overlap": 600_000 }));
    for token in [&old, &new] {
        assert_eq!(admin.with(token).get("/admin/me").expect(200)["name"], "ci");
    }
    let newest = rotate(json!({}));
    assert_eq!(admin.with(&new).get("/admin/me").status, 401);
    assert_eq!(admin.with(&newest).get("/admin/me").status, 200);
    let wrong = admin.post(&format!("/admin/tokens/{id}/actions/rotate"), &json!({ "overlap": 604_800_001 }));
    assert_eq!(wrong.status, 400);
}

#[test]
fn a_wrong_field_of_a_new_token_is_named() {
    let server = Options::default().set("TOKENS__MAX_AGE", "3600000").start();
    let admin = server.client();
    let problem = |body: Value| {
        let answer = admin.post("/admin/tokens", &body);
        assert_eq!(answer.status, 400, "{}", answer.body);
        answer.body["message"].as_str().expect("a text").to_owned()
    };
    for (body, part) in [
        (json!({}), "name is required; role is required"),
        (json!({ "name": "a", "role": "root" }), "role must be"),
        (json!({ "name": "a", "role": "viewer", "expiresAt": 5 }), "expiresAt must be a time to come"),
        (json!({ "name": "a", "role": "viewer", "expiresAt": FAR }), "tokens.maxAge is set"),
        (json!({ "name": "a", "role": "viewer", "handlers": ["/x"] }), "is no pattern: a pattern is"),
        (json!({ "name": "config", "role": "viewer" }), "name must not be \"config\""),
        (json!({ "name": "a", "role": "viewer", "scope": [] }), "scope"),
    ] {
        let message = problem(body);
        assert!(message.contains(part), "{message}");
    }
    let made = admin.post("/admin/tokens", &json!({ "name": "a", "role": "viewer" })).expect(201);
    assert!(made["record"]["expiresAt"].is_i64(), "tokens.maxAge ends it");
    assert_eq!(admin.post("/admin/tokens", &json!({ "name": "a", "role": "viewer" })).status, 409);
    let (token, _) = make_token(admin, &json!({ "name": "b", "role": "viewer" }));
    assert!(!admin.with(&token).get("/admin/me").header("x-token-expires-at").is_empty());
}

#[test]
fn only_admins_make_tokens() {
    let server = Server::start();
    for role in ["viewer", "operator", "editor"] {
        let client = client_as(server.client(), role);
        let answer = client.post("/admin/tokens", &json!({ "name": "mine", "role": "viewer" }));
        assert_eq!(answer.status, 403);
        let message = format!("The role admin is needed; the token has the role {role}");
        assert_eq!(answer.body["message"], message);
    }
}

#[test]
fn after_ten_wrong_tokens_within_a_minute_an_address_must_wait_but_a_right_token_passes() {
    let server = Options::default().set("TRUSTED_PROXIES", "127.0.0.1").start();
    let client = server.client();
    let wrong = |address: &str| {
        let request = client.anonymous("GET", "/admin/me").header("x-forwarded-for", address);
        client.send(request.header("authorization", "Bearer wrong-token-wrong-token"), "")
    };
    for _ in 0..10 {
        assert_eq!(wrong("192.0.2.1").status, 401);
    }
    let refused = wrong("192.0.2.1");
    assert_eq!(refused.status, 429, "{}", refused.body);
    let seconds: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&seconds));
    assert_eq!(wrong("192.0.2.2").status, 401, "another address may try");
    let right = client.request("GET", "/admin/me").header("x-forwarded-for", "192.0.2.1");
    assert_eq!(client.send(right, "").status, 200);
}

#[test]
fn a_mistyped_token_is_told_from_an_unknown_one() {
    let server = Server::start();
    let (token, _) = make_token(server.client(), &json!({ "name": "ci", "role": "viewer" }));
    let answer = server.client().with(&token[..52]).get("/admin/me");
    assert_eq!(answer.status, 401);
    assert!(answer.body["message"].as_str().is_some_and(|m| m.contains("mistyped")), "{}", answer.body);
    assert!(!answer.body.to_string().contains(&token[..52]));
}
