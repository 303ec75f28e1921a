//! The matrix of roles: every route, asked by everybody.

use serde_json::json;

use super::{client_as, make_token};
use crate::harness::{Client, Server, until};

/// A row of the table of routes.
struct Route {
    method: String,
    path: String,
    /// The least role; empty: none.
    role: String,
}

/// Every route, from the table that the documentation shows.
fn routes() -> Vec<Route> {
    let table = isochron::api::reference();
    let rows: Vec<Route> = table
        .lines()
        .filter_map(|line| {
            let (method, rest) = line.strip_prefix("| `")?.split_once(' ')?;
            let (path, rest) = rest.split_once("` | ")?;
            let role = rest.split_once(" | ")?.0.trim_matches('–');
            Some(Route { method: method.to_owned(), path: path.to_owned(), role: role.to_owned() })
        })
        .collect();
    assert!(rows.len() > 40, "the table has no rows: {table}");
    rows
}

impl Route {
    /// The path with names of things that are not there.
    fn address(&self) -> String {
        let none = "01hzzzzzzzzzzzzzzzzzzzzzzz";
        let path = match self.path.as_str() {
            path if path.contains("/executions/{id}") => path.replace("{id}", &format!("exec-{none}")),
            path if path.contains("/tokens/{id}") => path.replace("{id}", &format!("token-{none}")),
            path => path.replace("{id}", &format!("task-{none}")),
        };
        let path = path.replace("{execution}", &format!("exec-{none}"));
        path.split('/')
            .map(|part| if part.starts_with('{') { "nothing" } else { part })
            .collect::<Vec<_>>()
            .join("/")
    }

    /// Whether the answer is no JSON with an end.
    fn is_stream(&self) -> bool {
        self.path.ends_with("/events") || self.path == "/metrics"
    }

    fn ask(&self, client: &Client) -> u16 {
        client.send(client.request(&self.method, &self.address()), "").status
    }
}

const ROLES: [&str; 4] = ["viewer", "operator", "editor", "admin"];

fn rank(role: &str) -> usize {
    ROLES.iter().position(|known| *known == role).expect("a role")
}

#[test]
fn every_route_lets_in_its_role_and_those_above_and_nobody_else() {
    let server = Server::start();
    let admin = server.client();
    let clients = ROLES.map(|role| client_as(admin, role));
    for route in routes() {
        let name = format!("{} {}", route.method, route.path);
        if route.role.is_empty() {
            let anonymous = client_without(admin, &route, None);
            assert!(![401, 403].contains(&anonymous), "{name}: {anonymous}");
            continue;
        }
        assert_eq!(client_without(admin, &route, None), 401, "{name} without a token");
        for (role, client) in ROLES.iter().zip(&clients) {
            if rank(role) < rank(&route.role) {
                let answer = client.send(client.request(&route.method, &route.address()), "");
                assert_eq!(answer.status, 403, "{name} as {role}: {}", answer.body);
                let message = format!("The role {} is needed; the token has the role {role}", route.role);
                assert_eq!(answer.body["message"], message, "{name}");
            } else if !route.is_stream() {
                let status = route.ask(client);
                assert!(![401, 403, 405, 500].contains(&status), "{name} as {role}: {status}");
            }
        }
    }
}

/// Asks without a token, perhaps with a cookie and an origin.
fn client_without(client: &Client, route: &Route, session: Option<(&str, &str)>) -> u16 {
    let mut request = client.anonymous(&route.method, &route.address());
    if let Some((cookie, origin)) = session {
        request = request.header("cookie", cookie).header("origin", origin);
    }
    client.send(request, "").status
}

#[test]
fn no_route_lets_in_a_token_that_was_taken_back_or_has_expired_or_a_change_of_another_site() {
    let server = Server::start();
    let admin = server.client();
    let (taken, id) = make_token(admin, &json!({ "name": "taken", "role": "admin" }));
    admin.delete(&format!("/admin/tokens/{id}")).expect(200);
    let mut tries = 0;
    let expired = until("a token is made that ends at once", || {
        tries += 1;
        let clock = json!({ "name": format!("clock {tries}"), "role": "viewer" });
        let made = admin.post("/admin/tokens", &clock).expect(201);
        let end = made["record"]["createdAt"].as_i64().expect("a time") + 500;
        let body = json!({ "name": format!("short {tries}"), "role": "admin", "expiresAt": end });
        let made = admin.post("/admin/tokens", &body);
        // The end may have passed before the request came.
        (made.status == 201).then(|| admin.with(made.expect(201)["token"].as_str().expect("a text")))
    });
    until("it expires", || (expired.get("/admin/me").status == 401).then_some(()));
    let opened = admin.post("/admin/sessions", &json!({}));
    let cookie = opened.header("set-cookie").split(';').next().expect("a pair").to_owned();
    for route in routes().iter().filter(|route| !route.role.is_empty()) {
        let name = format!("{} {}", route.method, route.path);
        // Ten failures within a minute are answered 429: not let in either.
        for client in [&expired, &admin.with(&taken)] {
            let status = route.ask(client);
            assert!([401, 429].contains(&status), "{name}: {status}");
        }
        if route.method != "GET" {
            let status = client_without(admin, route, Some((&cookie, "https://evil.example")));
            assert_eq!(status, 403, "{name} from another site");
        }
    }
}

#[test]
fn a_token_that_is_bound_to_handlers_has_no_route_to_other_tasks() {
    let server = Server::start();
    let admin = server.client();
    let body = json!({ "name": "bound", "role": "admin", "handlers": ["reports/*"] });
    let bound = admin.with(&make_token(admin, &body).0);
    let open = [
        "/admin/me",
        "/admin/sessions",
        "/admin/handlers",
        "/admin/scheduler",
        "/admin/scheduler/bulk",
        "/admin/schedule/preview",
        "/admin/upcoming",
        "/admin/timeline",
        "/admin/executions",
        "/admin/search",
        "/admin/alerts",
        "/admin/alerts/deliveries",
    ];
    for route in routes().iter().filter(|route| !route.role.is_empty() && !route.is_stream()) {
        let name = format!("{} {}", route.method, route.path);
        let status = route.ask(&bound);
        let is_of_a_task = ["{id}", "{execution}"].iter().any(|part| route.path.contains(part));
        let expected: &[u16] = match route.path.as_str() {
            path if ["/admin/tokens", "/admin/bundles", "/admin/nodes"]
                .iter()
                .any(|p| path.starts_with(p)) =>
            {
                &[403]
            }
            path if is_of_a_task => {
                if path.contains("/kv/{") {
                    &[404, 415]
                } else {
                    &[404]
                }
            }
            path if open.contains(&path) => &[200, 201, 400, 415],
            _ => &[403, 400, 404],
        };
        assert!(expected.contains(&status), "{name}: {status}");
    }
}
