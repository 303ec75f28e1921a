//! The lists of messages: those that wait, those that arrived, and whose they are.

use serde_json::{Value, json};

use super::{FAILS, delivered, watched, with_two_channels};
use crate::harness::{Client, Server, until};

/// Waits for the first attempt at the message to the channel that refuses.
fn until_refused(server: &Server) {
    until("the message is refused", || {
        let list = server.client().get("/admin/alerts/deliveries?channel=pager").expect(200);
        let attempts = list["deliveries"][0]["attempts"].as_array().map(Vec::len);
        attempts.is_some_and(|attempts| attempts > 0).then_some(())
    });
}

/// The channels and states of the messages of a list.
fn states(client: &Client, query: &str) -> Vec<(String, String)> {
    let list = client.get(&format!("/admin/alerts/deliveries{query}")).expect(200);
    let text = |message: &Value, name: &str| message[name].as_str().expect("a text").to_owned();
    let messages = list["deliveries"].as_array().expect("a list").iter();
    messages.map(|message| (text(message, "channel"), text(message, "status"))).collect()
}

#[test]
fn a_message_that_waits_is_in_the_list_of_all_and_is_not_called_delivered() {
    let (_web, server) = with_two_channels();
    let rules = json!([{ "channel": "ops" }, { "channel": "pager" }]);
    let task = server.create_dormant("nightly", FAILS, &json!({ "alerts": rules }));
    server.run(&task);
    delivered(&server, "ops", 1);
    until_refused(&server);
    let client = server.client();
    let (ops, pager) =
        (("ops".to_owned(), "delivered".to_owned()), ("pager".to_owned(), "pending".to_owned()));
    assert_eq!(states(client, ""), [pager.clone(), ops.clone()], "the newest first");
    assert_eq!(states(client, "?status=pending"), std::slice::from_ref(&pager), "of every channel");
    assert_eq!(states(client, "?status=delivered"), [ops]);
    assert_eq!(states(client, "?status=held"), []);
    let first = client.get("/admin/alerts/deliveries?limit=1").expect(200);
    let cursor = first["nextCursor"].as_str().expect("there is another page");
    let rest = states(client, &format!("?limit=1&cursor={cursor}"));
    assert_eq!(rest, [("ops".to_owned(), "delivered".to_owned())], "a page ends where the next begins");
    let alerts = client.get("/admin/alerts").expect(200);
    let mut firing: Vec<_> = alerts["firing"].as_array().expect("a list").iter().collect();
    firing.sort_by_key(|firing| firing["channel"].to_string());
    let shown: Vec<_> = firing.iter().map(|firing| &firing["delivery"]).collect();
    assert_eq!(shown, ["delivered", "pending"]);
}

#[test]
fn a_token_for_some_handlers_sees_the_figures_of_its_own_messages_alone() {
    let (_web, server) = with_two_channels();
    let secretive = watched(&server, "secretive", FAILS, "pager");
    server.run(&secretive);
    until_refused(&server);
    let body = json!({ "name": "bound", "role": "viewer", "handlers": ["greet"] });
    let made = server.client().post("/admin/tokens", &body).expect(201);
    let bound = server.client().with(made["token"].as_str().expect("a token"));
    let pager = |client: &Client| {
        let channels = client.get("/admin/alerts").expect(200)["channels"].take();
        let pager = channels.as_array().expect("a list").iter().find(|one| one["name"] == "pager").cloned();
        pager.expect("the channel")
    };
    assert_eq!(pager(server.client())["pending"], 1);
    let seen = pager(&bound);
    assert_eq!(
        (&seen["pending"], &seen["lastFailed"], &seen["lastError"]),
        (&json!(0), &json!(null), &json!(null))
    );
    let own = watched(&server, "greet", FAILS, "pager");
    server.run(&own);
    let seen =
        until("its own message is counted", || Some(pager(&bound)).filter(|seen| seen["pending"] == 1));
    assert_eq!(seen["lastDelivered"], json!(null));
}
