//! From names to addresses.

use std::{io, net::SocketAddr};

use async_trait::async_trait;

/// Looks names of hosts up.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// Returns every address of `host`, with `port`.
    ///
    /// # Errors
    /// Says that the name is not known, or that nobody can be asked.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// Asks the operating system, and so DNS.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}
