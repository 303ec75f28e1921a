//! Alerts: a person on call, the channels, the rules of a task.

use serde_json::json;

use super::{Browser, visit};
use crate::{
    alerts::with_two_channels,
    harness::{Server, id_of, until},
};

const FAILS: &str = "module.exports = (params) => { if (params.ok) return 1; console.error('no luck'); throw new Error('the disk is full'); };";

/// The handler as it was before.
const WORKED: &str = "module.exports = () => 1;";

fn is_delivered(server: &Server, channel: &str) {
    until("a message is delivered", || {
        let path = format!("/admin/alerts/deliveries?channel={channel}&status=delivered");
        let list = server.client().get(&path).expect(200);
        list["deliveries"].as_array().filter(|list| !list.is_empty()).map(drop)
    });
}

#[test]
fn nobody_is_told_until_a_channel_is_named() {
    let server = Server::start();
    let Some(browser) = visit("no-alerts", &server, "/tasks") else { return };
    browser.click("link", "Alerts");
    browser.until_text("Nobody is told yet");
    browser.look("page");
}

#[test]
fn a_person_on_call_goes_from_an_alert_to_the_cause_on_a_phone() {
    let (_web, server) = with_two_channels();
    let rules = json!([{ "channel": "ops" }, { "channel": "pager" }]);
    let id = server.create_dormant("nightly", WORKED, &json!({ "alerts": rules }));
    let first = server.run(&id);
    server.home.write("nightly", FAILS);
    let second = server.run(&id);
    let execution = second["id"].as_str().expect("an id").to_owned();
    is_delivered(&server, "ops");
    // Versions are noted beside the runs.
    for run in [&first, &second] {
        let path = format!("/admin/sources/{}", run["handlerHash"].as_str().expect("a hash"));
        until("its version is noted", || (server.client().get(&path).status == 200).then_some(()));
    }
    let Some(browser) = Browser::open("on-call", &server) else { return };
    browser.resize(360, 740);
    // The link of the message.
    browser.go(&format!("/executions/{execution}"));
    browser.log_in(server.client().token());
    browser.until_text("the disk is full");
    browser.until_text("no luck");
    browser.picture("run");
    // The handler has changed since the last success: the likeliest cause.
    browser.click("link", "see the changes");
    browser.until_text("lines added: 1, removed: 1");
    browser.until_text("the disk is full");
    browser.look("changes");
    browser.resize(360, 740);
    browser.back();
    browser.click("link", "Run again…");
    browser.fill("Parameters", "{\"ok\": true}");
    browser.picture("rerun");
    browser.click("button", "Run now");
    browser.until_text("Completed");
    browser.click("link", "nightly");
    browser.until_text("nightly has failed: the disk is full");
    browser.picture("task");
    browser.click("button", "Pause");
    browser.until_text("paused successfully");
}

#[test]
fn alerts_tell_the_messages_and_the_channels_and_are_muted() {
    let (_web, server) = with_two_channels();
    let rules = json!([{ "channel": "ops" }, { "channel": "pager" }]);
    let id = server.create_dormant("nightly", FAILS, &json!({ "alerts": rules }));
    server.run(&id);
    is_delivered(&server, "ops");
    let Some(browser) = visit("alerts", &server, "/alerts") else { return };
    browser.until_text("nightly fails");
    browser.until_text("there is no such hook");
    browser.look("page");
    browser.click("button", "Test ops");
    browser.until_text("ops has taken the test");
    browser.until_text("taken");
    browser.go("/alerts");
    browser.click("button", "Test pager");
    browser.until_text("pager has not taken the test");
    browser.look("refused");
    browser.go("/alerts?channel=pager&status=pending");
    browser.until_text("next attempt");
    browser.click("link", "Mute…");
    browser.fill("For", "4 hours");
    browser.fill("Why", "the disk is being changed");
    browser.look("mute");
    browser.click("button", "Mute");
    browser.until_text("All messages are held back");
    browser.until_text("the disk is being changed");
    assert!(server.client().get("/admin/alerts").expect(200)["mute"]["until"].is_number());
    browser.click("button", "End the mute");
    browser.until_no_text("All messages are held back");
    // A task that works again is told while the page is open.
    browser.until_live();
    server.run_with(&id, &json!({ "ok": true }));
    browser.until_text("No alert lasts");
}

#[test]
fn rules_of_alerts_are_set_in_the_form_of_a_task() {
    let (_web, server) = with_two_channels();
    server.home.write("nightly", FAILS);
    let Some(browser) = visit("rules", &server, "/tasks/new") else { return };
    browser.fill("Name", "Nightly");
    browser.fill("Handler", "nightly");
    browser.fill("Schedule", "0 0 1 1 *");
    browser.click_css("input[name=alertsOf][value=own]");
    browser.click("button", "Create task");
    browser.until_text("needs a rule with a channel");
    browser.fill("Channel", "ops");
    browser.fill("Failures or skips in a row", "often");
    browser.click("button", "Another rule");
    browser.until_text("Rule 1");
    browser.until_text("A new rule");
    browser.click("button", "Create task");
    browser.until_text("must be a whole number");
    browser.fill("Failures or skips in a row", "3");
    browser.click_css("input[name='alerts[0].on.missed']");
    browser.click("button", "Create task");
    browser.until_text("is required by \"missed\"");
    browser.look("form");
    browser.fill("A success is due within", "26 h");
    browser.click("button", "Create task");
    browser.until_text("created successfully");
    browser.until_text("ops hears that it fails, has recovered");
    let task = id_of(&server.client().get("/admin/scheduler").expect(200)["tasks"][0]);
    let rule = json!([{ "channel": "ops", "on": ["failure", "recovery", "missed"], "after": 3,
        "autoPause": false, "silence": 93_600_000 }]);
    assert_eq!(server.task(&task)["alerts"], rule);
    browser.click("link", "Edit");
    browser.fill("Channel", "none");
    browser.click_css("input[name=alertsOf][value=none]");
    browser.click("button", "Save");
    browser.until_text("updated successfully");
    assert_eq!(server.task(&task)["alerts"], json!([]));
}
