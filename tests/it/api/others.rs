//! Handlers and previews of schedules.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::harness::{Server, redact, until};

/// The list once every check in it has ended.
fn checked(server: &Server) -> Value {
    until("every check has ended", || {
        let list = server.client().get("/admin/handlers").expect(200);
        let mut all = list["handlers"].as_array().expect("handlers").iter();
        all.all(|handler| handler.get("checking").is_none()).then_some(list)
    })
}

#[test]
fn handlers_are_listed_with_their_first_comment_and_why_one_does_not_load() {
    let _guard = redact();
    let server = Server::start();
    assert_eq!(server.client().get("/admin/handlers").expect(200)["handlers"], json!([]));
    server.home.write(
        "daily",
        "/**\n * Sends the daily digest.\n * To everybody.\n */\nmodule.exports = () => 1;\n",
    );
    server.home.write("reports/sales", "// No block comment.\nmodule.exports = async () => 1;\n");
    server.home.write("broken", "/* Half done. */\nmodule.exports = () => {\n");
    assert_json_snapshot!(checked(&server), @r#"
    {
      "handlers": [
        {
          "name": "broken",
          "file": "tasks/broken.js",
          "description": "Half done.",
          "hash": "[sha-256]",
          "size": 42,
          "modifiedAt": "[time]",
          "error": "tasks/broken.js:3:1: SyntaxError: Unexpected end of input\n  \n  ^"
        },
        {
          "name": "daily",
          "file": "tasks/daily.js",
          "description": "Sends the daily digest.",
          "hash": "[sha-256]",
          "size": 78,
          "modifiedAt": "[time]",
          "error": null
        },
        {
          "name": "reports/sales",
          "file": "tasks/reports/sales.js",
          "description": "",
          "hash": "[sha-256]",
          "size": 53,
          "modifiedAt": "[time]",
          "error": null
        }
      ],
      "ignored": [],
      "meta": {
        "execTime": "[seconds]"
      }
    }
    "#);

    // A changed or deleted file shows at once.
    server.home.write("broken", "module.exports = () => {};\n");
    std::fs::remove_file(server.home.tasks().join("daily.js")).expect("removed");
    let list = checked(&server);
    let names: Vec<_> = list["handlers"].as_array().expect("handlers").iter().map(|h| &h["name"]).collect();
    assert_eq!(names, ["broken", "reports/sales"]);
    assert_eq!(list["handlers"][0]["error"], json!(null));
}

#[test]
fn a_preview_says_in_words_and_times_what_a_schedule_means() {
    let _guard = redact();
    let server = Server::start();
    let preview =
        server.client().get("/admin/schedule/preview?schedule=0%209%20*%20*%201&after=1773000000000&count=3");
    assert_json_snapshot!(preview.expect(200), @r#"
    {
      "schedule": "0 9 * * 1",
      "timezone": "UTC",
      "scheduleType": "weekly",
      "description": "At 09:00 on Monday",
      "next": [
        1773046800000,
        1773651600000,
        1774256400000
      ],
      "startAt": null,
      "endAt": null,
      "jitter": 0,
      "warnings": [],
      "meta": {
        "execTime": "[seconds]"
      }
    }
    "#);
    let default = server.client().get("/admin/schedule/preview?schedule=every%2015m").expect(200);
    let next: Vec<_> =
        default["next"].as_array().expect("times").iter().filter_map(serde_json::Value::as_i64).collect();
    assert!(!next.is_empty() && next.windows(2).all(|pair| pair[1] - pair[0] == 900_000), "{default}");
}

#[test]
fn a_preview_warns_of_daylight_saving_and_of_the_rule_about_days() {
    let _guard = redact();
    let server = Server::start();
    // A week before the clocks of Berlin go forward in 2026.
    let gap = "/admin/schedule/preview?schedule=30%202%20*%20*%20*&timezone=Europe/Berlin&after=1774051200000&count=10";
    assert_json_snapshot!(server.client().get(gap).expect(200), @r#"
    {
      "schedule": "30 2 * * *",
      "timezone": "Europe/Berlin",
      "scheduleType": "daily",
      "description": "At 02:30 every day",
      "next": [
        1774056600000,
        1774143000000,
        1774229400000,
        1774315800000,
        1774402200000,
        1774488600000,
        1774575000000,
        1774661400000,
        1774746000000,
        1774830600000
      ],
      "startAt": null,
      "endAt": null,
      "jitter": 0,
      "warnings": [
        "02:30 on 2026-03-29 does not exist in Europe/Berlin (forward from 02:00 to 03:00): that run is at 03:00."
      ],
      "meta": {
        "execTime": "[seconds]"
      }
    }
    "#);
    // A week before they go back.
    let repeat = "/admin/schedule/preview?schedule=30%202%20*%20*%20*&timezone=Europe/Berlin&after=1792195200000&count=10";
    assert_json_snapshot!(server.client().get(repeat).expect(200)["warnings"], @r#"
    [
      "02:30 on 2026-10-25 happens twice in Europe/Berlin (back from 03:00 to 02:00): it runs only the first time."
    ]
    "#);
    let days = "/admin/schedule/preview?schedule=0%200%2013%20*%205&after=1773000000000&count=3";
    assert_json_snapshot!(server.client().get(days).expect(200), @r#"
    {
      "schedule": "0 0 13 * 5",
      "timezone": "UTC",
      "scheduleType": "cron",
      "description": "At 00:00 on day 13 of the month, and on Friday",
      "next": [
        1773360000000,
        1773964800000,
        1774569600000
      ],
      "startAt": null,
      "endAt": null,
      "jitter": 0,
      "warnings": [
        "Both day fields are restricted: it runs on days that match the day of month or the day of week, not only on days that match both."
      ],
      "meta": {
        "execTime": "[seconds]"
      }
    }
    "#);
}

#[test]
fn a_preview_of_a_wrong_expression_says_what_is_wrong_and_where() {
    let _guard = redact();
    let server = Server::start();
    let answer = server.client().get("/admin/schedule/preview?schedule=0%2025%20*%20*%20*").expect(400);
    assert_json_snapshot!(answer, @r#"
    {
      "error": true,
      "code": 400,
      "errorNum": 400,
      "errorMessage": "Invalid request: schedule: the hour field is wrong at character 3 (\"25\"): 25 is out of range: use a number from 0 to 23",
      "message": "Invalid request: schedule: the hour field is wrong at character 3 (\"25\"): 25 is out of range: use a number from 0 to 23",
      "details": [
        {
          "field": "schedule",
          "problem": "the hour field is wrong at character 3 (\"25\"): 25 is out of range: use a number from 0 to 23"
        }
      ],
      "requestId": "[request id]"
    }
    "#);
    for (schedule, words) in
        [("* * 0 * *", "day"), ("* * * * 8", "day"), ("60 * * * * *", "second"), ("x", "fields")]
    {
        let path = format!("/admin/schedule/preview?schedule={}", schedule.replace(' ', "%20"));
        let message = server.client().get(&path).message(400);
        assert!(message.contains(words), "{schedule}: {message}");
    }
}

#[test]
fn the_one_process_of_an_embedded_store_is_its_only_node() {
    let _guard = redact();
    let server = Server::start();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    let answer = server.client().get("/admin/nodes").expect(200);
    let node = &answer["nodes"][0];
    assert_eq!(
        (&answer["total"], &node["name"], &node["id"]),
        (&json!(1), &json!(host.trim()), &json!(null))
    );
    assert_eq!((&node["build"], &node["busy"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(0)));
    assert_eq!((&node["gone"], &node["why"]), (&json!(null), &json!(null)));
    assert!(node["places"].as_u64() > Some(0) && node["joined"].as_i64() <= node["seen"].as_i64(), "{node}");
    let refused = server.client().get("/admin/nodes?all=1").expect(400);
    assert_eq!(refused["error"], json!(true));
}
