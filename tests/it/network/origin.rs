//! A server of HTTP on loopback that the tests control.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// Answers each connection's first request, or keeps it waiting.
pub(super) struct Origin {
    pub(super) port: u16,
    opened: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

impl Origin {
    /// Answers every request with this body.
    pub(super) fn answering(body: &str) -> Self {
        Self::sending(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    }

    /// Answers every request with these bytes.
    pub(super) fn sending(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Vec<u8> = answer.into();
        Self::with(move |mut stream| serve(&mut stream, &answer))
    }

    /// Answers over TLS, with a certificate of the tests' own authority.
    pub(super) fn over_tls(body: &str) -> Self {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let config = tls_config();
        Self::with(move |stream| {
            let connection = ServerConnection::new(config.clone()).expect("a connection");
            serve(&mut StreamOwned::new(connection, stream), answer.as_bytes());
        })
    }

    fn with(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (opened, closed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (opened.clone(), closed.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counts.0.fetch_add(1, Ordering::SeqCst);
                let (serve, closed) = (serve.clone(), counts.1.clone());
                thread::spawn(move || {
                    serve(stream);
                    closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, opened, closed }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Connections so far.
    pub(super) fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    /// Connections that the client has closed.
    pub(super) fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }
}

/// Answers until the client closes.
fn serve(stream: &mut (impl Read + Write), answer: &[u8]) {
    let mut heard = Vec::new();
    let mut chunk = [0; 4096];
    // A reset is an end as well.
    while let Ok(read) = stream.read(&mut chunk) {
        if read == 0 {
            return;
        }
        heard.extend_from_slice(&chunk[..read]);
        if heard.ends_with(b"\r\n\r\n") {
            heard.clear();
            if stream.write_all(answer).and_then(|()| stream.flush()).is_err() {
                return;
            }
        }
    }
}

fn tls_config() -> Arc<ServerConfig> {
    let read = |name: &str| {
        std::fs::read(format!("{}/tests/cases/tls/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a file")
    };
    let certificate = CertificateDer::from_pem_slice(&read("valid.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(&read("server.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate with its key");
    Arc::new(config)
}
