//! Giving all sessions up, a few at a time.
//!
//! A session is without service from the moment that its owner lets go of it until its next owner
//! is connected. Who let go of all at once would have most of them wait for the others' connections.

use std::time::Duration;

use gateway_shared::domain::{SessionStatus, WorkerId};
use gateway_shared::lane::SessionRef;
use gateway_shared::session::Sessions;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How many sessions are between two owners at once.
const AT_ONCE: usize = 16;
/// How long a session is waited for, before the next one follows all the same.
const SETTLING: Duration = Duration::from_secs(2);
/// Time between two looks at a session that settles.
const GLANCE: Duration = Duration::from_millis(20);
/// After this long the rest is given up at once: whoever stops the process waits half a minute, of
/// which what is in flight may need the most.
const HURRY: Duration = Duration::from_secs(8);

/// The sessions of a worker that leaves.
pub(super) struct HandOver {
    me: WorkerId,
    sessions: Sessions,
    pace: Pace<SessionRef>,
    settling: JoinSet<()>,
    hurry: Instant,
}

impl HandOver {
    /// Of `waiting`, to other workers if there are any.
    pub(super) fn new(
        me: WorkerId,
        sessions: Sessions,
        waiting: Vec<SessionRef>,
        others: bool,
    ) -> Self {
        Self {
            me,
            sessions,
            pace: Pace {
                waiting,
                under_way: 0,
                at_once: if others { AT_ONCE } else { usize::MAX },
            },
            settling: JoinSet::new(),
            hurry: Instant::now() + HURRY,
        }
    }

    /// Those that are to be given up now.
    pub(super) fn next(&mut self) -> Vec<SessionRef> {
        if Instant::now() >= self.hurry {
            self.pace.at_once = usize::MAX;
        }
        self.pace.next()
    }

    /// A session was let go of: its place is taken until its next owner serves it.
    pub(super) fn let_go(&mut self, of: SessionRef) {
        let (me, sessions) = (self.me.clone(), self.sessions.clone());
        self.settling.spawn(async move {
            let served = async {
                while !is_served(&sessions, &of, &me).await {
                    sleep(GLANCE).await;
                }
            };
            // Nobody may want it, or its phone is out of reach.
            let _ = timeout(SETTLING, served).await;
        });
    }

    /// Completes when there may be more to give up. Dropping the future loses nothing.
    pub(super) async fn settled(&mut self) {
        let waiting = !self.pace.waiting.is_empty();
        tokio::select! {
            Some(_) = self.settling.join_next() => self.pace.settled(),
            () = sleep_until(self.hurry), if waiting => {}
            else => std::future::pending().await,
        }
    }
}

/// What waits, and how much of it may be under way.
struct Pace<T> {
    waiting: Vec<T>,
    under_way: usize,
    at_once: usize,
}

impl<T> Pace<T> {
    fn next(&mut self) -> Vec<T> {
        let room = self.at_once.saturating_sub(self.under_way);
        let rest = self.waiting.len().saturating_sub(room);
        let next = self.waiting.split_off(rest);
        self.under_way += next.len();
        next
    }

    fn settled(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }
}

/// Whether a session has another owner that needs no more time for it.
async fn is_served(sessions: &Sessions, of: &SessionRef, me: &WorkerId) -> bool {
    let Ok(Some(record)) = sessions.record(of).await else {
        return false;
    };
    let taken = record.session.worker.is_some_and(|owner| owner != *me);
    taken && record.session.status != SessionStatus::Starting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_that_settles_makes_room_for_one() {
        let mut pace = Pace {
            waiting: (0..20).collect(),
            under_way: 0,
            at_once: 8,
        };
        assert_eq!(pace.next().len(), 8);
        assert!(pace.next().is_empty());
        pace.settled();
        assert_eq!(pace.next().len(), 1);
        pace.at_once = usize::MAX;
        assert_eq!(pace.next().len(), 11);
        assert!(pace.next().is_empty());
    }
}
