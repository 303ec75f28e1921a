//! The addresses that a handler reaches.

use serde_json::{Value, json};

use super::origin::Origin;
use crate::harness::{Home, Options, Server};

/// Fetches `params.url` and tells what came of it.
const FETCH: &str = "module.exports = async ({ url }) => {
    try {
        const response = await fetch(url);
        return { status: response.status, text: await response.text() };
    } catch (error) {
        const { cause = {} } = error;
        return { name: error.name, code: cause.code, message: `${error.message}: ${cause.message}` };
    }
};";

fn fetch(server: &Server, handler: &str, url: &str) -> Value {
    server.run_source(handler, FETCH, &json!({ "params": { "url": url } }))
}

#[test]
fn a_request_reaches_what_net_allow_names_and_is_counted() {
    let origin = Origin::answering("it");
    let server = Options::default().set("NET__ALLOW", "127.0.0.1").start();
    let execution = fetch(&server, "fetches", &origin.url());
    assert_eq!(execution["result"], json!({ "status": 200, "text": "it" }), "{execution}");
    let usage = &execution["usage"];
    assert_eq!(usage["requests"], 1, "{usage}");
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nit".len();
    assert_eq!(usage["bytesReceived"], answer, "{usage}");
    assert!(usage["bytesSent"].as_u64() > Some(50), "{usage}");
}

#[test]
fn a_private_address_is_refused_with_the_setting_that_would_allow_it() {
    let origin = Origin::answering("secret");
    let server = Server::start();
    let id = server.create_dormant("fetches", FETCH, &json!({}));
    for host in ["127.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{}/", origin.port);
        let execution = server.run_with(&id, &json!({ "url": url }));
        let result = &execution["result"];
        assert_eq!(result["name"], "TypeError", "{execution}");
        assert_eq!(result["code"], "ERR_ACCESS_DENIED", "{result}");
        let message = result["message"].as_str().unwrap_or_default();
        assert!(message.contains("loopback") && message.contains("net.allow = [\""), "{message}");
        assert_eq!(execution["usage"]["bytesSent"], 0);
    }
    assert_eq!(origin.opened(), 0);
}

#[test]
fn a_grant_narrows_the_net_for_one_handler() {
    let origin = Origin::answering("it");
    let home = Home::new();
    let config =
        "[net]\nallow = ['127.0.0.1']\n[grants]\nquiet.net = false\n'reports/*'.net = ['10.0.0.0/8']\n";
    std::fs::write(home.path().join("isochron.toml"), config).expect("written");
    let server = Options::default().start_in(home).expect("it starts");
    for (handler, words) in
        [("quiet", "grants.\"quiet\".net is false"), ("reports/x", "grants.\"reports/*\".net")]
    {
        let execution = fetch(&server, handler, &origin.url());
        let message = execution["result"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{handler}: {execution}");
    }
    assert_eq!(origin.opened(), 0);
    assert_eq!(fetch(&server, "free", &origin.url())["result"]["text"], "it");
}

#[test]
fn tls_trusts_the_authorities_of_the_system() {
    let origin = Origin::over_tls("sealed");
    let authority = format!("{}/tests/cases/tls/ca.pem", env!("CARGO_MANIFEST_DIR"));
    let trusting = Options::default().set("NET__ALLOW", "127.0.0.1").environment("SSL_CERT_FILE", &authority);
    let server = trusting.start();
    let url = format!("https://127.0.0.1:{}/", origin.port);
    assert_eq!(fetch(&server, "fetches", &url)["result"]["text"], "sealed");
    let other = Options::default().set("NET__ALLOW", "127.0.0.1").start();
    let execution = fetch(&other, "fetches", &url);
    assert_eq!(execution["result"]["code"], "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "{execution}");
}

#[test]
fn a_run_without_a_server_has_the_same_rules() {
    let origin = Origin::answering("it");
    let home = Home::new();
    home.write("f", FETCH);
    let params = json!({ "url": origin.url() }).to_string();
    let run = |allow: &str| {
        let mut command = home.command(&["run", "f", "--params", &params]);
        let output = command.env("ISOCHRON_NET__ALLOW", allow).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let refused = run("");
    assert!(refused.contains("ERR_ACCESS_DENIED"), "{refused}");
    assert_eq!(origin.opened(), 0);
    let fetched = run("127.0.0.1");
    assert!(fetched.contains("\"text\": \"it\""), "{fetched}");
}
