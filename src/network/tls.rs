//! TLS: the trusted authorities, and handshakes.

use std::{io, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::{sync::OnceCell, task::spawn_blocking};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Failure, failure::Kind, stream::Counted};

/// The client's half of TLS, made at the first request that needs it.
pub(super) struct Tls {
    connector: OnceCell<TlsConnector>,
    load_roots: fn() -> RootCertStore,
}

impl Tls {
    /// Trusts the system's roots, or Mozilla's if it has none.
    pub(super) fn of_system() -> Self {
        Self::with_roots(load_roots)
    }

    pub(super) fn with_roots(load_roots: fn() -> RootCertStore) -> Self {
        Self { connector: OnceCell::new(), load_roots }
    }

    /// Makes the handshake. The certificate must be for `host`.
    pub(super) async fn handshake(
        &self,
        host: &str,
        stream: Counted,
    ) -> Result<Box<TlsStream<Counted>>, Failure> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Failure::new(Kind::Tls, format!("no certificate can be for the name {host}")))?;
        let connector = self.connector.get_or_try_init(|| make_connector(self.load_roots)).await?;
        let handshake = connector.connect(name, stream).await;
        handshake.map(Box::new).map_err(|error| Failure::of_tls(host, &error))
    }
}

async fn make_connector(load_roots: fn() -> RootCertStore) -> Result<TlsConnector, Failure> {
    let made = spawn_blocking(move || make_config(load_roots())).await.map_err(io::Error::other).flatten();
    let config = made.map_err(|error| Failure::new(Kind::Tls, format!("TLS does not start: {error}")))?;
    Ok(TlsConnector::from(Arc::new(config)))
}

fn make_config(roots: RootCertStore) -> io::Result<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The roots of the system, or Mozilla's.
fn load_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::info!("this system has no root certificates: Mozilla's are used");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}
