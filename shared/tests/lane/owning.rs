//! Which sessions are believed to have no owner.

use gateway_shared::domain::{Limits, WorkerId};
use gateway_shared::lane::SessionRef;
use gateway_shared::registry::Registry;
use gateway_shared::session::{Acquired, NewSession, Sessions};

use crate::world::{RETENTION, World};

/// A worker looks at a free session, another one takes it and lets go of it, and the first one then
/// takes the offer back: the session would be nobody's, and nobody would look for it.
#[tokio::test]
async fn an_offer_that_is_taken_back_too_late_is_made_again() {
    let world = World::new().await;
    let sessions = Sessions::new(world.store.clone(), &RETENTION);
    let registry = Registry::new(world.store.clone());
    let new = NewSession {
        label: String::new(),
        start: true,
        limits: Limits::default(),
        auto_read: false,
        presence_typing: false,
    };
    let organization = &world.from.organization;
    let session = sessions.create(world.now(), organization, &new);
    let of = SessionRef {
        organization: organization.clone(),
        session: session.await.unwrap().id,
    };
    let free = async || registry.free(10).await.unwrap();
    let only = std::slice::from_ref(&of);
    assert_eq!(free().await, only);

    let [one, other] = [0, 1].map(WorkerId::generate);
    let acquired = sessions.acquire(world.now(), &of, &one, None).await;
    let Acquired::Owned(epoch) = acquired.unwrap() else {
        panic!("nobody has it");
    };
    assert!(free().await.is_empty());
    sessions.withdraw_offer(&of).await.unwrap();
    assert!(free().await.is_empty(), "it is owned");

    sessions.release(&of, &one, epoch).await.unwrap();
    sessions.withdraw_offer(&of).await.unwrap();
    assert_eq!(free().await, only, "nobody owns it any more");

    // The same where the late one tries to take it from who has let go of it.
    let late = sessions.acquire(world.now(), &of, &other, Some(&one)).await;
    assert!(matches!(late.unwrap(), Acquired::Held(_)));
    assert_eq!(free().await, only);
    let again = sessions.acquire(world.now(), &of, &other, None).await;
    assert!(matches!(again.unwrap(), Acquired::Owned(_)));
    assert!(free().await.is_empty());
}
