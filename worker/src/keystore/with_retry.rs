//! Reads and writes that wait for Redis instead of failing.

use std::time::Duration;

use gateway_shared::redis::RedisFailure;
use redis::{RedisError, RedisResult, RetryMethod};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Pause before a call is repeated.
const AGAIN: Duration = Duration::from_millis(100);
/// How long a call is repeated at most. A worker that can not reach Redis is fenced well before.
const LIMIT: Duration = Duration::from_secs(60);

/// How long one call goes on trying.
///
/// What fails in the middle of an inbound message is fatal for it (law 7). A *read* that fails
/// during decryption makes whatsapp-rust refuse the message to the server (nack 500, its
/// catch-all), which then forgets it. When the *write* of a live message's pending row fails, the
/// message stays without an ack, but its ratchet step is stored by a later flush: the repeat is
/// taken for a duplicate of which there is no row, and acknowledged. That Redis is away for a
/// moment must not look like a failure.
///
/// It ends early once the session is lost: then this worker may say nothing to the server any
/// more, not even a refusal, and nothing it holds in memory reaches Redis.
pub(super) struct Patience<'a> {
    lost: &'a CancellationToken,
    deadline: Instant,
}

impl<'a> Patience<'a> {
    /// Patience that began at this moment.
    pub(super) fn since(lost: &'a CancellationToken, began: Instant) -> Self {
        Self {
            lost,
            deadline: began + LIMIT,
        }
    }

    /// Whether the call that failed like this should be made again; waits a moment first.
    pub(super) async fn again(&self, error: &RedisError) -> bool {
        if !passes(error) || self.lost.is_cancelled() || Instant::now() >= self.deadline {
            return false;
        }
        self.lost.run_until_cancelled(sleep(AGAIN)).await.is_some()
    }
}

/// Repeats a read until Redis answers it.
///
/// # Errors
/// What Redis answered, where asking again would not help; the last failure once the session is
/// lost or the limit is reached.
pub(super) async fn with_retry<T, F>(
    lost: &CancellationToken,
    mut read: impl FnMut() -> F,
) -> RedisResult<T>
where
    F: Future<Output = RedisResult<T>>,
{
    let patience = Patience::since(lost, Instant::now());
    loop {
        match read().await {
            Err(error) if patience.again(&error).await => {}
            outcome => return outcome,
        }
    }
}

/// Whether an error is about reaching Redis and not about what was asked.
pub(super) fn passes(error: &RedisError) -> bool {
    error.is_io_error()
        || !matches!(error.retry_method(), RetryMethod::NoRetry)
        || RedisFailure(error.clone()).reason() == "redis_slot_moving"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn away() -> RedisError {
        std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()
    }

    fn wrong() -> RedisError {
        RedisError::from((redis::ErrorKind::UnexpectedReturnType, "no number"))
    }

    #[tokio::test]
    async fn a_read_waits_for_redis_and_fails_for_what_it_asked() {
        let lost = CancellationToken::new();
        let calls = AtomicU32::new(0);
        let answer = with_retry(&lost, || {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            async move { if call < 2 { Err(away()) } else { Ok(call) } }
        });
        assert_eq!(answer.await.unwrap(), 2);
        let refused = with_retry::<(), _>(&lost, || async { Err(wrong()) }).await;
        assert!(refused.is_err());
    }

    #[tokio::test]
    async fn a_read_of_a_lost_session_ends() {
        let lost = CancellationToken::new();
        let reading = with_retry::<(), _>(&lost, || async { Err(away()) });
        let (ended, ()) = tokio::join!(reading, async {
            sleep(Duration::from_millis(150)).await;
            lost.cancel();
        });
        assert!(ended.is_err());
    }
}
