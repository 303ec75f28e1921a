//! Contents: pages show the state of alerts, the chosen columns, the predecessor, and fates that are alike
//! in one line.

use std::fs;

use serde_json::json;

use super::{Visitor, text_of};
use crate::harness::{Home, Options, Server, Web, task, until};

#[test]
fn the_overview_tells_of_alerts_that_last_and_of_channels_that_fail() {
    let web = Web::start(|_| (404, "", "there is no such hook".to_owned()));
    let home = Home::new();
    let settings = format!("[alerts.pager]\nkind = \"webhook\"\nurl = \"{}\"\nbatch = 0\n", web.url("/hook"));
    fs::write(home.path().join("isochron.toml"), settings).expect("the settings written");
    let server = Options::default().start_in(home).expect("it starts");
    let visitor = Visitor::log_in(&server, server.client().token());
    let (_, html) = visitor.get("/");
    assert!(text_of(&html).contains("Alerts that last 0 every message is delivered"), "{}", text_of(&html));
    let rules = json!({ "alerts": [{ "channel": "pager" }] });
    let id = server.create_dormant("fails", "module.exports = () => { throw new Error('no') }", &rules);
    server.run(&id);
    until("the channel is troubled", || {
        let alerts = server.client().get("/admin/overview").expect(200)["alerts"].take();
        (alerts["firing"] == 1 && alerts["troubled"] == json!(["pager"])).then_some(())
    });
    let (_, html) = visitor.get("/");
    assert!(text_of(&html).contains("Alerts that last 1 failing channels: pager"), "{}", text_of(&html));
}

#[test]
fn the_columns_of_runs_are_chosen_and_stay_in_every_link_of_the_list() {
    let server = Server::start();
    let id = server.create_dormant("greet", "module.exports = () => 1", &json!({}));
    let run = server.run(&id)["id"].as_str().expect("an id").to_owned();
    let visitor = Visitor::log_in(&server, server.client().token());
    let headings = |html: &str| {
        let from = html.split_once("<thead>").expect("a table").1.split_once("</thead>").expect("an end").0;
        text_of(from)
    };
    let (_, html) = visitor.get("/executions");
    assert_eq!(headings(&html), "Task Outcome Start Duration Late Started");
    let (_, html) = visitor.get("/executions?column=duration&column=id&status=completed");
    assert_eq!(headings(&html), "Task Duration Id");
    assert!(text_of(&html).contains(&run), "the cell of the id");
    assert!(
        html.contains("status=failed&#38;column=duration&#38;column=id")
            || html.contains("column=duration&#38;column=id&#38;status=failed"),
        "{html}"
    );
    assert_eq!(html.matches("name=\"column\"").count(), 8);
}

#[test]
fn every_page_refuses_what_its_address_cannot_mean_and_says_what_it_can() {
    let server = Server::start();
    let id = server.create_dormant("greet", "module.exports = () => 1", &json!({}));
    let visitor = Visitor::log_in(&server, server.client().token());
    let why = format!("/tasks/{id}/why?day=soon");
    for (page, said) in [
        ("/executions?column=nonsense", "column must be one of outcome, start,"),
        ("/executions?status=nonsense", "status must be one of"),
        ("/executions?since=ever", "since must be a whole number from 1 to 8784"),
        ("/tasks?status=nonsense", "status must be one of"),
        ("/tasks?page=-1", "page is not known here; known are status, handler"),
        ("/tasks?skip=-1", "skip must be a whole number"),
        ("/calendar?month=nonsense", "month must be a month such as 2026-11"),
        ("/timeline?from=yesterday", "from must be a whole number"),
        ("/audit?action=nonsense", "action"),
        ("/alerts?status=nonsense", "status must be one of"),
        (&why, "day must be a day such as 2026-11-28"),
    ] {
        let (status, html) = visitor.get(page);
        assert_eq!(status, 400, "{page}");
        assert!(text_of(&html).contains(said), "{page}: {}", text_of(&html));
    }
}

#[test]
fn marks_that_turn_the_writing_are_seen_on_pages_and_stay_in_what_a_form_sends_back() {
    let server = Server::start();
    let source = "module.exports = () => { console.log('pay\\u202egpj.exe'); return { '\\u2066k': 1 }; }";
    let more = json!({ "description": "a\u{202e}b", "params": { "\u{202e}key": "\u{200f}value" } });
    let id = server.create_dormant("greet", source, &more);
    let run = server.run(&id)["id"].as_str().expect("an id").to_owned();
    let visitor = Visitor::log_in(&server, server.client().token());
    for page in [format!("/tasks/{id}"), format!("/executions/{run}"), format!("/tasks/{id}/run")] {
        let (_, html) = visitor.get(&page);
        assert!(!html.contains(['\u{202e}', '\u{2066}', '\u{200f}']), "{page}: {html}");
        assert!(html.contains("\\u202e"), "{page}: {html}");
    }
    let (_, html) = visitor.get(&format!("/tasks/{id}/edit"));
    assert!(html.contains("value=\"a&#8238;b\""), "the description is not changed by a save: {html}");
}

#[test]
fn a_task_names_its_predecessor_to_those_who_may_see_it() {
    let server = Server::start();
    for name in ["greet", "secretive"] {
        server.home.write(name, "module.exports = () => 1");
    }
    let first = server.create(&task("First of all", "secretive", "@daily", &json!({ "recurring": true })));
    let second = server.create(&json!({ "name": "Second", "description": "", "handler": "greet",
        "after": { "taskId": first, "on": "failure" } }));
    let page = format!("/tasks/{second}");
    let admin = Visitor::log_in(&server, server.client().token());
    let (_, html) = admin.get(&page);
    assert!(
        text_of(&html).contains("Runs after First of all , when that one has failed"),
        "{}",
        text_of(&html)
    );
    let bound = Visitor::with_role(&server, "viewer", &json!(["greet"]));
    let (_, html) = bound.get(&page);
    let text = text_of(&html);
    assert!(text.contains("Runs after a task that you may not see, when that one has failed"), "{text}");
    assert!(!html.contains(&first) && !text.contains("First of all"), "{html}");
}

#[test]
fn equal_fates_that_follow_each_other_are_one_line_with_their_number() {
    let server = Server::start();
    let more = json!({ "recurring": true, "overlap": "allow", "misfire": "all" });
    server.home.write("quick", "module.exports = () => 1");
    let id = server.create(&task("Quick pulse", "quick", "every 100ms", &more));
    server.until_rows(&id, "completed", 5);
    server.act(&id, "pause").expect(200);
    server.until_status(&id, "paused");
    let visitor = Visitor::log_in(&server, server.client().token());
    let explained = server.client().get(&format!("/admin/scheduler/{id}/explain")).expect(200);
    let completed = explained["times"].as_array().expect("a list").iter();
    let completed = completed.filter(|time| time["outcome"] == "completed").count();
    assert!(completed >= 5, "{explained}");
    let (status, html) = visitor.get(&format!("/tasks/{id}/why"));
    assert_eq!(status, 200);
    let rows = html.matches("<tr data-row").count();
    assert!(rows < completed, "{rows} rows of {completed} times: {html}");
    assert!(text_of(&html).contains("Completed × "), "{}", text_of(&html));
    assert!(text_of(&html).contains("Each of the "), "{}", text_of(&html));
    let links = html.matches("/executions/exec-").count();
    assert!(links >= completed, "every run has its link: {links}");
}

#[test]
fn a_page_names_the_last_event_before_it_so_that_later_ones_are_told() {
    let server = Server::start();
    let visitor = Visitor::log_in(&server, server.client().token());
    let (_, html) = visitor.get("/tasks");
    let heard = html.split("data-heard=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    let id = server.create_dormant("made-meanwhile", "module.exports = () => 1", &json!({}));
    let mut stream = server.client().open(&format!("/admin/events?lastEventId={heard}&type=task-created"));
    let told = stream.until("task-created");
    assert_eq!((told.len(), &told[0].data["taskId"]), (1, &json!(id)));
}
