//! Network: the one HTTP client of the server, for the requests of handlers.
//!
//! A [`Client`] belongs to the server, a [`Session`] to one run: it has connections of its own, which
//! no other run ever uses and which end with it. A request: [`Request::new`] checks its parts →
//! [`Session::send`] → a connection that is free, or a new one, whose host and addresses the rules
//! of `domain::network` have vetted → the head of the response, or the next hop of a redirect, with
//! all of this anew → [`Download`] hands out the body, decoded and bounded.
//!
//! Nothing here reads proxy variables. Every failure has a [`Kind`] and, where Node has one, its
//! code.
//!
//! How to misuse it: send a request whose reach was made for another handler; keep a [`Response`]
//! that nobody reads, which keeps its connection.

mod connect;
mod connections;
mod decode;
mod failure;
mod redirect;
mod request;
mod resolve;
mod response;
mod session;
mod stream;
mod tls;

pub use self::{
    failure::{Failure, Kind},
    request::{Redirect, Request, Upload, stream},
    response::{Download, Response},
    session::Session,
};

use std::sync::Arc;

use self::{connect::Connector, resolve::SystemResolver, tls::Tls};
use crate::domain::network::{NetPolicy, NetRule};

/// The limits of one session.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the body of a response, decoded.
    pub body: u64,
    /// Requests, redirects included.
    pub requests: u32,
}

/// The client: the rules, the trusted authorities, the resolver.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    policy: NetPolicy,
    limits: Limits,
    connector: Connector,
}

impl Client {
    /// A client that keeps to these rules and limits.
    #[must_use]
    pub fn new(policy: NetPolicy, limits: Limits) -> Self {
        let connector = Connector { resolver: Box::new(SystemResolver::default()), tls: Tls::of_system() };
        Self(Arc::new(Shared { policy, limits, connector }))
    }

    /// The requests of one run of a handler.
    #[must_use]
    pub fn session(&self, handler: &str) -> Session {
        Session::new(self.clone(), self.0.policy.reach_of(handler))
    }

    /// The requests of the server itself to a place that its settings name: allowed whatever class its
    /// addresses have, unless `net.deny` has it.
    #[must_use]
    pub fn session_to(&self, place: NetRule) -> Session {
        Session::new(self.clone(), self.0.policy.reach_to(place))
    }

    fn limits(&self) -> Limits {
        self.0.limits
    }

    fn connector(&self) -> &Connector {
        &self.0.connector
    }
}

#[cfg(test)]
mod tests;
