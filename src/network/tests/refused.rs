//! Addresses that no request reaches.

use super::{server::ok, *};

#[tokio::test]
async fn every_form_of_a_private_address_is_refused_and_nothing_connects() {
    let target = Server::answering(ok("secret")).await;
    let client = Client::new(NetPolicy::default(), LIMITS);
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "0177.0.0.1",
        "017700000001",
        "2130706433",
        "127.0.0.1.",
        "0",
        "0.0.0.0",
        "\u{ff11}\u{ff12}\u{ff17}.\u{ff10}.\u{ff10}.\u{ff11}",
        "\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}",
        "127\u{3002}0\u{3002}0\u{3002}1",
        "%31%32%37.0.0.1",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "100.64.0.1",
        "255.255.255.255",
        "224.0.0.1",
    ] {
        let failure = failure(&client, get(&format!("http://{host}:{}/", target.port))).await;
        let is_refused = failure.kind == Kind::Policy && failure.message.contains("net.allow");
        // A machine may have no name localhost.
        assert!(
            is_refused || failure.kind == Kind::Dns && host.to_lowercase().contains("local"),
            "{host}: {failure:?}"
        );
    }
    assert_eq!(target.connections(), 0);
}

#[test]
fn a_url_that_is_not_for_requests_is_refused() {
    for (url, words) in [
        ("http://[fe80::1%25eth0]/", "not valid"),
        ("http://user:password@a.example/", "user name"),
        ("http://user@a.example/", "user name"),
        ("/relative", "not valid"),
        ("http://", "not valid"),
        ("http://256.256.256.256/", "not valid"),
    ] {
        let refused = Request::new("GET", url, &[], Redirect::Follow, Upload::None).expect_err(url);
        assert!(refused.kind == Kind::Request && refused.message.contains(words), "{url}: {refused:?}");
    }
}

#[tokio::test]
async fn a_scheme_that_is_not_http_is_refused() {
    for url in ["ftp://a.example/", "file:///etc/passwd", "data:,x", "ws://a.example/"] {
        let failure = failure(&client(), get(url)).await;
        assert!(failure.kind == Kind::Request && failure.message.contains("http"), "{url}: {failure:?}");
    }
}

#[tokio::test]
async fn of_a_public_and_a_private_address_only_the_allowed_one_is_connected_to() {
    let server = Server::answering(ok("it")).await;
    let client = client_with(&["127.0.0.1"], &[("both.test", &["10.0.0.1", "127.0.0.1"])], LIMITS);
    let url = format!("http://both.test:{}/", server.port);
    let session = client.session("h");
    let response = session.send(get(&url)).await.expect("an answer");
    assert_eq!(text(response).await.as_deref(), Ok("it"));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_name_is_resolved_once_and_a_later_answer_changes_nothing() {
    let server = Server::answering(ok("it")).await;
    // The second question would get an address that is refused.
    let names: &[(&str, &[&str])] = &[("turn.test", &["127.0.0.1"]), ("turn.test", &["10.0.0.1"])];
    let client = client_with(&["127.0.0.1"], names, LIMITS);
    let url = format!("http://turn.test:{}/", server.port);
    let first = client.session("h");
    assert!(first.send(get(&url)).await.is_ok());
    let failure = failure(&client, get(&url)).await;
    assert!(failure.kind == Kind::Policy && failure.message.contains("10.0.0.1"), "{failure:?}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_grant_of_false_lets_nothing_out() {
    let server = Server::answering(ok("it")).await;
    let mut policy = NetPolicy { allow: vec!["127.0.0.1".parse().expect("a rule")], ..NetPolicy::default() };
    policy
        .grants
        .push(crate::domain::network::Grant { handlers: "h".parse().expect("a pattern"), net: Vec::new() });
    let client = Client::new(policy, LIMITS);
    let failure = failure(&client, get(&server.url("/"))).await;
    assert!(failure.message.contains("grants.\"h\".net is false"), "{failure:?}");
    assert!(client.session("other").send(get(&server.url("/"))).await.is_ok());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_name_that_is_not_found_and_a_port_without_a_server_have_the_codes_of_node() {
    let dns = failure(&client(), get("http://nowhere.test/")).await;
    assert_eq!((dns.kind, dns.code), (Kind::Dns, Some("ENOTFOUND")), "{dns:?}");
    let port = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("its address").port()
    };
    let refused = failure(&client(), get(&format!("http://127.0.0.1:{port}/"))).await;
    assert_eq!((refused.kind, refused.code), (Kind::Connect, Some("ECONNREFUSED")), "{refused:?}");
    assert_eq!(refused.message, format!("127.0.0.1:{port} refused the connection"));
}
