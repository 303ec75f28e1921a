//! `fetch`, as a handler sees it.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use serde_json::json;

use super::result_of;
use crate::harness::{DeafPort, Options};

#[test]
fn fetch_reads_data_urls_and_says_which_others_it_does_not() {
    let result = result_of(
        "const read = async (url) => { const response = await fetch(url); return [await response.text(), response.headers.get('content-type')] };
         const controller = new AbortController(); controller.abort(new Error('mine'));
         return {
           plain: await read('data:,a%20b#part'),
           base64: await read('data:text/html;charset=utf-8;base64, aGVs bG8'),
           malformed: await told(() => fetch('data:text/plain;base64,*')),
           blob: await told(() => fetch('blob:https://host/1')),
           file: await told(() => fetch('file:///etc/passwd')),
           aborted: await told(() => fetch('data:,x', { signal: controller.signal })),
           none: (await told(() => fetch())).split(':')[0],
           cause: await fetch('ftp://host/').catch((error) => [error instanceof TypeError, error.cause instanceof Error]),
         };",
    );
    assert_eq!(
        result,
        json!({
            "plain": ["a b", "text/plain;charset=US-ASCII"],
            "base64": ["hello", "text/html;charset=utf-8"],
            "malformed": "TypeError: fetch failed: the data: URL is malformed",
            "blob": "TypeError: fetch failed: blob: URLs are not available here: use the Blob itself",
            "file": "TypeError: fetch failed: file: URLs cannot be fetched, only http:, https: and data:",
            "aborted": "Error: mine",
            "none": "TypeError",
            "cause": [true, true],
        })
    );
}

#[test]
fn a_body_must_have_the_hash_that_the_request_names() {
    let result = result_of(
        "const hash = async (name, text) => {
           const digest = await crypto.subtle.digest(name, new TextEncoder().encode(text));
           return `${name.toLowerCase().replace('-', '')}-${Buffer.from(digest).toString('base64')}`;
         };
         const read = async (integrity) => (await fetch('data:,words', { integrity })).text();
         const [right, strong, wrong] = [await hash('SHA-256', 'words'), await hash('SHA-512', 'words'), await hash('SHA-512', 'other')];
         const url = Buffer.from(right.slice(7), 'base64').toString('base64url');
         return {
           right: await read(right),
           oneOf: await read(`${wrong} ${strong}?opt`),
           urlSafe: await read(`sha256-${url}`),
           unknown: await read('md5-abc'),
           head: await told(() => fetch('data:,words', { method: 'HEAD', integrity: right })),
           wrong: (await told(() => read(wrong))).slice(0, 58),
           strongest: (await told(() => read(`${right} ${wrong}`))).includes('its hash is sha512-'),
         };",
    );
    assert_eq!(
        result,
        json!({
            "right": "words", "oneOf": "words", "urlSafe": "words", "unknown": "words",
            "head": result["head"],
            "wrong": "TypeError: fetch failed: the body has not the integrity sh",
            "strongest": true,
        })
    );
    assert!(result["head"].to_string().contains("a response without a body"), "{result}");
}

/// A server for one test: answers each path of the table, and notes what it is sent.
fn serve(answers: &'static [(&'static str, &'static str)]) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, sent) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            std::thread::spawn(move || answer(stream.expect("a connection"), answers, &sender));
        }
    });
    (origin, sent)
}

fn answer(mut stream: TcpStream, answers: &[(&str, &str)], sender: &mpsc::Sender<String>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let head = head.to_ascii_lowercase();
            let length =
                head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if head.contains("transfer-encoding: chunked") {
                body.ends_with("0\r\n\r\n")
            } else {
                body.len() >= length.unwrap_or(0)
            }
        });
        if whole {
            break;
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(bytes) => request.extend_from_slice(&buffer[..bytes]),
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    sender.send(text).expect("the test listens");
    let found = answers.iter().find(|(known, _)| *known == path);
    let (_, given) = found.unwrap_or(&("", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"));
    // No second request comes on this connection, which is about to close.
    let given = given.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    stream.write_all(given.as_bytes()).expect("an answer");
    if !given.contains("content-length") {
        // The body stays open until the client goes.
        while matches!(stream.read(&mut buffer), Ok(1..)) {}
    }
}

#[test]
fn fetch_sends_and_receives_over_http() {
    let (origin, sent) = serve(&[
        (
            "/json",
            "HTTP/1.1 201 Made\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{\"a\":[1]}",
        ),
        ("/moved", "HTTP/1.1 302 Found\r\nlocation: /json\r\ncontent-length: 0\r\n\r\n"),
        ("/open", "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nbeginning"),
    ]);
    let deaf = DeafPort::new();
    let closed = format!("http://{}/", deaf.address());
    let server = Options::default().set("NET__ALLOW", "127.0.0.1").start();
    let source = "const told = async (code) => { try { return await code() } catch (error) { return `${error?.name}: ${error?.message}` } };
        module.exports = async ({ origin, closed }) => {
          const json = await fetch(`${origin}/json#part`, { headers: { 'X-Own': 'v' } });
          const moved = await fetch(new URL('/moved', origin));
          const manual = await fetch(`${origin}/moved`, { redirect: 'manual' });
          const posted = await fetch(`${origin}/json`, { method: 'POST', body: JSON.stringify({ b: 2 }) });
          const streamed = await fetch(`${origin}/json`, { method: 'PUT', duplex: 'half', body: ReadableStream.from(['x', 'y'].map((text) => new TextEncoder().encode(text))) });
          const copy = posted.clone();
          const controller = new AbortController();
          const open = await fetch(`${origin}/open`, { signal: controller.signal });
          const reader = open.body.getReader();
          const first = new TextDecoder().decode((await reader.read()).value);
          controller.abort(new Error('enough'));
          let late;
          for (let ms = 60; late === undefined; ms *= 2) {
            try { late = await fetch(`${origin}/open`, { signal: AbortSignal.any([AbortSignal.timeout(ms)]) }); }
            catch (error) { if (error.name !== 'TimeoutError') throw error; }
          }
          return {
            json: [json.status, json.statusText, json.ok, json.url.endsWith('/json'), json.redirected, json.type, await json.json()],
            moved: [moved.status, moved.url.endsWith('/json'), moved.redirected, await moved.text()],
            manual: [manual.status, manual.headers.get('location')],
            error: (await told(() => fetch(`${origin}/moved`, { redirect: 'error' }))).startsWith('TypeError: fetch failed: '),
            clone: [await posted.text(), await copy.text()],
            streamed: streamed.status,
            aborted: [first, await told(() => reader.read())],
            late: (await told(() => late.text())).split(':')[0],
            head: (await fetch(`${origin}/json`, { method: 'HEAD' })).body,
            refused: await fetch(closed).catch((error) => [error.name, error.cause.code]),
            private: await fetch('http://10.1.2.3/').catch((error) => error.message.includes('net.allow')),
          };
        };";
    let execution =
        server.run_source("fetching", source, &json!({ "params": { "origin": origin, "closed": closed } }));
    assert_eq!(
        execution["result"],
        json!({
            "json": [201, "Made", true, true, false, "basic", { "a": [1] }],
            "moved": [201, true, true, "{\"a\":[1]}"],
            "manual": [302, "/json"],
            "error": true,
            "clone": ["{\"a\":[1]}", "{\"a\":[1]}"],
            "streamed": 201,
            "aborted": ["beginning", "Error: enough"],
            "late": "TimeoutError",
            "head": null,
            "refused": ["TypeError", "ECONNREFUSED"],
            "private": true,
        }),
        "{execution}"
    );
    let requests: Vec<String> = sent.try_iter().collect();
    let first = requests[0].to_ascii_lowercase();
    assert!(first.contains("\r\nx-own: v\r\n") && first.contains("\r\naccept: */*\r\n"), "{first}");
    let posted = requests.iter().find(|request| request.starts_with("POST")).expect("a POST");
    assert!(posted.ends_with("{\"b\":2}") && posted.contains("text/plain;charset=UTF-8"), "{posted}");
    let put = requests.iter().find(|request| request.starts_with("PUT")).expect("a PUT");
    assert!(put.contains("\r\nx\r\n") && put.contains("\r\ny\r\n"), "{put}");
}
