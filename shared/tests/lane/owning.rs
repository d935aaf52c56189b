//! Which sessions are believed to have no owner, and who may own them.

use std::time::Duration;

use gateway_shared::domain::{Limits, WorkerId};
use gateway_shared::lane::{Epoch, SessionRef};
use gateway_shared::registry::Registry;
use gateway_shared::session::{Acquired, NewSession, Sessions};

use crate::world::{RETENTION, World};

/// Workers, and a session that is to run and has no owner.
struct Offered {
    world: World,
    sessions: Sessions,
    registry: Registry,
    of: SessionRef,
}

impl Offered {
    async fn new() -> Self {
        let world = World::new().await;
        let sessions = Sessions::new(world.store.clone(), &RETENTION);
        let registry = Registry::new(world.store.clone());
        let new = NewSession {
            label: String::new(),
            start: true,
            limits: Limits::default(),
            auto_read: false,
            auto_download: false,
            presence_typing: false,
            proxy: None,
            device_name: String::new(),
            platform: String::new(),
        };
        let organization = world.from.organization.clone();
        let session = sessions.create(world.now(), &organization, &new);
        let session = session.await.unwrap().id;
        let of = SessionRef {
            organization,
            session,
        };
        Self {
            world,
            sessions,
            registry,
            of,
        }
    }

    async fn free(&self) -> Vec<SessionRef> {
        self.registry.free(10).await.unwrap()
    }

    async fn acquire(&self, worker: &WorkerId, gone: Option<&WorkerId>) -> Acquired {
        let now = self.world.now();
        let acquired = self.sessions.acquire(now, &self.of, worker, gone);
        acquired.await.unwrap()
    }

    async fn own(&self, worker: &WorkerId, gone: Option<&WorkerId>) -> Epoch {
        match self.acquire(worker, gone).await {
            Acquired::Owned(epoch) => epoch,
            other => panic!("it is to be had: {other:?}"),
        }
    }
}

/// A worker looks at a free session, another one takes it and lets go of it, and the first one then
/// takes the offer back: the session would be nobody's, and nobody would look for it.
#[tokio::test]
async fn an_offer_that_is_taken_back_too_late_is_made_again() {
    let offered = Offered::new().await;
    let only = std::slice::from_ref(&offered.of);
    assert_eq!(offered.free().await, only);

    let [one, other] = [0, 1].map(WorkerId::generate);
    let epoch = offered.own(&one, None).await;
    assert!(offered.free().await.is_empty());
    offered.sessions.withdraw_offer(&offered.of).await.unwrap();
    assert!(offered.free().await.is_empty(), "it is owned");

    let released = offered.sessions.release(&offered.of, &one, epoch);
    released.await.unwrap();
    offered.sessions.withdraw_offer(&offered.of).await.unwrap();
    assert_eq!(offered.free().await, only, "nobody owns it any more");

    // The same where the late one tries to take it from who has let go of it.
    let late = offered.acquire(&other, Some(&one)).await;
    assert!(matches!(late, Acquired::Held(_)));
    assert_eq!(offered.free().await, only);
    offered.own(&other, None).await;
    assert!(offered.free().await.is_empty());
}

/// The answer to an acquisition was lost, and it is asked for as if it had never been made.
#[tokio::test]
async fn who_finds_its_own_name_is_given_the_session_anew() {
    let offered = Offered::new().await;
    let [one, other] = [0, 1].map(WorkerId::generate);
    let lost = offered.own(&one, None).await;
    let again = offered.own(&one, None).await;
    assert!(again > lost, "what went on under the lost epoch is refused");
    let held = Acquired::Held(one.as_str().to_owned());
    assert_eq!(offered.acquire(&other, None).await, held);
    assert!(offered.free().await.is_empty());
}

#[tokio::test]
async fn what_a_worker_took_is_free_when_it_is_gone() {
    let offered = Offered::new().await;
    let [one, other] = [0, 1].map(WorkerId::generate);
    offered.own(&one, None).await;
    offered.registry.leave(&one).await.unwrap();
    assert_eq!(offered.free().await, std::slice::from_ref(&offered.of));
    offered.own(&other, Some(&one)).await;
    // It stands with its owner now, and with nobody else.
    offered.registry.leave(&one).await.unwrap();
    assert!(offered.free().await.is_empty());
}

#[tokio::test]
async fn one_worker_sweeps_for_all_until_it_is_time_again() {
    const PERIOD_MS: u64 = 200;
    let world = World::new().await;
    let registry = Registry::new(world.store.clone());
    let [one, other] = [0, 1].map(WorkerId::generate);
    assert!(registry.claim_sweep(&one, PERIOD_MS).await.unwrap());
    assert!(!registry.claim_sweep(&other, PERIOD_MS).await.unwrap());
    let again = async {
        while !registry.claim_sweep(&other, PERIOD_MS).await.unwrap() {
            tokio::task::yield_now().await;
        }
    };
    let patience = Duration::from_secs(10);
    tokio::time::timeout(patience, again)
        .await
        .expect("its time has come");
}
