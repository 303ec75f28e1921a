//! The client against servers of our own on loopback.

mod bodies;
mod connections;
mod hostile;
mod redirects;
mod refused;
mod server;
mod tls;

use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use self::server::Server;
use super::{
    resolve::{Resolved, Resolver, Turns},
    tls::Tls,
    *,
};

const LIMITS: Limits = Limits { body: 1 << 20, requests: 100 };

/// A client that may reach loopback.
fn client() -> Client {
    client_with(&["127.0.0.1"], &[], LIMITS)
}

/// A client with `net.allow`, names of its own and limits.
fn client_with(allow: &[&str], names: &[(&str, &[&str])], limits: Limits) -> Client {
    let policy = NetPolicy {
        allow: allow.iter().map(|rule| rule.parse().expect("a rule")).collect(),
        ..NetPolicy::default()
    };
    let connector = Connector { resolver: Box::new(Names::new(names)), tls: Tls::with_roots(tls::roots) };
    Client(Arc::new(Shared { policy, limits, connector }))
}

fn get(url: &str) -> Request {
    Request::new("GET", url, &[], Redirect::Follow, Upload::None).expect("a request")
}

fn request(method: &str, url: &str, headers: &[(&str, &str)], body: Upload) -> Request {
    let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
    Request::new(method, url, &headers, Redirect::Follow, body).expect("a request")
}

async fn text(mut response: Response) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    while let Some(part) = response.body.next().await? {
        bytes.extend_from_slice(&part);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn failure(client: &Client, request: Request) -> Failure {
    let session = client.session("h");
    match session.send(request).await {
        Err(failure) => failure,
        Ok(response) => text(response).await.expect_err("a failure"),
    }
}

/// Names with the addresses that each question in turn gets.
struct Names(Mutex<Vec<(String, Vec<IpAddr>)>>);

impl Names {
    fn new(names: &[(&str, &[&str])]) -> Self {
        let parse = |addresses: &[&str]| addresses.iter().map(|a| a.parse().expect("an address")).collect();
        Self(Mutex::new(names.iter().map(|(name, found)| ((*name).to_owned(), parse(found))).collect()))
    }
}

impl Resolver for Names {
    fn resolve(&self, host: &str, _turns: &Turns) -> Resolved<'_> {
        let mut names = self.0.lock().expect("whole");
        let found = names.iter().position(|(name, _)| name == host).map(|index| names.remove(index).1);
        Box::pin(async { found.ok_or_else(|| io::Error::other("Name or service not known")) })
    }
}
