//! What a connection is doing, and since when.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateway_shared::config::ApiConfig;
use tokio::time::{Instant, sleep_until};

/// How long a connection may keep its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// For the head of a request, from the connection or from its first byte on.
    pub(super) header: Duration,
    /// Without a request.
    pub(super) idle: Duration,
    /// With an answer that the client does not take.
    pub(super) write: Duration,
}

impl Deadlines {
    pub(super) fn of(config: &ApiConfig) -> Self {
        Self {
            header: Duration::from_millis(config.header_timeout_ms),
            idle: Duration::from_millis(config.idle_timeout_ms),
            write: Duration::from_millis(config.write_timeout_ms),
        }
    }
}

/// Looked at so often, at least: what a connection does changes without notice.
const LOOK: Duration = Duration::from_secs(5);

const HEAD: u64 = 0;
const IDLE: u64 = 1;
const BUSY: u64 = 2;

/// What a connection is doing, and since when. Written by its socket and its service, read by its
/// watch.
#[derive(Debug)]
pub(super) struct Activity {
    began: Instant,
    /// What it does in the low two bits, since when (ms) in the others.
    doing: AtomicU64,
    /// Since when (ms, and one) writing waits for the client; 0 = it does not.
    stalled: AtomicU64,
}

impl Activity {
    /// Of a connection that begins now.
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            doing: AtomicU64::new(HEAD),
            stalled: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX >> 2)
    }

    fn set(&self, doing: u64) {
        self.doing.store(self.now() << 2 | doing, Ordering::Release);
    }

    /// Bytes came in.
    pub(super) fn read(&self) {
        if self.doing.load(Ordering::Acquire) & 3 == IDLE {
            self.set(HEAD);
        }
    }

    /// A request is there.
    pub(super) fn request(&self) {
        self.set(BUSY);
    }

    /// Its answer is complete.
    pub(super) fn answered(&self) {
        self.set(IDLE);
    }

    /// Writing waits for the client, or went on.
    pub(super) fn wrote(&self, waits: bool) {
        if !waits {
            self.stalled.store(0, Ordering::Release);
        } else if self.stalled.load(Ordering::Acquire) == 0 {
            self.stalled.store(self.now() + 1, Ordering::Release);
        }
    }

    /// Completes when a deadline is over, and says which.
    pub(super) async fn expired(&self, deadlines: Deadlines) -> &'static str {
        loop {
            let now = Instant::now();
            let (due, why) = self.due(deadlines);
            match due {
                Some(due) if due <= now => return why,
                _ => {}
            }
            let look = now + LOOK.min(deadlines.write).min(deadlines.header);
            sleep_until(due.map_or(look, |due| due.min(look))).await;
        }
    }

    /// Which deadline is the next, and when.
    fn due(&self, deadlines: Deadlines) -> (Option<Instant>, &'static str) {
        let stalled = self.stalled.load(Ordering::Acquire);
        if stalled > 0 {
            let since = self.began + Duration::from_millis(stalled - 1);
            return (Some(since + deadlines.write), "it takes no answer");
        }
        let doing = self.doing.load(Ordering::Acquire);
        let since = self.began + Duration::from_millis(doing >> 2);
        match doing & 3 {
            HEAD => (Some(since + deadlines.header), "it sends no request"),
            IDLE => (Some(since + deadlines.idle), "it is idle"),
            _ => (None, ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINES: Deadlines = Deadlines {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        write: Duration::from_secs(30),
    };

    /// In how many seconds after its beginning a connection expires, and why.
    fn due(activity: &Activity) -> Option<(u64, &'static str)> {
        let (due, why) = activity.due(DEADLINES);
        due.map(|due| (due.duration_since(activity.began).as_secs(), why))
    }

    #[test]
    fn each_phase_has_its_deadline() {
        let activity = Activity::new();
        assert_eq!(due(&activity), Some((10, "it sends no request")));
        activity.read();
        assert_eq!(
            due(&activity).unwrap().0,
            10,
            "a byte now and then is no request"
        );
        activity.request();
        assert_eq!(due(&activity), None);
        activity.read();
        assert_eq!(due(&activity), None, "its body has a deadline of its own");
        activity.wrote(true);
        assert_eq!(due(&activity), Some((30, "it takes no answer")));
        activity.wrote(false);
        assert_eq!(due(&activity), None);
        activity.answered();
        assert_eq!(due(&activity), Some((75, "it is idle")));
        activity.read();
        assert_eq!(due(&activity), Some((10, "it sends no request")));
    }

    #[tokio::test]
    async fn the_watch_ends_with_the_deadline() {
        let short = Deadlines {
            header: Duration::from_millis(20),
            ..DEADLINES
        };
        let activity = Activity::new();
        assert_eq!(activity.expired(short).await, "it sends no request");
        assert!(activity.began.elapsed() >= short.header);
    }
}
