//! Files of scheduled sends, uploaded shortly before their time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use gateway_shared::domain::SessionId;
use gateway_shared::lane::Lanes;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use super::{Owner, Uploads};
use crate::link::Link;

/// Looks that there are at least in the time by which files are uploaded ahead.
const LOOKS: u32 = 4;

/// The sessions of this worker that have a link. One task looks after all of them, so that a session
/// of which nothing is scheduled costs one look-up now and then.
#[derive(Debug, Default)]
pub(crate) struct Ahead(Mutex<HashMap<SessionId, Followed>>);

#[derive(Debug, Clone)]
struct Followed {
    owner: Owner,
    link: Weak<Link>,
    /// One upload ahead at a time.
    turn: Arc<Semaphore>,
}

impl Ahead {
    /// The session has this link, for as long as that exists.
    pub(super) fn follow(&self, owner: &Owner, link: &Arc<Link>) {
        let followed = Followed {
            owner: owner.clone(),
            link: Arc::downgrade(link),
            turn: Arc::new(Semaphore::new(1)),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(owner.of.session.clone(), followed);
    }

    fn all(&self) -> Vec<Followed> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, followed| followed.link.strong_count() > 0);
        all.values().cloned().collect()
    }

    /// Uploads what is scheduled for soon, until the task is ended.
    pub(crate) async fn run(self: Arc<Self>, lanes: Lanes, uploads: Uploads) {
        let ahead = Duration::from_millis(uploads.store().config().upload_ahead_ms);
        let mut looks = interval(ahead / LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            for followed in self.all() {
                let Some(link) = followed.link.upgrade().filter(|link| link.is_connected()) else {
                    continue;
                };
                let Ok(turn) = Arc::clone(&followed.turn).try_acquire_owned() else {
                    continue;
                };
                let soon = uploads.scheduled(&lanes, &followed.owner.of).await;
                if soon.is_empty() || !followed.owner.liveness.may_act() {
                    continue;
                }
                let uploads = uploads.clone();
                tokio::spawn(async move {
                    uploads.ahead(&link, followed.owner.fence(), soon).await;
                    drop(turn);
                });
            }
        }
    }
}
