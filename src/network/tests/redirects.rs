//! Redirects, hop by hop.

use super::{server::ok, *};

fn moved(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

#[tokio::test]
async fn a_redirect_to_an_address_that_is_refused_is_not_followed() {
    let target = Server::answering(ok("secret")).await;
    let server = Server::answering(moved(302, &target.url("/"))).await;
    let rule = format!("127.0.0.1:{}", server.port);
    let client = client_with(&[&rule], &[], LIMITS);
    let failure = failure(&client, get(&server.url("/"))).await;
    assert!(failure.kind == Kind::Policy && failure.message.contains("loopback"), "{failure:?}");
    assert_eq!((server.connections(), target.connections()), (1, 0));
}

#[tokio::test]
async fn methods_and_bodies_change_as_in_the_fetch_standard() {
    for (status, method, expected) in [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
    ] {
        let mut target = Server::answering(ok("")).await;
        let server = Server::answering(moved(status, &target.url("/next"))).await;
        let body = || if method == "HEAD" { Upload::None } else { Upload::Bytes("payload".into()) };
        let request = request(method, &server.url("/"), &[("content-type", "text/x")], body());
        let response = client().session("h").send(request).await.expect("an answer");
        assert_eq!((response.redirected, response.url.as_str()), (true, target.url("/next").as_str()));
        let heard = target.request().await;
        assert!(heard.starts_with(&format!("{expected} /next HTTP/1.1\r\n")), "{status} {method}: {heard}");
        let keeps = expected == method && method != "HEAD";
        assert_eq!(heard.ends_with("payload"), keeps, "{status} {method}: {heard}");
        assert_eq!(heard.contains("content-type"), expected == method, "{status} {method}: {heard}");
    }
}

#[tokio::test]
async fn credentials_do_not_cross_origins() {
    let mut other = Server::answering(ok("")).await;
    let secrets = [("authorization", "Bearer x"), ("cookie", "a=b"), ("x-own", "stays")];
    let away = Server::answering(moved(302, &other.url("/"))).await;
    client()
        .session("h")
        .send(request("GET", &away.url("/"), &secrets, Upload::None))
        .await
        .expect("an answer");
    let heard = other.request().await;
    assert!(!heard.contains("authorization") && !heard.contains("cookie"), "{heard}");
    assert!(heard.contains("x-own: stays"), "{heard}");
    let mut same = Server::with(|mut peer| async move {
        while peer.hear().await && peer.say(moved(302, "/again")).await {
            if peer.hear().await {
                peer.say(ok("")).await;
            }
        }
    })
    .await;
    client()
        .session("h")
        .send(request("GET", &same.url("/"), &secrets, Upload::None))
        .await
        .expect("an answer");
    same.request().await;
    assert!(same.request().await.contains("authorization: Bearer x"));
}

#[tokio::test]
async fn manual_redirects_are_answers_and_forbidden_ones_are_errors() {
    let server = Server::answering(moved(302, "/next")).await;
    let ask =
        |redirect| Request::new("GET", &server.url("/"), &[], redirect, Upload::None).expect("a request");
    let response = client().session("h").send(ask(Redirect::Manual)).await.expect("an answer");
    assert_eq!((response.status, response.redirected), (302, false));
    let failure = failure(&client(), ask(Redirect::Error)).await;
    assert_eq!(failure.kind, Kind::Redirect, "{failure:?}");
}

#[tokio::test]
async fn twenty_redirects_are_followed_and_no_more() {
    let server = Server::answering(moved(302, "/again")).await;
    let session = client().session("h");
    let failure = session.send(get(&server.url("/"))).await.err().expect("a failure");
    assert!(failure.kind == Kind::Redirect && failure.message.contains("20 redirects"), "{failure:?}");
    assert_eq!(session.traffic().requests, 21);
}

#[tokio::test]
async fn a_body_that_is_a_stream_is_not_sent_again() {
    let server = Server::answering(moved(307, "/again")).await;
    let (parts, body) = stream();
    parts.try_send(Some("once".into())).expect("room");
    let session = client().session("h");
    let sending = session.send(request("POST", &server.url("/"), &[], body));
    let end = async { parts.send(None).await };
    let (sent, _) = tokio::join!(sending, end);
    let failure = sent.err().expect("a failure");
    assert!(failure.kind == Kind::Redirect && failure.message.contains("stream"), "{failure:?}");
}

#[tokio::test]
async fn a_redirect_to_another_scheme_or_with_credentials_is_an_error() {
    for to in ["ftp://a.example/", "file:///etc/passwd", "http://user:word@127.0.0.1/", "http://[::1%250]/"] {
        let server = Server::answering(moved(302, to)).await;
        let failure = failure(&client(), get(&server.url("/"))).await;
        assert_eq!(failure.kind, Kind::Redirect, "{to}: {failure:?}");
    }
}
