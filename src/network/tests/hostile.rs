//! Servers that break the rules of HTTP.

use super::{server::ok, *};

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_failure_of_its_kind() {
    for (answer, kind, code) in [
        ("garbage\r\n\r\nconnection: close", Kind::Protocol, None),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", Kind::Protocol, None),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\nshort",
            Kind::Reset,
            Some("ECONNRESET"),
        ),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
            Kind::Reset,
            Some("ECONNRESET"),
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!", Kind::Protocol, None),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello", Kind::Protocol, None),
    ] {
        let server = Server::answering(answer).await;
        let failure = failure(&client(), get(&server.url("/"))).await;
        assert_eq!((failure.kind, failure.code), (kind, code), "{answer:?}: {failure:?}");
    }
}

#[tokio::test]
async fn a_connection_that_closes_before_the_answer_is_a_reset() {
    let server = Server::with(|mut peer| async move {
        peer.hear().await;
    })
    .await;
    let failure = failure(&client(), get(&server.url("/"))).await;
    assert_eq!((failure.kind, failure.code), (Kind::Reset, Some("ECONNRESET")), "{failure:?}");
}

#[tokio::test]
async fn headers_without_end_are_a_failure() {
    let server = Server::with(|mut peer| async move {
        peer.hear().await;
        let mut going = peer.say("HTTP/1.1 200 OK\r\n").await;
        while going {
            going = peer.say("x-more: and more and more and more and more and more\r\n".repeat(50)).await;
        }
    })
    .await;
    let failure = failure(&client(), get(&server.url("/"))).await;
    assert!(matches!(failure.kind, Kind::Limit | Kind::Protocol), "{failure:?}");
}

#[tokio::test]
async fn a_header_without_end_is_a_failure() {
    let server = Server::with(|mut peer| async move {
        peer.hear().await;
        let mut going = peer.say("HTTP/1.1 200 OK\r\nx-long: ").await;
        while going {
            going = peer.say("x".repeat(4096)).await;
        }
    })
    .await;
    let failure = failure(&client(), get(&server.url("/"))).await;
    assert!(matches!(failure.kind, Kind::Limit | Kind::Protocol), "{failure:?}");
}

#[tokio::test]
async fn informational_answers_without_end_are_a_failure() {
    let server = Server::with(|mut peer| async move {
        peer.hear().await;
        while peer.say("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(100)).await {}
    })
    .await;
    let failure = failure(&client(), get(&server.url("/"))).await;
    assert_eq!(failure.kind, Kind::Limit, "{failure:?}");
}

#[tokio::test]
async fn a_few_informational_answers_are_skipped() {
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(3);
    let server = Server::answering(early + ok("it").as_str()).await;
    let session = client().session("h");
    let response = session.send(get(&server.url("/"))).await.expect("an answer");
    assert_eq!(text(response).await.as_deref(), Ok("it"));
}

#[tokio::test]
async fn a_head_that_does_not_come_is_a_timeout() {
    let mut server = Server::with(|mut peer| async move {
        peer.hear().await;
        peer.hear().await;
    })
    .await;
    let session = client().session("h");
    let request = get(&server.url("/"));
    let sent = tokio::spawn(async move { session.send(request).await.err() });
    server.request().await;
    // The clock runs ahead as soon as nothing else is to be done.
    tokio::time::pause();
    let failure = sent.await.expect("it ends").expect("a failure");
    assert_eq!((failure.kind, failure.code), (Kind::Timeout, Some("UND_ERR_HEADERS_TIMEOUT")), "{failure:?}");
}

#[tokio::test]
async fn a_body_that_comes_slowly_arrives() {
    let server = Server::with(|mut peer| async move {
        peer.hear().await;
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n").await;
        for _ in 0..200 {
            peer.say("x").await;
            tokio::task::yield_now().await;
        }
        peer.hear().await;
    })
    .await;
    let session = client().session("h");
    let response = session.send(get(&server.url("/"))).await.expect("an answer");
    assert_eq!(text(response).await.map(|text| text.len()), Ok(200));
}
