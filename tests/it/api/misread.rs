//! Requests that the API cannot read: wrong methods, media types, sizes, JSON, queries.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use insta::{assert_json_snapshot, assert_snapshot};
use serde_json::json;

use crate::harness::{Answer, PATIENCE, Server, redact};

/// Every error of every layer has this shape and no other field.
fn check_shape(answer: &Answer) {
    let body = &answer.body;
    let keys: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    let without_details: Vec<_> = keys.into_iter().filter(|key| *key != "details").collect();
    assert_eq!(without_details, ["error", "code", "errorNum", "errorMessage", "message", "requestId"]);
    assert_eq!(body["error"], true);
    assert_eq!((&body["code"], &body["errorNum"]), (&json!(answer.status), &json!(answer.status)));
    assert_eq!(body["errorMessage"], body["message"]);
    assert!(!body["message"].as_str().unwrap_or_default().is_empty());
    assert_eq!(answer.header("content-type"), "application/json");
}

#[test]
fn a_method_that_a_route_does_not_have_is_answered_with_those_it_has() {
    let server = Server::start();
    let cases = [
        ("DELETE", "/admin/scheduler", ["GET", "POST"].as_slice()),
        ("POST", "/admin/scheduler/task-01", &["GET", "PUT", "PATCH", "DELETE"]),
        ("GET", "/admin/scheduler/task-01/actions/run", &["POST"]),
        ("PUT", "/admin/scheduler/task-01/actions/pause", &["POST"]),
        ("DELETE", "/admin/scheduler/task-01/executions", &["GET"]),
        ("POST", "/admin/handlers", &["GET"]),
        ("DELETE", "/health", &["GET"]),
        ("POST", "/ready", &["GET"]),
    ];
    for (method, path, allowed) in cases {
        let client = server.client();
        let answer = client.send(client.request(method, path), "");
        assert_eq!(answer.status, 405, "{method} {path}: {}", answer.body);
        check_shape(&answer);
        let allow: Vec<_> =
            answer.header("allow").split(',').map(str::trim).filter(|m| *m != "HEAD").collect();
        let same = allow.len() == allowed.len() && allowed.iter().all(|method| allow.contains(method));
        assert!(same, "{method} {path} allows {allow:?}");
    }
}

#[test]
fn a_body_must_be_json_of_a_bearable_size() {
    let _guard = redact();
    let server = Server::start();
    let client = server.client();
    let post = |kind: &str, body: Vec<u8>| {
        let mut request = client.request("POST", "/admin/scheduler");
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        let answer = client.send(request, body);
        check_shape(&answer);
        answer
    };
    assert_json_snapshot!(post("text/plain", b"{}".to_vec()).expect(415), @r#"
    {
      "error": true,
      "code": 415,
      "errorNum": 415,
      "errorMessage": "The body must be JSON: send the header Content-Type: application/json",
      "message": "The body must be JSON: send the header Content-Type: application/json",
      "requestId": "[request id]"
    }
    "#);
    assert_eq!(post("", b"{}".to_vec()).status, 415);
    assert_eq!(post("application/x-www-form-urlencoded", b"name=x".to_vec()).status, 415);
    // A readable body is refused for its content.
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        assert_eq!(post(kind, b"{}".to_vec()).status, 400, "{kind}");
    }

    let mut large = br#"{"name": ""#.to_vec();
    large.resize(1024 * 1024 - 2, b'x');
    large.extend(br#""}"#);
    let message = post("application/json", large.clone()).message(400);
    assert!(message.contains("name has 1048564 characters"), "one mebibyte is read: {message}");
    large.push(b' ');
    assert_json_snapshot!(post("application/json", large).expect(413), @r#"
    {
      "error": true,
      "code": 413,
      "errorNum": 413,
      "errorMessage": "The body is larger than 1048576 bytes",
      "message": "The body is larger than 1048576 bytes",
      "requestId": "[request id]"
    }
    "#);
}

#[test]
fn a_body_that_is_no_json_object_is_told_where_it_goes_wrong() {
    let server = Server::start();
    let client = server.client();
    let bodies: [&[u8]; 9] = [
        b"{\"name\": \"x\",}",
        b"{\n  \"name\": tru\n}",
        b"[]",
        b"\"text\"",
        b"null",
        b"{\"a\": 1} {}",
        b"\xff\xfe",
        b"{",
        b"{\"params\": {\"n\": 1e400}}",
    ];
    let told = bodies.map(|body| {
        let request = client.request("POST", "/admin/scheduler").header("content-type", "application/json");
        let answer = client.send(request, body);
        check_shape(&answer);
        answer.message(400)
    });
    assert_snapshot!(told.join("\n"), @"
    The body is not valid JSON: trailing comma at line 1 column 14
    The body is not valid JSON: expected ident at line 3 column 0
    The body must be a JSON object
    The body must be a JSON object
    The body must be a JSON object
    The body is not valid JSON: trailing characters at line 1 column 10
    The body is not valid JSON: expected value at line 1 column 1
    The body is not valid JSON: EOF while parsing an object at line 1 column 1
    The body is not valid JSON: number out of range at line 1 column 22
    ");
    let deep = format!("{{\"params\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let request = client.request("POST", "/admin/scheduler").header("content-type", "application/json");
    assert_eq!(client.send(request, deep).status, 400);
}

/// A client that gets its answer before it sends the body must be able to go on, or learn that the
/// connection is closed.
#[test]
fn an_answer_that_does_not_wait_for_the_body_does_not_break_the_connection() {
    let server = Server::start();
    let client = server.client();
    let head = |method: &str, path: &str, length: usize| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
            client.address(),
            client.token()
        )
    };
    let mut broken = Vec::new();
    for (method, path) in [
        ("PUT", "/admin/scheduler/task-1"),
        ("POST", "/admin/scheduler/task-1/actions/run"),
        ("POST", "/admin/scheduler?unknown=1"),
        ("POST", "/admin/nothing"),
        ("PATCH", "/admin/scheduler"),
        ("POST", "/health"),
    ] {
        let mut stream = TcpStream::connect(client.address()).expect("a connection");
        stream.write_all(head(method, path, 2).as_bytes()).expect("the head sent");
        let mut answer = Vec::new();
        // A server that waits for the body sends nothing yet, which is fine too.
        stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a limit");
        let _ = read_answer(&mut stream, &mut answer);
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut go_on = || {
            stream.write_all(b"{}")?;
            if answer.is_empty() {
                read_answer(&mut stream, &mut answer)?;
            }
            stream.write_all(head("GET", "/admin/scheduler", 0).as_bytes())?;
            let mut next = Vec::new();
            read_answer(&mut stream, &mut next)?;
            std::io::Result::Ok(String::from_utf8_lossy(&next).starts_with("HTTP/1.1 200"))
        };
        let went_on = go_on();
        let first = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        assert!(first.starts_with("http/1.1 40"), "{method} {path}: {first:?}");
        if !first.contains("connection: close") && !matches!(went_on, Ok(true)) {
            broken.push(format!("{method} {path}: {went_on:?}"));
        }
    }
    assert_eq!(broken, [""; 0], "closed without a word");
}

/// Reads an answer: its head and the body that the head announces.
fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer)?;
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let wanted = length.and_then(|length| length.parse::<usize>().ok());
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        if read == 0 || (wanted.is_some() && body >= wanted) {
            return Ok(());
        }
    }
}

#[test]
fn a_query_is_read_as_strictly_as_a_body() {
    let server = Server::start();
    let id = server.create_dormant("there", "module.exports = () => 1", &json!({}));
    let history = format!("/admin/scheduler/{id}/executions");
    let one = format!("/admin/scheduler/{id}");
    let paths = [
        ("/admin/scheduler?skip=-1", "skip"),
        ("/admin/scheduler?limit=0", "limit"),
        ("/admin/scheduler?limit=101", "limit"),
        ("/admin/scheduler?limit=ten", "limit"),
        ("/admin/scheduler?limit=1.5", "limit"),
        ("/admin/scheduler?limit=", "limit"),
        ("/admin/scheduler?status=sleeping", "status"),
        ("/admin/scheduler?sortBy=period", "sortBy"),
        ("/admin/scheduler?sortOrder=up", "sortOrder"),
        ("/admin/scheduler?nmae=x", "nmae"),
        ("/admin/scheduler?limit=1&limit=2", "limit"),
        (&format!("{history}?limit=51"), "limit"),
        (&format!("{history}?status=active"), "status"),
        (&format!("{history}?trigger=cron"), "trigger"),
        (&format!("{history}?sortBy=name"), "sortBy"),
        (&format!("{one}?verbose=1"), "verbose"),
        ("/admin/handlers?name=x", "name"),
        ("/admin/schedule/preview", "schedule"),
        ("/admin/schedule/preview?schedule=@daily&count=0", "count"),
        ("/admin/schedule/preview?schedule=@daily&after=yesterday", "after"),
        ("/admin/schedule/preview?schedule=@daily&timezone=Mars/Olympus", "timezone"),
    ];
    for (path, field) in paths {
        let answer = server.client().get(path);
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        check_shape(&answer);
        assert_eq!(answer.body["details"][0]["field"], field, "{path}: {}", answer.body);
        assert!(answer.body["message"].as_str().is_some_and(|text| text.contains(field)), "{}", answer.body);
    }
    for action in ["run?wait=yes", "run?now=1", "pause?force=true"] {
        assert_eq!(server.act(&id, action).status, 400, "{action}");
    }
    assert_eq!(server.task(&id)["status"], "active");
    let several = server.client().get("/admin/scheduler?limit=0&skip=x&unknown=1").expect(400);
    let fields: Vec<_> =
        several["details"].as_array().expect("details").iter().map(|d| &d["field"]).collect();
    assert_eq!(fields, ["skip", "limit", "unknown"], "every problem is named at once");
}
