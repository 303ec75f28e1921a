//! New connections: a name is resolved once, every address is vetted, and the connection is made to
//! exactly a vetted one.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use url::{Host, Url};

use super::{
    Failure,
    failure::Kind,
    resolve::{Resolver, Turns},
    stream::{Counted, Counters, HeadBudget, Stream, Transport},
    tls::Tls,
};
use crate::domain::network::Reach;

/// For the name, the connection and the TLS handshake together.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// The next address is tried beside the one before it after this time (RFC 8305).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// The most addresses of a name that are tried.
const MOST_ADDRESSES: usize = 8;

/// Scheme, host and port: requests with the same one may share a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) tls: bool,
    /// A name, or an address without brackets.
    pub(super) host: String,
    address: Option<IpAddr>,
    pub(super) port: u16,
}

impl Endpoint {
    /// The endpoint of an `http:` or `https:` URL.
    pub(super) fn of(url: &Url) -> Result<Self, Failure> {
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            other => {
                return Err(Failure::new(
                    Kind::Request,
                    format!("the URL has the scheme {other}: only http and https are possible"),
                ));
            }
        };
        let no_host = || Failure::new(Kind::Request, "the URL has no host");
        let (host, address) = match url.host().ok_or_else(no_host)? {
            Host::Domain(name) => (name.to_owned(), None),
            Host::Ipv4(address) => (address.to_string(), Some(IpAddr::V4(address))),
            Host::Ipv6(address) => (address.to_string(), Some(IpAddr::V6(address))),
        };
        let port = url.port_or_known_default().ok_or_else(no_host)?;
        Ok(Self { tls, host, address, port })
    }
}

/// Makes connections.
pub(super) struct Connector {
    pub(super) resolver: Box<dyn Resolver>,
    pub(super) tls: Tls,
}

/// A new connection, and whether the two sides agreed on HTTP/2.
pub(super) struct Connected {
    pub(super) stream: Stream,
    pub(super) head: HeadBudget,
    pub(super) http2: bool,
}

impl Connector {
    /// Connects to an endpoint that the rules allow.
    pub(super) async fn connect(
        &self,
        endpoint: &Endpoint,
        (reach, turns): (&Reach, &Turns),
        counters: &Arc<Counters>,
    ) -> Result<Connected, Failure> {
        let connecting = async {
            let addresses = self.vet(endpoint, reach, turns).await?;
            let tcp = dial(endpoint, &addresses).await?;
            // A small request is sent at once, or not sent faster: a failure does not matter.
            let _ = tcp.set_nodelay(true);
            let counted = Counted { tcp, counters: counters.clone() };
            let (transport, http2) = if endpoint.tls {
                let tls = self.tls.handshake(&endpoint.host, counted).await?;
                let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
                (Transport::Tls(tls), http2)
            } else {
                (Transport::Plain(counted), false)
            };
            let head = HeadBudget::default();
            Ok(Connected { stream: Stream { transport, head: head.clone() }, head, http2 })
        };
        let late = |_| {
            let seconds = CONNECT_WITHIN.as_secs();
            let message = format!("no connection to {}:{} within {seconds} s", endpoint.host, endpoint.port);
            Failure::coded(Kind::Timeout, "ETIMEDOUT", message)
        };
        timeout(CONNECT_WITHIN, connecting).await.map_err(late).flatten()
    }

    /// The addresses of an endpoint that the rules allow; an error if there is none.
    async fn vet(
        &self,
        endpoint: &Endpoint,
        reach: &Reach,
        turns: &Turns,
    ) -> Result<Vec<SocketAddr>, Failure> {
        let Endpoint { host, port, .. } = endpoint;
        let refuse = |message| Failure::coded(Kind::Policy, "ERR_ACCESS_DENIED", message);
        reach.check_host(host, *port).map_err(refuse)?;
        let found = match endpoint.address {
            Some(address) => vec![address],
            None => self
                .resolver
                .resolve(host, turns)
                .await
                .map_err(|error| Failure::of_resolving(host, &error))?,
        };
        let mut refusal = None;
        let mut allowed = Vec::new();
        for address in found {
            match reach.check_address(host, address, *port) {
                Ok(()) => allowed.push(SocketAddr::new(address, *port)),
                Err(message) => refusal = refusal.or(Some(refuse(message))),
            }
        }
        match refusal {
            Some(refusal) if allowed.is_empty() => Err(refusal),
            _ if allowed.is_empty() => {
                Err(Failure::coded(Kind::Dns, "ENOTFOUND", format!("the name {host} has no address")))
            }
            _ => {
                allowed.truncate(MOST_ADDRESSES);
                Ok(allowed)
            }
        }
    }
}

/// The first connection that is made; each address is tried some time after the one before it, or
/// as soon as that one has failed.
async fn dial(endpoint: &Endpoint, addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
    let mut rest = addresses.iter().copied();
    let mut attempts = JoinSet::new();
    let mut failure = None;
    loop {
        let next = rest.next();
        if let Some(address) = next {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        let ended = tokio::select! {
            ended = attempts.join_next() => ended,
            () = sleep(NEXT_ADDRESS), if rest.len() > 0 => continue,
        };
        match ended {
            Some(Ok((_, Ok(tcp)))) => return Ok(tcp),
            Some(Ok((address, Err(error)))) => {
                failure.get_or_insert_with(|| {
                    let shown = crate::domain::network::show(&endpoint.host, address.ip(), endpoint.port);
                    Failure::of_connecting(&shown, &error)
                });
            }
            Some(Err(error)) => {
                failure
                    .get_or_insert_with(|| Failure::of_connecting(&endpoint.host, &io::Error::other(error)));
            }
            None => {
                return Err(failure.unwrap_or_else(|| Failure::new(Kind::Connect, "no address was tried")));
            }
        }
    }
}
