//! The places for connections: so many in all, and so many for each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gateway_shared::config::ApiConfig;

use super::descriptors;

/// How often refusals are logged, at most.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// The connections of this process.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    most_per_address: usize,
    taken: Mutex<Taken>,
    refused: AtomicU64,
    expired: AtomicU64,
    failed: AtomicU64,
    logged: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// What became of connections since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Open now.
    pub(crate) open: usize,
    /// Turned away because there was no place.
    pub(crate) refused: u64,
    /// Closed because a deadline was over.
    pub(crate) expired: u64,
    /// Not accepted, for want of a descriptor or the like.
    pub(crate) failed: u64,
}

/// There is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("this process has as many connections as it may have")]
    Process,
    #[error("this address has as many connections as one may have")]
    Address,
}

/// A place, for as long as it is held.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    address: IpAddr,
}

impl Connections {
    /// Places as configured, and no more than the system has room for.
    pub(crate) fn new(config: &ApiConfig) -> Arc<Self> {
        let room = descriptors::for_clients();
        let most = config.max_connections.min(room);
        if most < config.max_connections {
            tracing::warn!(
                configured = config.max_connections,
                most,
                "the limit of open files leaves room for fewer connections than configured"
            );
        }
        Self::of(most, config.max_connections_per_address)
    }

    fn of(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            // One address never takes all places.
            most_per_address: most_per_address.min((most - most / 4).max(1)),
            taken: Mutex::default(),
            refused: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            logged: Mutex::default(),
        })
    }

    /// A place for a connection from this address.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let address = one_client(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.most {
            return Err(Full::Process);
        }
        let of_address = taken.by_address.entry(address).or_default();
        if *of_address >= self.most_per_address {
            return Err(Full::Address);
        }
        *of_address += 1;
        taken.all += 1;
        Ok(Place {
            connections: self.clone(),
            address,
        })
    }

    /// Counts a connection that was turned away.
    pub(super) fn count_refused(&self, full: Full) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if self.may_log() {
            tracing::warn!(%full, refused, "connections are turned away");
        }
    }

    /// Counts a connection that could not be accepted.
    pub(super) fn count_failed(&self, error: &std::io::Error) {
        let failed = self.failed.fetch_add(1, Ordering::Relaxed) + 1;
        if self.may_log() {
            tracing::error!(%error, failed, "connections can not be accepted");
        }
    }

    /// Counts a connection that was closed because a deadline was over.
    pub(super) fn count_expired(&self, why: &'static str) {
        let expired = self.expired.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::debug!(why, expired, "a connection was closed");
    }

    /// What became of connections since the process began.
    pub(crate) fn counts(&self) -> Counts {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        Counts {
            open: taken.all,
            refused: self.refused.load(Ordering::Relaxed),
            expired: self.expired.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    fn may_log(&self) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let may = logged.is_none_or(|at| at.elapsed() >= LOG_PAUSE);
        if may {
            *logged = Some(Instant::now());
        }
        may
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &self.connections.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(of_address) = taken.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

/// The address that one client counts under: of IPv6 the network of 64 bits, all of which one
/// client usually has.
fn one_client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            [a, b, c, d, 0, 0, 0, 0].into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_bounded_in_all_and_for_each_address() {
        let connections = Connections::of(4, 2);
        let one = address("192.0.2.1");
        let held = [
            connections.take(one).unwrap(),
            connections.take(one).unwrap(),
        ];
        assert_eq!(connections.take(one).unwrap_err(), Full::Address);
        let mapped = address("::ffff:192.0.2.1");
        assert_eq!(connections.take(mapped).unwrap_err(), Full::Address);
        let others =
            ["192.0.2.2", "192.0.2.3"].map(|text| connections.take(address(text)).unwrap());
        let late = address("192.0.2.4");
        assert_eq!(connections.take(late).unwrap_err(), Full::Process);
        drop(held);
        connections.take(one).unwrap();
        drop(others);
        assert_eq!(connections.counts().open, 0);
        assert!(connections.taken.lock().unwrap().by_address.is_empty());
    }

    #[test]
    fn one_address_never_takes_all_places() {
        let connections = Connections::of(8, 1_000);
        let one = address("192.0.2.1");
        let held: Vec<_> = std::iter::from_fn(|| connections.take(one).ok()).collect();
        assert_eq!(held.len(), 6);
        connections.take(address("192.0.2.2")).unwrap();
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let connections = Connections::of(100, 1);
        let _held = connections.take(address("2001:db8::1")).unwrap();
        assert!(connections.take(address("2001:db8::2")).is_err());
        assert!(connections.take(address("2001:db8:0:1::1")).is_ok());
    }
}
