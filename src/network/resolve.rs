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

/// Resolves names.
pub(super) trait Resolver: Send + Sync {
    fn resolve(&self, host: &str) -> Resolved<'_>;
}

/// The system's resolver.
pub(super) struct SystemResolver(Arc<Semaphore>);

impl Default for SystemResolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str) -> Resolved<'_> {
        let (permits, host) = (self.0.clone(), host.to_owned());
        Box::pin(async move {
            let permit = permits.acquire_owned().await.map_err(io::Error::other)?;
            let resolve = move || {
                let _permit = permit;
                let found = (host.as_str(), 0).to_socket_addrs()?;
                Ok(found.map(|address| address.ip()).collect())
            };
            spawn_blocking(resolve).await.map_err(io::Error::other)?
        })
    }
}
