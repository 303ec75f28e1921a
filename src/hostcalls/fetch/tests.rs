//! The calls of a run about its requests, beside a server on loopback.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{domain::network::NetPolicy, handlers::files::Files, network::Limits, runtime::Grants};

fn fetches(only_loads: bool) -> Arc<Fetches> {
    let policy = NetPolicy { allow: vec!["127.0.0.1".parse().expect("a rule")], ..NetPolicy::default() };
    let client = Client::new(policy, Limits { body: 1 << 20, requests: 1000 });
    let caller = Caller {
        handler: "h".to_owned(),
        attempt: None,
        only_loads,
        grants: Grants { system: false },
        files: Files::new("nowhere"),
        live: Arc::default(),
    };
    Arc::new(Fetches::new(&client, &caller))
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("its address"));
    (listener, url)
}

fn start(fetch: u32, url: &str, body: FetchBody) -> FetchCall {
    let request = FetchRequest {
        method: if body == FetchBody::None { "GET" } else { "POST" }.to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        redirect: FetchRedirect::Follow,
        body,
    };
    FetchCall::Start { fetch, request: Box::new(request) }
}

async fn ask(fetches: &Fetches, call: FetchCall) -> FetchAnswer {
    let admitted = fetches.admit(call);
    fetches.answer(admitted).await
}

fn error(answer: FetchAnswer) -> FetchError {
    match answer {
        FetchAnswer::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

fn head(answer: FetchAnswer) -> FetchHead {
    match answer {
        FetchAnswer::Head(head) => *head,
        other => panic!("{other:?}"),
    }
}

/// A connection whose first request has come.
async fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut heard = Vec::new();
    while !heard.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.read_buf(&mut heard).await.expect("bytes");
    }
    stream
}

/// Resolves when the other side has closed the connection.
async fn closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn a_response_comes_as_a_head_and_the_parts_of_its_body() {
    let (listener, url) = listen().await;
    let fetches = fetches(false);
    let serve = async {
        let mut peer = accept(&listener).await;
        peer.write_all(b"HTTP/1.1 201 Made\r\nx-a: \xe9\r\ncontent-length: 10\r\n\r\n").await.expect("sent");
        peer
    };
    let (answer, mut peer) = tokio::join!(ask(&fetches, start(7, &url, FetchBody::None)), serve);
    let head = head(answer);
    assert_eq!((head.status, head.status_text.0.as_slice(), head.complete), (201, b"Made".as_slice(), false));
    assert_eq!(head.headers[0], ("x-a".to_owned(), Part(vec![0xe9])));
    let twice = error(ask(&fetches, start(7, &url, FetchBody::None)).await);
    assert_eq!(twice.kind, "request");
    peer.write_all(b"0123456789").await.expect("sent");
    let mut body = Vec::new();
    while let FetchAnswer::Part(Some(Part(part))) = ask(&fetches, FetchCall::Read { fetch: 7 }).await {
        body.extend(part);
    }
    assert_eq!(body, b"0123456789");
    assert_eq!(error(ask(&fetches, FetchCall::Read { fetch: 7 }).await).kind, "cancelled");
    assert_eq!(fetches.traffic().requests, 1);
}

#[tokio::test]
async fn a_request_beyond_those_at_once_is_refused() {
    let (listener, url) = listen().await;
    let fetches = fetches(false);
    let mut waiting = tokio::task::JoinSet::new();
    for fetch in 0..32 {
        let (fetches, call) = (fetches.clone(), start(fetch, &url, FetchBody::None));
        waiting.spawn(async move { ask(&fetches, call).await });
    }
    let mut peers = Vec::new();
    for _ in 0..32 {
        peers.push(accept(&listener).await);
    }
    let refused = error(ask(&fetches, start(99, &url, FetchBody::None)).await);
    assert!(refused.kind == "limit" && refused.message.contains("32"), "{refused:?}");
    // The end of the run closes every connection.
    waiting.shutdown().await;
    drop(fetches);
    for peer in peers {
        closed(peer).await;
    }
}

#[tokio::test]
async fn a_cancelled_request_ends_at_every_stage() {
    let (listener, url) = listen().await;
    let fetches = fetches(false);
    // Before its start is worked on.
    let started = fetches.admit(start(1, &url, FetchBody::None));
    ask(&fetches, FetchCall::Cancel { fetch: 1 }).await;
    assert_eq!(error(fetches.answer(started).await).kind, "cancelled");
    // While it waits for the head.
    let cancel = async {
        let peer = accept(&listener).await;
        ask(&fetches, FetchCall::Cancel { fetch: 2 }).await;
        peer
    };
    let (answer, peer) = tokio::join!(ask(&fetches, start(2, &url, FetchBody::None)), cancel);
    assert_eq!(error(answer).kind, "cancelled");
    closed(peer).await;
    // While its body is read.
    let serve = async {
        let mut peer = accept(&listener).await;
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n").await.expect("sent");
        peer
    };
    let (answer, peer) = tokio::join!(ask(&fetches, start(3, &url, FetchBody::None)), serve);
    head(answer);
    let cancel = async { ask(&fetches, FetchCall::Cancel { fetch: 3 }).await };
    let (read, _) = tokio::join!(ask(&fetches, FetchCall::Read { fetch: 3 }), cancel);
    assert_eq!(error(read).kind, "cancelled");
    closed(peer).await;
}

#[tokio::test]
async fn a_stream_is_sent_part_by_part() {
    let (listener, url) = listen().await;
    let fetches = fetches(false);
    let serve = async {
        let (mut peer, _) = listener.accept().await.expect("a connection");
        let mut heard = Vec::new();
        while !heard.ends_with(b"0\r\n\r\n") {
            peer.read_buf(&mut heard).await.expect("bytes");
        }
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("sent");
        String::from_utf8_lossy(&heard).into_owned()
    };
    let started = fetches.admit(start(5, &url, FetchBody::Stream));
    let write = async {
        for part in [Some(b"one".to_vec()), Some(Vec::new()), Some(b"two".to_vec()), None] {
            let written = ask(&fetches, FetchCall::Write { fetch: 5, part: part.map(Part) }).await;
            assert!(matches!(written, FetchAnswer::Done), "{written:?}");
        }
    };
    let (answer, heard, ()) = tokio::join!(fetches.answer(started), serve, write);
    assert!(head(answer).complete);
    assert!(heard.contains("3\r\none\r\n") && heard.contains("3\r\ntwo\r\n"), "{heard}");
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused() {
    let (listener, url) = listen().await;
    let fetches = fetches(false);
    let bytes = |length| FetchBody::Bytes(Part(vec![0; length]));
    let one = error(ask(&fetches, start(1, &url, bytes(LARGEST_PART + 1))).await);
    assert!(one.kind == "limit" && one.message.contains("16 MiB"), "{one:?}");
    for fetch in 2..6 {
        // Refused for its URL, but its bytes have been sent here.
        ask(&fetches, start(fetch, "nonsense", bytes(LARGEST_PART))).await;
    }
    let all = error(ask(&fetches, start(9, &url, bytes(1))).await);
    assert!(all.kind == "limit" && all.message.contains("64 MiB"), "{all:?}");
    drop(listener);
    assert_eq!(fetches.traffic().requests, 0);
}

#[tokio::test]
async fn a_handler_that_is_only_checked_makes_no_request() {
    let fetches = fetches(true);
    let refused = error(ask(&fetches, start(1, "http://127.0.0.1:1/", FetchBody::None)).await);
    assert!(refused.kind == "policy" && refused.message.contains("checked"), "{refused:?}");
    assert_eq!(fetches.traffic().requests, 0);
}
