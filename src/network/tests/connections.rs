//! Connections: shared within a session, never between two, and ended with it.

use super::{server::ok, *};

#[tokio::test]
async fn a_session_keeps_its_connection_and_no_other_session_uses_it() {
    let server = Server::answering(ok("it")).await;
    let client = client();
    let first = client.session("h");
    for _ in 0..3 {
        let response = first.send(get(&server.url("/"))).await.expect("an answer");
        assert_eq!(text(response).await.as_deref(), Ok("it"));
    }
    assert_eq!(server.connections(), 1);
    let second = client.session("h");
    text(second.send(get(&server.url("/"))).await.expect("an answer")).await.expect("a body");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_has_closed_meanwhile_is_replaced() {
    let server = Server::with(|mut peer| async move {
        peer.hear().await;
        peer.say(ok("it")).await;
    })
    .await;
    let session = client().session("h");
    for _ in 0..3 {
        let response = session.send(get(&server.url("/"))).await.expect("an answer");
        assert_eq!(text(response).await.as_deref(), Ok("it"));
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn the_end_of_a_session_closes_its_connections() {
    let mut server = Server::with(|mut peer| async move {
        while peer.hear().await {
            peer.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
        }
    })
    .await;
    let session = client().session("h");
    let mut responses = Vec::new();
    for _ in 0..3 {
        responses.push(session.send(get(&server.url("/"))).await.expect("an answer"));
    }
    drop(responses);
    drop(session);
    for _ in 0..3 {
        server.closed.recv().await.expect("a closed connection");
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_closes_its_connection() {
    let mut server = Server::with(|mut peer| async move {
        peer.hear().await;
        peer.hear().await;
    })
    .await;
    let session = client().session("h");
    let request = session.send(get(&server.url("/")));
    tokio::select! {
        _ = request => panic!("it was answered"),
        _ = server.requests.recv() => {}
    }
    server.closed.recv().await.expect("a closed connection");
}

#[tokio::test]
async fn requests_are_counted_and_limited() {
    let server = Server::answering(ok("it")).await;
    let client = client_with(&["127.0.0.1"], &[], Limits { requests: 2, ..LIMITS });
    let session = client.session("h");
    for _ in 0..2 {
        text(session.send(get(&server.url("/"))).await.expect("an answer")).await.expect("a body");
    }
    let failure = session.send(get(&server.url("/"))).await.err().expect("a failure");
    assert!(failure.kind == Kind::Limit && failure.message.contains("limits.fetches"), "{failure:?}");
    let traffic = session.traffic();
    assert_eq!((traffic.requests, traffic.bytes_received), (2, 2 * ok("it").len() as u64));
    assert!(traffic.bytes_sent > 100, "{traffic:?}");
}
