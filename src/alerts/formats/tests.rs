//! The bodies of each kind of channel.

use serde_json::{Value, json};
use ulid::Ulid;

use super::*;
use crate::{
    alerts::message::Links,
    domain::{
        alerts::{Alert, AlertId, Cause, Kind, Subject},
        execution::{Level, Line, Reason, Trigger},
        ids::{ExecutionId, TaskId},
    },
};

const NOW: Millis = 1_772_445_600_000;

fn message(public_url: Option<&str>) -> Message {
    let alert = Alert {
        id: AlertId(Ulid(3)),
        channel: "own".to_owned(),
        kind: Kind::Failure,
        time: NOW,
        task: Some(Subject {
            id: TaskId(Ulid(1)),
            name: "nightly <b>".to_owned(),
            handler: "reports/sales".to_owned(),
            tags: vec!["db".to_owned()],
        }),
        cause: Some(Cause {
            execution: ExecutionId(Ulid(2)),
            reason: Some(Reason::Exception),
            trigger: Trigger::Schedule,
            error: Some("no \"luck\"\nat line 3".to_owned()),
            attempt: 2,
            scheduled_for: NOW - 1000,
            start_time: Some(NOW - 900),
            duration: Some(900),
        }),
        since: Some(NOW),
        count: 3,
        p50: Some(120),
        source_changed: Some(true),
        follows: None,
        reminder: false,
        paused: false,
        lines: Vec::new(),
    };
    let line = |n: usize| Line { time: NOW, level: Level::Log, message: format!("line {n} ```") };
    Message::new(&alert, (0..25).map(line).collect(), "box", &Links::new(public_url))
}

fn body(outgoing: &Outgoing) -> Value {
    serde_json::from_slice(outgoing.body.as_ref().expect("a body")).expect("JSON")
}

fn header<'a>(outgoing: &'a Outgoing, name: &str) -> Option<&'a str> {
    let found = outgoing.headers.iter().find(|(given, _)| given == name);
    found.map(|(_, value)| std::str::from_utf8(value).expect("text"))
}

fn webhook(secret: Option<&str>, body: Option<&str>) -> webhook::Webhook {
    webhook::Webhook {
        url: "https://own.example/hook".to_owned(),
        secret: secret.map(str::to_owned),
        headers: vec![("X-Own".to_owned(), b"1".to_vec())],
        body: body.map(|body| template::Template::parse(body).expect("a template")),
    }
}

#[test]
fn a_webhook_gets_everything_that_is_known() {
    let sent =
        webhook(None, None).request(&message(Some("https://ops.example/iso/")), NOW).expect("a request");
    let body = body(&sent);
    assert_eq!(body["output"].as_array().map(Vec::len), Some(20), "the last lines");
    assert_eq!(body["output"][19]["message"], "line 24 ```");
    let mut rest = body;
    rest.as_object_mut().expect("an object").remove("output");
    let (task, execution) = (TaskId(Ulid(1)), ExecutionId(Ulid(2)));
    assert_eq!(
        rest,
        json!({
            "id": AlertId(Ulid(3)), "kind": "failure", "reminder": false, "time": NOW, "host": "box",
            "channel": "own", "summary": "nightly <b> has failed 3 times in a row: no \"luck\"",
            "task": { "id": task, "name": "nightly <b>", "handler": "reports/sales", "tags": ["db"] },
            "execution": {
                "execution": execution, "reason": "exception", "trigger": "schedule",
                "error": "no \"luck\"\nat line 3", "attempt": 2, "scheduledFor": NOW - 1000,
                "startTime": NOW - 900, "duration": 900,
            },
            "since": NOW, "streak": 3, "count": 3, "p50": 120, "sourceChanged": true, "paused": false,
            "follows": null, "lines": [],
            "links": {
                "execution": format!("https://ops.example/iso/executions/{execution}"),
                "task": format!("https://ops.example/iso/tasks/{task}"),
                "diff": format!("https://ops.example/iso/executions/{execution}#diff"),
                "mute": "https://ops.example/iso/alerts",
            },
        })
    );
    assert_eq!((header(&sent, "X-Own"), header(&sent, "x-isochron-signature")), (Some("1"), None));
    assert_eq!(header(&sent, "x-isochron-id"), Some(AlertId(Ulid(3)).to_string().as_str()));
}

#[test]
fn a_webhook_is_signed_over_its_time_and_body() {
    let sent =
        webhook(Some("key"), Some("hello")).request(&message(None), 1_700_000_000_999).expect("a request");
    let signature = header(&sent, "x-isochron-signature").expect("a signature");
    assert_eq!(signature, SIGNED);
}

/// By `printf '1700000000.hello' | openssl dgst -sha256 -hmac key`.
const SIGNED: &str = "t=1700000000,v1=4d583a269f4f276a3fa80ff31b5a01879a848096983222a17893d198418939aa";

#[test]
fn a_template_makes_the_body_and_runs_out_of_fuel() {
    let text = r#"{"text": {{ summary|tojson }}, "who": "{{ task.name|upper }}", "n": {{ output|length }}}"#;
    let sent = webhook(None, Some(text)).request(&message(None), NOW).expect("a request");
    let expected = json!({ "text": "nightly <b> has failed 3 times in a row: no \"luck\"", "who": "NIGHTLY <B>", "n": 20 });
    assert_eq!(body(&sent), expected);
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    let failed = webhook(None, Some(endless)).request(&message(None), NOW);
    assert!(failed.as_ref().is_err_and(|why| why.contains("fuel")), "{failed:?}");
    assert!(template::Template::parse("{{ open").is_err_and(|why| why.contains("body:1")));
}

#[test]
fn slack_gets_text_in_which_nothing_of_a_handler_means_anything() {
    let slack = chat::Slack { url: "https://slack.example/T0/secret".to_owned() };
    let sent = slack.request(&message(Some("https://ops.example")), NOW).expect("a request");
    let text = body(&sent)["text"].as_str().expect("text").to_owned();
    let (head, details) = text.split_once('\n').expect("details");
    let link = format!("https://ops.example/executions/{}", ExecutionId(Ulid(2)));
    assert_eq!(
        head,
        format!("🔴 nightly &lt;b&gt; has failed 3 times in a row: no \"luck\" (<{link}|open>)")
    );
    assert!(
        details.starts_with("```The handler's file has changed") && details.ends_with("line 24 '''\n```")
    );
}

#[test]
fn discord_gets_at_most_two_thousand_characters_and_mentions_nobody() {
    let discord = chat::Discord { url: "https://discord.example/secret".to_owned() };
    let mut long = message(None);
    long.output.iter_mut().for_each(|line| line.message = "ä".repeat(500));
    let sent = discord.request(&long, NOW).expect("a request");
    let body = body(&sent);
    let length = body["content"].as_str().expect("text").chars().count();
    assert!((1900..=2000).contains(&length), "{length}");
    assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
}

#[test]
fn ntfy_gets_its_topic_from_the_address() {
    let priority = [(Kind::Recovery, 1)].into();
    let ntfy =
        ntfy::Ntfy::new("http://10.0.0.9/base/mine", Some("tk".to_owned()), priority).expect("a topic");
    let sent = ntfy.request(&message(Some("https://ops.example")), NOW).expect("a request");
    let body = body(&sent);
    assert_eq!((sent.url.as_str(), &body["topic"]), ("http://10.0.0.9/base", &json!("mine")));
    assert_eq!((&body["priority"], &body["tags"]), (&json!(4), &json!(["failure"])));
    assert_eq!(body["click"], format!("https://ops.example/executions/{}", ExecutionId(Ulid(2))));
    assert_eq!(header(&sent, "authorization"), Some("Bearer tk"));
    assert!(ntfy::Ntfy::new("https://ntfy.sh/", None, [].into()).is_err_and(|why| why.contains("topic")));
}

#[test]
fn a_heartbeat_calls_its_address_and_those_below_it() {
    let heartbeat = |url: &str| heartbeat::Heartbeat { url: url.to_owned() };
    for (url, kind, called) in [
        ("https://hc.example/x", Kind::Success, "https://hc.example/x"),
        ("https://hc.example/x", Kind::Start, "https://hc.example/x/start"),
        ("https://hc.example/x/?k=1", Kind::Fail, "https://hc.example/x/fail?k=1"),
    ] {
        let mut message = message(None);
        message.kind = kind;
        let sent = heartbeat(url).request(&message, NOW).expect("a request");
        assert_eq!((sent.url.as_str(), sent.body), (called, None));
    }
}
