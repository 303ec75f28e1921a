//! Names to addresses.

use std::{
    future::Future,
    io,
    net::{IpAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
};

use tokio::{sync::Semaphore, task::spawn_blocking};

/// Names that are resolved at a time. Each takes a thread, for as long as the system's resolver
/// waits, even after its request has ended.
const AT_ONCE: usize = 64;

/// The addresses of a name, in the order in which they are to be tried.
pub(super) type Resolved<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Names that are resolved at a time for one session, so that none of them holds up all others.
const AT_ONCE_IN_SESSION: usize = 8;

/// The turns of a session at the resolver.
#[derive(Clone)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE_IN_SESSION)))
    }
}

/// Resolves names.
pub(super) trait Resolver: Send + Sync {
    fn resolve(&self, host: &str, turns: &Turns) -> Resolved<'_>;
}

/// The system's resolver.
pub(super) struct SystemResolver(Arc<Semaphore>);

impl Default for SystemResolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str, turns: &Turns) -> Resolved<'_> {
        let (all, Turns(own), host) = (self.0.clone(), turns.clone(), host.to_owned());
        Box::pin(async move {
            let own = own.acquire_owned().await.map_err(io::Error::other)?;
            let permit = all.acquire_owned().await.map_err(io::Error::other)?;
            let resolve = move || {
                // Held for as long as the thread is, even if the request has ended.
                let _held = (own, permit);
                let found = (host.as_str(), 0).to_socket_addrs()?;
                Ok(found.map(|address| address.ip()).collect())
            };
            spawn_blocking(resolve).await.map_err(io::Error::other)?
        })
    }
}
