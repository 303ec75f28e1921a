//! Bodies: their codings, their limit, and those that are sent.

use async_compression::tokio::bufread::{
    BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder,
};
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};

use super::*;

async fn all(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).await.expect("bytes");
    bytes
}

fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn every_coding_is_undone() {
    let plain = "words and words and words ".repeat(400);
    let bytes = plain.as_bytes();
    let gzip = all(GzipEncoder::new(bytes)).await;
    let twice = all(BrotliEncoder::new(BufReader::new(GzipEncoder::new(bytes)))).await;
    for (coding, body) in [
        ("gzip", gzip.clone()),
        ("x-gzip", gzip),
        ("deflate", all(ZlibEncoder::new(bytes)).await),
        ("deflate", all(DeflateEncoder::new(bytes)).await),
        ("br", all(BrotliEncoder::new(bytes)).await),
        ("zstd", all(ZstdEncoder::new(bytes)).await),
        ("gzip, br", twice),
        ("identity", bytes.to_vec()),
        ("unknown", bytes.to_vec()),
    ] {
        let server = Server::answering(coded(coding, &body)).await;
        let session = client().session("h");
        let response = session.send(get(&server.url("/"))).await.expect("an answer");
        assert_eq!(text(response).await.as_deref(), Ok(plain.as_str()), "{coding}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_decode_is_an_error_that_names_its_coding() {
    for (coding, body, words) in [
        ("br", &b"\xff\xff\xff\xff no brotli"[..], "brotli (br)"),
        ("gzip", b"no gzip", "gzip"),
        ("deflate", b"\xff\xff", "deflate"),
        ("zstd", b"no zstd", "zstd"),
    ] {
        let server = Server::answering(coded(coding, body)).await;
        let failure = match client().session("h").send(get(&server.url("/"))).await {
            Ok(response) => text(response).await.expect_err(coding),
            Err(failure) => failure,
        };
        assert!(failure.kind == Kind::Protocol && failure.message.contains(words), "{coding}: {failure:?}");
    }
}

#[tokio::test]
async fn a_bomb_ends_at_the_limit_of_decoded_bytes() {
    let zeros = tokio::io::repeat(0).take(32 << 20);
    let bomb = all(GzipEncoder::new(BufReader::new(zeros))).await;
    assert!(bomb.len() < 64 << 10, "{}", bomb.len());
    let server = Server::answering(coded("gzip", &bomb)).await;
    let session = client().session("h");
    let mut response = session.send(get(&server.url("/"))).await.expect("an answer");
    let mut read = 0;
    let failure = loop {
        match response.body.next().await {
            Ok(part) => read += part.expect("more").len(),
            Err(failure) => break failure,
        }
    };
    assert!(read <= 1 << 20, "{read}");
    assert!(failure.kind == Kind::Limit && failure.message.contains("limits.fetchBody"), "{failure:?}");
    assert!(response.body.is_over());
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_arrives_and_one_byte_more_does_not() {
    for (length, fits) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let server = Server::answering(super::server::ok(&"x".repeat(length))).await;
        let session = client().session("h");
        let response = session.send(get(&server.url("/"))).await.expect("an answer");
        assert_eq!(text(response).await.is_ok(), fits, "{length}");
    }
}

#[tokio::test]
async fn answers_that_have_no_body_are_over_with_their_head() {
    for (method, answer) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\ncontent-encoding: gzip\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n"),
    ] {
        let server = Server::answering(answer).await;
        let session = client().session("h");
        let response =
            session.send(request(method, &server.url("/"), &[], Upload::None)).await.expect("an answer");
        assert!(response.body.is_over(), "{method} {answer}");
    }
}

#[tokio::test]
async fn bodies_are_sent_with_their_length_or_in_chunks() {
    let mut server = Server::answering(super::server::ok("")).await;
    let session = client().session("h");
    let url = server.url("/");
    session.send(request("POST", &url, &[], Upload::Bytes("payload".into()))).await.expect("an answer");
    let heard = server.request().await;
    assert!(heard.contains("content-length: 7\r\n") && heard.ends_with("payload"), "{heard}");
    session.send(request("POST", &url, &[], Upload::None)).await.expect("an answer");
    assert!(server.request().await.contains("content-length: 0\r\n"));
    let (parts, body) = stream();
    let write = async {
        for part in ["one", "two"] {
            parts.send(Some(part.into())).await.expect("room");
        }
        parts.send(None).await.expect("room");
    };
    let (sent, ()) = tokio::join!(session.send(request("PUT", &url, &[], body)), write);
    sent.expect("an answer");
    let heard = server.request().await;
    assert!(heard.contains("transfer-encoding: chunked") && heard.ends_with("0\r\n\r\n"), "{heard}");
    assert!(heard.contains("one") && heard.contains("two"), "{heard}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken_for_a_whole_one() {
    let mut server = Server::answering(super::server::ok("")).await;
    let (parts, body) = stream();
    parts.send(Some("half".into())).await.expect("room");
    drop(parts);
    let failure = failure(&client(), request("PUT", &server.url("/"), &[], body)).await;
    assert_eq!(failure.kind, Kind::Cancelled, "{failure:?}");
    assert!(server.requests.try_recv().is_err(), "the server saw a whole request");
}

#[test]
fn headers_of_the_connection_are_left_out_and_wrong_ones_refused() {
    let url = "http://a.example/";
    let given =
        ["Host", "Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "Proxy-Authorization"];
    let headers: Vec<_> = given.iter().map(|name| ((*name).to_owned(), b"x".to_vec())).collect();
    let request = Request::new("GET", url, &headers, Redirect::Follow, Upload::None).expect("a request");
    let mut kept: Vec<_> = request.headers.keys().map(|name| name.as_str().to_owned()).collect();
    kept.sort();
    assert_eq!(kept, ["accept", "accept-encoding", "user-agent"]);
    for (name, value) in [("a b", "x"), ("", "x"), ("x", "a\r\nb: c"), ("x", "\0"), ("x\r\n", "y")] {
        let headers = [(name.to_owned(), value.as_bytes().to_vec())];
        let refused = Request::new("GET", url, &headers, Redirect::Follow, Upload::None);
        assert_eq!(refused.expect_err(name).kind, Kind::Request, "{name:?}: {value:?}");
    }
    for method in ["CONNECT", "trace", "TRACK", "a b", ""] {
        let refused = Request::new(method, url, &[], Redirect::Follow, Upload::None);
        assert_eq!(refused.expect_err(method).kind, Kind::Request, "{method}");
    }
}
