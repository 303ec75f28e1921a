//! Sessions: a browser logs in with a token and then brings a cookie.

use serde_json::json;

use super::{client_as, make_token};
use crate::harness::{Answer, Client, Options, Server};

/// Opens a session: the pair for the `Cookie` header.
fn log_in(client: &Client) -> String {
    let answer = client.post("/admin/sessions", &json!({}));
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.header("set-cookie").split(';').next().expect("a pair").to_owned()
}

/// Sends a request with a cookie, as a browser's page at `origin` does.
fn ask(client: &Client, method: &str, path: &str, cookie: &str, origin: Option<&str>) -> Answer {
    let mut request = client.anonymous(method, path).header("cookie", cookie);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    client.send(request, "")
}

#[test]
fn a_browser_with_the_cookie_has_the_rights_of_the_token_until_it_logs_out() {
    let server = Server::start();
    let client = client_as(server.client(), "viewer");
    let answer = client.post("/admin/sessions", &json!({}));
    let line = answer.header("set-cookie");
    for part in ["isochron=", "; HttpOnly", "; SameSite=Strict", "; Path=/;", "; Max-Age=604800"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!line.contains("Secure"), "the server listens on this machine only: {line}");
    let cookie = line.split(';').next().expect("a pair");
    let me = ask(&client, "GET", "/admin/me", cookie, None).expect(200);
    assert_eq!(
        (&me["name"], &me["role"], &me["via"]),
        (&json!("the viewer"), &json!("viewer"), &json!("session"))
    );
    assert_eq!(ask(&client, "GET", "/admin/secrets", cookie, None).status, 403);

    let out = ask(&client, "DELETE", "/admin/sessions/current", cookie, None);
    assert_eq!(out.status, 200, "{}", out.body);
    assert!(
        out.header("set-cookie").contains("isochron=; ") && out.header("set-cookie").contains("Max-Age=0")
    );
    assert!(out.header("clear-site-data").contains("cookies"));
    assert_eq!(ask(&client, "GET", "/admin/me", cookie, None).status, 401);
}

#[test]
fn a_change_that_another_site_asks_for_is_refused_unless_it_brings_a_token() {
    let server = Server::start();
    let client = server.client();
    let cookie = log_in(client);
    let own = format!("http://{}", client.address());
    let send = |origin: Option<&str>| ask(client, "DELETE", "/admin/sessions/session-x", &cookie, origin);
    let refused = send(Some("https://evil.example"));
    assert_eq!(refused.status, 403);
    assert!(refused.body["message"].as_str().is_some_and(|m| m.contains("another site")), "{}", refused.body);
    assert_eq!(refused.body["error"], true);
    assert!(refused.body["requestId"].is_string());
    let site = client.anonymous("DELETE", "/admin/sessions/session-x").header("cookie", &cookie);
    assert_eq!(client.send(site.header("sec-fetch-site", "cross-site"), "").status, 403);
    for origin in [None, Some(own.as_str())] {
        assert_eq!(send(origin).status, 404, "{origin:?}");
    }
    assert_eq!(
        ask(client, "GET", "/admin/me", &cookie, Some("https://evil.example")).status,
        200,
        "no change"
    );
    let with_token = client.request("POST", "/admin/sessions").header("origin", "https://elsewhere.example");
    assert_eq!(client.send(with_token, "").status, 201);
}

#[test]
fn below_a_public_path_the_cookie_is_secure_and_for_that_path_and_both_paths_work() {
    let server = Options::default().set("PUBLIC_URL", "https://ops.example.com/a/isochron").start();
    let client = server.client();
    let answer = client.post("/a/isochron/admin/sessions", &json!({}));
    let line = answer.header("set-cookie");
    assert!(line.contains("; Path=/a/isochron;") && line.contains("; Secure"), "{line}");
    let cookie = line.split(';').next().expect("a pair");
    for path in ["/a/isochron/admin/me", "/admin/me"] {
        assert_eq!(ask(client, "GET", path, cookie, None).status, 200, "{path}");
    }
    let path = "/admin/sessions/session-x";
    assert_eq!(ask(client, "DELETE", path, cookie, Some("https://ops.example.com")).status, 404);
    assert_eq!(ask(client, "DELETE", path, cookie, Some("http://ops.example.com")).status, 403);
    let made = client.post("/admin/tokens", &json!({ "name": "x", "role": "viewer" }));
    assert!(made.header("location").starts_with("/a/isochron/admin/tokens/token-"), "{}", made.body);
}

#[test]
fn sessions_go_on_over_a_restart_and_end_with_their_token() {
    let mut server = Server::start();
    let (token, id) = make_token(server.client(), &json!({ "name": "anna", "role": "editor" }));
    let cookie = log_in(&server.client().with(&token));
    server.kill();
    server.start_again();
    let client = server.client();
    assert_eq!(ask(client, "GET", "/admin/me", &cookie, None).expect(200)["name"], "anna");
    client.delete(&format!("/admin/tokens/{id}")).expect(200);
    assert_eq!(ask(client, "GET", "/admin/me", &cookie, None).status, 401);
    assert_eq!(client.with(&token).get("/admin/me").status, 401);
}

#[test]
fn everybody_sees_and_ends_the_own_sessions_and_an_admin_all() {
    let server = Server::start();
    let admin = server.client();
    let viewer = client_as(admin, "viewer");
    let (own, other) = (log_in(&viewer), log_in(admin));
    let seen = viewer.get("/admin/sessions").expect(200);
    assert_eq!((&seen["total"], &seen["sessions"][0]["token"]), (&json!(1), &json!("the viewer")));
    let all = admin.get("/admin/sessions").expect(200);
    assert_eq!(all["total"], 2);
    let foreign = all["sessions"].as_array().expect("a list").iter().find(|s| s["token"] == "config");
    let foreign = foreign.expect("the admin's")["id"].as_str().expect("an id").to_owned();
    assert_eq!(viewer.delete(&format!("/admin/sessions/{foreign}")).status, 404);
    assert_eq!(viewer.delete("/admin/sessions").expect(200)["ended"], 1);
    assert_eq!(ask(admin, "GET", "/admin/me", &own, None).status, 401);
    assert_eq!(ask(admin, "GET", "/admin/me", &other, None).status, 200);
    assert!(
        !all.to_string().contains(own.strip_prefix("isochron=").expect("a pair")),
        "the cookie comes back"
    );
}
