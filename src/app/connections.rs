//! Connections: a bounded number of clients at once, each with a bounded time for the head of a request.
//!
//! Without these bounds anyone who reaches the port could hold every file that the process may open, and handlers
//! could not be read any more.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tower_service::Service;

/// A client sends the head of its next request within this time, or its connection is closed.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// After a failure to accept, such as too many open files.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The most connections, however many files the process may open.
const MOST: u64 = 16_384;

/// Lets the process open as many files as the system allows it, and returns the number of connections that leave
/// half of them to handlers, runners and the store.
pub(super) fn make_room() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let files = if raised { maximum } else { current };
    let most = files.map_or(MOST, |files| (files / 2).clamp(1, MOST));
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// Answers requests until `stop`, `most` connections at once. Then it takes no more, and returns when those that
/// are open have answered.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    most: usize,
    stop: impl Future<Output = ()>,
) {
    let (open, free) = (GracefulShutdown::new(), Arc::new(Semaphore::new(most)));
    let mut stop = pin!(stop);
    loop {
        let (client, peer, place) = select! {
            biased;
            () = &mut stop => break,
            accepted = accept(&listener, &free, most) => accepted,
        };
        let router = router.clone();
        let service = service_fn(move |request| answer(router.clone(), peer, request));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
        let connection = open.watch(http.serve_connection(TokioIo::new(client), service));
        tokio::spawn(async move {
            // A client that goes away, or is too slow, ends its own connection alone.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    open.shutdown().await;
}

/// Waits for a place and for a client.
async fn accept(
    listener: &TcpListener,
    free: &Arc<Semaphore>,
    most: usize,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        if free.available_permits() == 0 {
            tracing::warn!(connections = most, "every connection is taken: clients wait until one ends");
        }
        let place = match free.clone().acquire_owned().await {
            Ok(place) => place,
            // Nobody closes the semaphore.
            Err(_) => std::future::pending().await,
        };
        match listener.accept().await {
            Ok((client, peer)) => return (client, peer, place),
            // The client has gone already.
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                sleep(AGAIN_AFTER).await;
            }
        }
    }
}

fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn answer(
    mut router: Router,
    peer: SocketAddr,
    mut request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    router.call(request.map(Body::new)).await
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::oneshot,
        time::{Instant, timeout},
    };

    use super::*;

    const WHOLE: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    /// A server with this many connections at once; dropping the sender stops it.
    async fn start(most: usize) -> (SocketAddr, oneshot::Sender<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (hang_up, hung_up) = oneshot::channel();
        let router =
            Router::new().route("/", get(|peer: ConnectInfo<SocketAddr>| async move { peer.0.to_string() }));
        tokio::spawn(serve(listener, router, most, async {
            let _ = hung_up.await;
        }));
        (address, hang_up)
    }

    async fn send(address: SocketAddr, text: &[u8]) -> TcpStream {
        let mut client = TcpStream::connect(address).await.expect("it connects");
        client.write_all(text).await.expect("it is sent");
        client
    }

    async fn read(client: &mut TcpStream) -> String {
        let mut text = String::new();
        client.read_to_string(&mut text).await.expect("text");
        text
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_finish_the_head_of_a_request_is_cut_off_and_its_place_is_free() {
        let (address, _hang_up) = start(1).await;
        let since = Instant::now();
        let mut half = send(address, &WHOLE[..20]).await;
        let mut whole = send(address, WHOLE).await;
        let answer = read(&mut whole).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.ends_with(&whole.local_addr().expect("an address").to_string()), "{answer}");
        assert!(
            since.elapsed() >= HEAD_WITHIN,
            "the second client has waited for the place of the first one"
        );
        assert_eq!(read(&mut half).await, "");
    }

    #[tokio::test]
    async fn a_stop_answers_what_is_asked_and_takes_no_more() {
        let (address, hang_up) = start(8).await;
        let mut client = send(address, WHOLE).await;
        let answer = read(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        drop(hang_up);
        let refused = async { while TcpStream::connect(address).await.is_ok() {} };
        timeout(Duration::from_secs(10), refused).await.expect("it takes no more");
    }
}
