//! One reader for each organization that is listened to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use gateway_shared::domain::OrganizationId;
use gateway_shared::events::{EventLog, Place};
use gateway_shared::redis::{Connection, RedisConfig, RedisFailure};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::batch::Batch;

/// Batches a listener may be behind before it reads the stream by itself.
const BACKLOG: usize = 64;
/// Events a batch.
const BATCH: usize = 500;
/// How long one read waits for the first event.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much longer its answer may take before the connection counts as dead.
const GRACE: Duration = Duration::from_secs(5);
/// How much longer the next read waits for each listener, so that many of them get many events at
/// once, and how long at most: a thousand listeners get theirs in twenty pieces a second.
const GATHER_EACH: Duration = Duration::from_micros(50);
const GATHER: Duration = Duration::from_millis(50);
/// The pause after a read that failed.
const PAUSE: Duration = Duration::from_millis(200);

/// What a hub tells its listeners.
#[derive(Debug, Clone)]
pub(super) enum Broadcast {
    /// Events that follow on what was told before.
    Events(Arc<Batch>),
    /// Reading was interrupted: listeners look at the stream themselves.
    Interrupted,
}

/// The hubs of this process.
#[derive(Debug)]
pub(crate) struct Hubs {
    log: EventLog,
    redis: RedisConfig,
    running: Mutex<HashMap<OrganizationId, Weak<Hub>>>,
}

/// The reader of one organization. It ends with its last listener.
#[derive(Debug)]
pub(super) struct Hub {
    emitted: broadcast::Sender<Broadcast>,
    reader: JoinHandle<()>,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Hubs {
    pub(crate) fn new(log: EventLog, redis: RedisConfig) -> Self {
        Self {
            log,
            redis,
            running: Mutex::default(),
        }
    }

    /// Joins the hub of an organization, which is made where there is none. `present` is the last
    /// event there was when the listener looked: what comes after it is told to the listener, or
    /// can be read by it after this call.
    pub(super) fn join(
        &self,
        organization: &OrganizationId,
        present: Place,
    ) -> (Arc<Hub>, broadcast::Receiver<Broadcast>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hub) = running.get(organization).and_then(Weak::upgrade) {
            let listener = hub.emitted.subscribe();
            return (hub, listener);
        }
        running.retain(|_, hub| hub.strong_count() > 0);
        let (emitted, listener) = broadcast::channel(BACKLOG);
        let reader = Reader {
            log: self.log.clone(),
            redis: self.redis.clone(),
            organization: organization.clone(),
            emitted: emitted.clone(),
        };
        let hub = Arc::new(Hub {
            emitted,
            reader: tokio::spawn(reader.run(present)),
        });
        running.insert(organization.clone(), Arc::downgrade(&hub));
        (hub, listener)
    }
}

struct Reader {
    log: EventLog,
    redis: RedisConfig,
    organization: OrganizationId,
    emitted: broadcast::Sender<Broadcast>,
}

impl Reader {
    /// Reads until it is aborted, over a connection of its own.
    async fn run(self, mut place: Place) {
        let mut warned = false;
        loop {
            let failure = match Connection::open_blocking(&self.redis).await {
                Ok(connection) => self.follow(connection, &mut place, &mut warned).await,
                Err(error) => RedisFailure::from(error),
            };
            if !warned {
                tracing::warn!(
                    organization = %self.organization, error = %failure,
                    "the event stream can not be read; trying again"
                );
                warned = true;
            }
            // Nobody may listen any more, or not yet.
            let _ = self.emitted.send(Broadcast::Interrupted);
            sleep(PAUSE).await;
        }
    }

    async fn follow(
        &self,
        mut connection: Connection,
        place: &mut Place,
        warned: &mut bool,
    ) -> RedisFailure {
        loop {
            let read =
                self.log
                    .wait_after(&mut connection, &self.organization, *place, BATCH, PATIENCE);
            let page = match timeout(PATIENCE + GRACE, read).await {
                Ok(Ok(page)) => page,
                Ok(Err(failure)) => return failure,
                Err(_) => {
                    let silent = redis::ErrorKind::Io;
                    return redis::RedisError::from((silent, "no answer in time")).into();
                }
            };
            *warned = false;
            if let Some(last) = page.last {
                *place = last;
                let _ = self
                    .emitted
                    .send(Broadcast::Events(Arc::new(Batch::new(page.events))));
                let listeners = u32::try_from(self.emitted.receiver_count()).unwrap_or(u32::MAX);
                if listeners > 1 {
                    sleep(GATHER_EACH.saturating_mul(listeners).min(GATHER)).await;
                }
            }
        }
    }
}
