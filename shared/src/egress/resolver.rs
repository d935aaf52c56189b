//! The resolver of the client: it gives out no address that is refused.

use std::fmt::Debug;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::refused;
use super::error::Refusal;

/// The addresses of a name, or why there are none.
pub type Found = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;

/// Looks names up. Where the outside world begins: tests put an answer of their own here.
pub trait Lookup: Debug + Send + Sync + 'static {
    /// The addresses of a name, with all aliases (CNAME) followed.
    fn addresses(&self, name: &str) -> Found;
}

/// The system's own look-up (`/etc/hosts`, `resolv.conf`).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn addresses(&self, name: &str) -> Found {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Asks a [`Lookup`], and leaves out what is refused.
#[derive(Debug, Clone)]
pub(super) struct GuardedResolver {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) allow: Arc<[IpNet]>,
}

impl GuardedResolver {
    async fn permitted(self, name: String) -> Result<Vec<SocketAddr>, BoxedError> {
        let found = self.lookup.addresses(&name).await?;
        let mut refusal = None;
        let mut permitted = Vec::with_capacity(found.len());
        for address in found {
            match refused(&self.allow, address) {
                None => permitted.push(SocketAddr::new(address, 0)),
                Some(special) => refusal = refusal.or(Some(special)),
            }
        }
        match refusal {
            Some(special) if permitted.is_empty() => Err(Refusal::LeadsTo {
                host: name,
                special,
            }
            .into()),
            _ => Ok(permitted),
        }
    }
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let permitted = self.clone().permitted(name.as_str().to_owned());
        Box::pin(async move {
            let addresses: Addrs = Box::new(permitted.await?.into_iter());
            Ok(addresses)
        })
    }
}
