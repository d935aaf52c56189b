//! What one organization may take of this process: requests, bytes, and room for waiting sends.
//!
//! The limits hold for each API process by itself, except that of waiting sends, which is about what
//! is in Redis. Requests and bytes are counted by governor (GCRA): who rested may take a whole
//! minute's worth at once and gets it back evenly.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gateway_shared::config::QuotaConfig;
use gateway_shared::domain::OrganizationId;
use gateway_shared::lane::Lanes;
use gateway_shared::redis::RedisFailure;
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::error::{ApiError, Code};

/// Bytes are counted by so many.
const BYTES: u64 = 1_024;
/// How long what was seen of an organization's waiting sends counts.
const FRESH: Duration = Duration::from_secs(1);
/// When to try again where too many sends wait.
const RETRY_MS: u64 = 5_000;
/// What nobody used for a while is forgotten once in so many requests.
const TIDY: u32 = 4_096;

type Limiter = RateLimiter<OrganizationId, HashMapStateStore<OrganizationId>, DefaultClock>;

/// The quotas of all organizations.
#[derive(Debug)]
pub(crate) struct Quotas {
    requests: Option<Limiter>,
    bytes: Option<Limiter>,
    most_waiting: u64,
    waiting: Mutex<HashMap<OrganizationId, Waiting>>,
    asked: AtomicU32,
}

/// The quota of the organization that a request is for.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    quotas: Arc<Quotas>,
    organization: OrganizationId,
}

/// The waiting sends of an organization as they were seen last, with what was accepted since.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    sends: u64,
    seen: Instant,
}

impl Quotas {
    pub(crate) fn new(config: &QuotaConfig) -> Arc<Self> {
        let minute = |cells: u32| {
            let quota = NonZeroU32::new(cells).map(Quota::per_minute);
            quota.map(RateLimiter::hashmap)
        };
        let kilobytes = u32::try_from(config.bytes_per_min.div_ceil(BYTES)).unwrap_or(u32::MAX);
        Arc::new(Self {
            requests: minute(config.requests_per_min),
            bytes: minute(kilobytes),
            most_waiting: config.waiting,
            waiting: Mutex::default(),
            asked: AtomicU32::new(0),
        })
    }

    /// Counts a request of an organization, and gives its allowance for the rest of it.
    ///
    /// # Errors
    /// 429 where it made too many.
    pub(crate) fn request(
        self: &Arc<Self>,
        organization: &OrganizationId,
    ) -> Result<Allowance, ApiError> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % TIDY == TIDY - 1 {
            self.tidy();
        }
        spend(self.requests.as_ref(), organization, 1, "requests")?;
        Ok(Allowance {
            quotas: self.clone(),
            organization: organization.clone(),
        })
    }

    fn tidy(&self) {
        for limiter in [&self.requests, &self.bytes].into_iter().flatten() {
            limiter.retain_recent();
        }
        self.seen()
            .retain(|_, waiting| waiting.seen.elapsed() < FRESH);
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<OrganizationId, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so many more sends of an organization may wait, and if so counts them. What is in
    /// Redis is looked at once a second; processes that accept at the same time may be over by what
    /// they accept in that second.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub(crate) async fn may_wait(
        &self,
        lanes: &Lanes,
        organization: &OrganizationId,
        sends: usize,
    ) -> Result<bool, RedisFailure> {
        if self.most_waiting == 0 {
            return Ok(true);
        }
        let seen = self.seen().get(organization).copied();
        let fresh = seen.is_some_and(|waiting| waiting.seen.elapsed() < FRESH);
        if !fresh {
            let waiting = Waiting {
                sends: lanes.waiting(organization).await?,
                seen: Instant::now(),
            };
            self.seen().insert(organization.clone(), waiting);
        }
        let mut seen = self.seen();
        let Some(waiting) = seen.get_mut(organization) else {
            return Ok(true);
        };
        let total = waiting.sends.saturating_add(sends as u64);
        let fits = total <= self.most_waiting;
        if fits {
            waiting.sends = total;
        }
        Ok(fits)
    }

    /// Too many sends of an organization wait.
    pub(crate) fn too_many_waiting(&self) -> ApiError {
        ApiError::new(
            Code::RateLimited,
            "too many sends of the organization wait already",
        )
        .with("window", "waiting")
        .with("limit", self.most_waiting)
        .with("retryAfterMs", RETRY_MS)
        .retry_after(RETRY_MS)
    }
}

impl Allowance {
    /// Spends so many bytes of a body.
    ///
    /// # Errors
    /// 429 where the organization sent too many.
    pub(crate) fn spend_bytes(&self, bytes: usize) -> Result<(), ApiError> {
        let cells = (bytes as u64).div_ceil(BYTES);
        let cells = u32::try_from(cells).unwrap_or(u32::MAX);
        spend(
            self.quotas.bytes.as_ref(),
            &self.organization,
            cells,
            "bytes",
        )
    }
}

fn spend(
    limiter: Option<&Limiter>,
    organization: &OrganizationId,
    cells: u32,
    window: &'static str,
) -> Result<(), ApiError> {
    let (Some(limiter), Some(cells)) = (limiter, NonZeroU32::new(cells)) else {
        return Ok(());
    };
    let wait = match limiter.check_key_n(organization, cells) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(not_until)) => not_until.wait_time_from(DefaultClock::default().now()),
        // More than a minute's worth at once never fits. Bodies are smaller than that.
        Err(_) => Duration::from_secs(60),
    };
    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    Err(ApiError::new(
        Code::RateLimited,
        format!("over the organization's quota of {window} a minute"),
    )
    .with("window", window)
    .with("retryAfterMs", wait)
    .retry_after(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotas(requests_per_min: u32, bytes_per_min: u64) -> Arc<Quotas> {
        Quotas::new(&QuotaConfig {
            requests_per_min,
            bytes_per_min,
            waiting: 0,
        })
    }

    #[test]
    fn an_organization_spends_its_own_quota_only() {
        let quotas = quotas(3, 10 * BYTES);
        let (one, other) = (OrganizationId::generate(1), OrganizationId::generate(1));
        let allowance = quotas.request(&one).unwrap();
        allowance.spend_bytes(9 * 1_024).unwrap();
        allowance.spend_bytes(0).unwrap();
        assert!(allowance.spend_bytes(1_025).is_err(), "two more do not fit");
        allowance.spend_bytes(1).unwrap();
        for _ in 0..2 {
            quotas.request(&one).unwrap();
        }
        let refused = quotas.request(&one).unwrap_err();
        assert_eq!(refused.code(), Code::RateLimited);
        let theirs = quotas.request(&other).unwrap();
        theirs.spend_bytes(10 * 1_024).unwrap();
    }

    #[test]
    fn nothing_is_counted_where_nothing_is_limited() {
        let quotas = quotas(0, 0);
        let one = OrganizationId::generate(1);
        for _ in 0..10_000 {
            quotas.request(&one).unwrap().spend_bytes(1 << 30).unwrap();
        }
        assert!(quotas.seen().is_empty());
    }
}
