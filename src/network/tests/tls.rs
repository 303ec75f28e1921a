//! TLS: trusted, expired, unknown and misnamed certificates; HTTP/2.

use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

use super::*;

const AUTHORITY: &[u8] = include_bytes!("../../../tests/cases/tls/ca.pem");
const VALID: &[u8] = include_bytes!("../../../tests/cases/tls/valid.pem");
const EXPIRED: &[u8] = include_bytes!("../../../tests/cases/tls/expired.pem");
const KEY: &[u8] = include_bytes!("../../../tests/cases/tls/server.key");

/// The roots of the tests' clients.
pub(super) fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY).expect("a certificate")).expect("a root");
    roots
}

/// A server that answers with the version of HTTP that the two sides agreed on.
async fn serve(certificate: &'static [u8], protocols: &'static [&'static str]) -> Server {
    let certificates = vec![CertificateDer::from_pem_slice(certificate).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .expect("a certificate with its key");
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Server::with(move |peer| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(peer.stream).await else { return };
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let service = service_fn(|request: hyper::Request<Incoming>| async move {
                let said = format!("{:?} {}", request.version(), request.uri().path());
                Ok::<_, std::convert::Infallible>(hyper::Response::new(Full::new(Bytes::from(said))))
            });
            // The client may close at any time.
            if http2 {
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            } else {
                let builder = hyper::server::conn::http1::Builder::new();
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            }
        }
    })
    .await
}

fn named(name: &str) -> Client {
    let addresses: &[&str] = &["127.0.0.1"];
    client_with(&["127.0.0.1"], &[(name, addresses)], LIMITS)
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    for (protocols, said) in [
        (&["h2", "http/1.1"] as &[&str], "HTTP/2.0 /x"),
        (&["http/1.1"], "HTTP/1.1 /x"),
        (&[], "HTTP/1.1 /x"),
    ] {
        let server = serve(VALID, protocols).await;
        let client = named("secure.test");
        let session = client.session("h");
        for _ in 0..2 {
            let url = format!("https://secure.test:{}/x", server.port);
            let response = session.send(get(&url)).await.expect("an answer");
            assert_eq!(text(response).await.as_deref(), Ok(said));
        }
        assert_eq!(server.connections(), 1, "{said}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_is_refused_with_its_reason() {
    let expired = serve(EXPIRED, &[]).await;
    let other = serve(VALID, &[]).await;
    for (server, name, code) in [
        (&expired, "secure.test", "CERT_HAS_EXPIRED"),
        (&other, "other.test", "ERR_TLS_CERT_ALTNAME_INVALID"),
    ] {
        let failure = failure(&named(name), get(&format!("https://{name}:{}/", server.port))).await;
        assert_eq!((failure.kind, failure.code), (Kind::Tls, Some(code)), "{failure:?}");
    }
    let connector = Connector {
        resolver: Box::new(Names::new(&[("secure.test", &["127.0.0.1"])])),
        tls: Tls::with_roots(RootCertStore::empty),
    };
    let policy = NetPolicy { allow: vec!["127.0.0.1".parse().expect("a rule")], ..NetPolicy::default() };
    let distrusting = Client(Arc::new(Shared { policy, limits: LIMITS, connector }));
    let failure = failure(&distrusting, get(&format!("https://secure.test:{}/", other.port))).await;
    assert_eq!(
        (failure.kind, failure.code),
        (Kind::Tls, Some("UNABLE_TO_VERIFY_LEAF_SIGNATURE")),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_server_without_tls_is_a_failure_of_the_handshake() {
    let server = Server::with(|mut peer| async move {
        peer.say("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let url = format!("https://127.0.0.1:{}/", server.port);
    let failure = failure(&client(), get(&url)).await;
    assert_eq!(failure.kind, Kind::Tls, "{failure:?}");
}
