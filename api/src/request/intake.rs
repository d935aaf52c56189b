//! What the bodies of requests may take of this process: memory, time, and processor.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::Extensions;
use gateway_shared::config::ApiConfig;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::{ApiError, Code};

/// Work on so many bytes may be done between two other requests; more is done apart from them.
pub(crate) const SMALL: usize = 64 << 10;
/// When to try again where the bodies under way take all there is.
const RETRY_MS: u64 = 1_000;

/// What the bodies of all requests take of this process.
#[derive(Debug)]
pub(crate) struct Intake {
    /// Bytes of bodies that may be held at once.
    most: usize,
    held: AtomicUsize,
    /// How long a MiB of a body may take to arrive.
    patience: Duration,
    /// One for each processor: heavy work waits here and not for the processor.
    heavy: Semaphore,
}

/// What the body of one request takes. It gives everything back when the request is answered.
#[derive(Debug)]
pub(crate) struct Share {
    intake: Arc<Intake>,
    held: AtomicUsize,
}

impl Intake {
    pub(crate) fn new(config: &ApiConfig) -> Arc<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Self {
            most: config.bodies_in_flight_bytes,
            held: AtomicUsize::new(0),
            patience: Duration::from_millis(config.body_timeout_ms),
            heavy: Semaphore::new(processors),
        })
    }

    /// The share of a new request.
    pub(crate) fn share(self: &Arc<Self>) -> Arc<Share> {
        Arc::new(Share {
            intake: self.clone(),
            held: AtomicUsize::new(0),
        })
    }
}

impl Share {
    /// The share of the request with these extensions.
    ///
    /// # Errors
    /// None that a caller could cause: the outermost layer has put it there.
    pub(crate) fn of(extensions: &Extensions) -> Result<Arc<Self>, ApiError> {
        let share = extensions.get::<Arc<Self>>().cloned();
        share.ok_or_else(|| ApiError::new(Code::Internal, "internal error"))
    }

    /// Takes room for so many more bytes of the body.
    ///
    /// # Errors
    /// 503 where all requests together would hold too much.
    pub(super) fn take(&self, bytes: usize) -> Result<(), ApiError> {
        let held = &self.intake.held;
        let taken = held.fetch_update(Ordering::AcqRel, Ordering::Acquire, |held| {
            held.checked_add(bytes)
                .filter(|total| *total <= self.intake.most)
        });
        match taken {
            Ok(_) => {
                self.held.fetch_add(bytes, Ordering::AcqRel);
                Ok(())
            }
            Err(_) => Err(ApiError::unavailable(
                "busy",
                "the requests under way hold as much as this process has room for",
            )
            .retry_after(RETRY_MS)),
        }
    }

    /// How long a MiB of the body may take to arrive.
    pub(super) fn patience(&self) -> Duration {
        self.intake.patience
    }

    /// Does what takes time for a body of so many bytes: at once where it is small, and otherwise
    /// on a thread of its own, so that other requests do not wait for it.
    ///
    /// # Errors
    /// 500 where the work panicked.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        if bytes <= SMALL {
            return Ok(work());
        }
        // The semaphore is never closed.
        let _turn = self.intake.heavy.acquire().await;
        let done = spawn_blocking(work).await;
        done.map_err(|error| ApiError::new(Code::Internal, "internal error").caused_by(error))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let held = *self.held.get_mut();
        self.intake.held.fetch_sub(held, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use gateway_shared::config::Config;

    use super::*;

    fn intake(most: usize) -> Arc<Intake> {
        let mut config = Config::defaults().unwrap().api;
        config.bodies_in_flight_bytes = most;
        Intake::new(&config)
    }

    #[test]
    fn room_is_shared_and_given_back() {
        let intake = intake(100);
        let one = intake.share();
        one.take(60).unwrap();
        let other = intake.share();
        let refused = other.take(41).unwrap_err();
        assert_eq!(refused.code(), Code::GatewayUnavailable);
        other.take(40).unwrap();
        assert!(other.take(usize::MAX).is_err(), "no overflow");
        drop(one);
        other.take(60).unwrap();
        drop(other);
        assert_eq!(intake.held.load(Ordering::Acquire), 0);
    }

    #[tokio::test]
    async fn large_work_does_not_run_where_requests_are_answered() {
        let share = intake(100).share();
        let here = std::thread::current().id();
        let where_it_ran = || std::thread::current().id();
        assert_eq!(share.work(SMALL, where_it_ran).await.unwrap(), here);
        assert_ne!(share.work(SMALL + 1, where_it_ran).await.unwrap(), here);
    }
}
