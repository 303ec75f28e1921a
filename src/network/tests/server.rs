//! Servers that say what a test tells them to.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

/// A server on a port of its own; ends when it is dropped.
pub(super) struct Server {
    pub(super) port: u16,
    connections: Arc<AtomicUsize>,
    /// The heads and bodies of requests, as they came.
    pub(super) requests: mpsc::UnboundedReceiver<String>,
    /// Gets a message for each connection that the other side has closed.
    pub(super) closed: mpsc::UnboundedReceiver<()>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Answers every request of every connection with these bytes, and closes if they say so.
    pub(super) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<Vec<u8>> = Arc::new(answer.into());
        Self::with(move |peer| answer_all(peer, answer.clone())).await
    }

    pub(super) async fn with<F, W>(serve: F) -> Self
    where
        F: Fn(Peer) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (heard, requests) = mpsc::unbounded_channel();
        let (ended, closed) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let count = connections.clone();
        tasks.spawn(async move {
            let mut peers = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                peers.spawn(serve(Peer { stream, heard: heard.clone(), ended: ended.clone() }));
            }
        });
        Self { port, connections, requests, closed, _tasks: tasks }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) async fn request(&mut self) -> String {
        self.requests.recv().await.expect("a request")
    }
}

/// A connection of a client.
pub(super) struct Peer {
    pub(super) stream: TcpStream,
    heard: mpsc::UnboundedSender<String>,
    ended: mpsc::UnboundedSender<()>,
}

impl Peer {
    /// Reads a request, its body included if it has a length or is chunked; `false` at the end.
    pub(super) async fn hear(&mut self) -> bool {
        let mut text = Vec::new();
        loop {
            let so_far = String::from_utf8_lossy(&text).into_owned();
            if is_whole(&so_far) {
                // The test may have ended.
                let _ = self.heard.send(so_far);
                return true;
            }
            match self.stream.read_buf(&mut text).await {
                Ok(0) | Err(_) => {
                    let _ = self.ended.send(());
                    return false;
                }
                Ok(_) => {}
            }
        }
    }

    /// Sends bytes; `false` when the client is gone.
    pub(super) async fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| length.parse::<usize>().is_ok_and(|length| body.len() >= length))
}

async fn answer_all(mut peer: Peer, answer: Arc<Vec<u8>>) {
    while peer.hear().await {
        if !peer.say(answer.as_slice()).await || answer.windows(17).any(|w| w == b"connection: close") {
            return;
        }
    }
}

/// An answer with a body of this length.
pub(super) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
