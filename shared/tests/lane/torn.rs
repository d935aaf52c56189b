//! What is cut off between two of its writes is finished by a sweep, or was never begun.

use std::collections::HashMap;

use gateway_shared::domain::{Limits, OrganizationId, SessionStatus, WorkerId};
use gateway_shared::lane::SessionRef;
use gateway_shared::redis::{RedisConfig, Store};
use gateway_shared::registry::Registry;
use gateway_shared::session::{Acquired, Desired, DesiredChange, NewSession, Sessions};
use gateway_tests::process::Fuse;

use crate::world::{RETENTION, START, World};

/// Longer than any creation may take, in milliseconds.
const LATER: i64 = 3_600_000;

/// Sessions over a wire that breaks, and over one that does not.
struct Torn {
    world: World,
    fuse: Fuse,
    cut: Sessions,
    whole: Sessions,
    registry: Registry,
}

impl Torn {
    async fn new() -> Self {
        let world = World::new().await;
        let fuse = Fuse::before(world.server.address()).await.unwrap();
        let config = RedisConfig {
            connect_timeout_ms: 1_000,
            response_timeout_ms: 2_000,
            ..RedisConfig::at([fuse.url()], world.store.keys.prefix())
        };
        let store = Store::open(&config).await.unwrap().at_the_callers_time();
        let cut = Sessions::new(store, &RETENTION);
        Self {
            whole: Sessions::new(world.store.clone(), &RETENTION),
            registry: Registry::new(world.store.clone()),
            world,
            fuse,
            cut,
        }
    }

    fn organization(&self) -> OrganizationId {
        self.world.from.organization.clone()
    }

    async fn create(&self, start: bool) -> SessionRef {
        let organization = self.organization();
        let created = create(&self.whole, self.world.now(), &organization, start).await;
        SessionRef {
            organization,
            session: created.unwrap(),
        }
    }

    /// How many events tell this status of a session.
    async fn told(&self, of: &SessionRef, status: &str) -> usize {
        let events: Vec<(String, HashMap<String, String>)> = redis::cmd("XRANGE")
            .arg(self.world.key("events", &[]))
            .arg(&["-", "+"])
            .query_async(&mut self.world.connection())
            .await
            .unwrap();
        let status = format!("\"status\":\"{status}\"");
        let tells = |fields: &HashMap<String, String>| {
            fields["session"] == of.session.as_str() && fields["payload"].contains(&status)
        };
        events.iter().filter(|(_, fields)| tells(fields)).count()
    }

    /// The sweep over the directory, as a worker does it, when nobody lives.
    async fn sweep(&self) {
        let now = self.world.now() + LATER;
        for of in self.registry.directory().await.unwrap() {
            self.whole.settle(now, &of, |_| false).await.unwrap();
        }
    }
}

async fn create(
    sessions: &Sessions,
    now: i64,
    organization: &OrganizationId,
    start: bool,
) -> Result<gateway_shared::domain::SessionId, gateway_shared::redis::RedisFailure> {
    let new = NewSession {
        label: "torn".to_owned(),
        start,
        limits: Limits::default(),
        auto_read: false,
        auto_download: false,
        presence_typing: false,
        proxy: None,
        device_name: String::new(),
        platform: String::new(),
    };
    let session = sessions.create(now, organization, &new).await?;
    Ok(session.id)
}

#[tokio::test]
async fn a_session_whose_creation_was_cut_runs_or_does_not_exist() {
    let torn = Torn::new().await;
    let organization = torn.organization();
    let mut cuts = 0;
    loop {
        torn.fuse.arm(organization.as_str(), cuts);
        let created = create(&torn.cut, torn.world.now(), &organization, true).await;
        let blown = torn.fuse.is_blown();
        torn.fuse.mend();
        assert_eq!(created.is_err(), blown, "{created:?}");
        torn.sweep().await;
        let listed = torn.whole.list(&organization).await.unwrap();
        let directory = torn.registry.directory().await.unwrap();
        let free = torn.registry.free(100).await.unwrap();
        // What is shown is known to the sweep and before the workers, and nothing else is.
        assert_eq!(listed.len(), directory.len(), "after {cuts} commands");
        for session in &listed {
            let of = SessionRef {
                organization: organization.clone(),
                session: session.id.clone(),
            };
            assert!(directory.contains(&of) && free.contains(&of), "{cuts}");
        }
        if !blown {
            break;
        }
        cuts += 1;
    }
    assert!(cuts >= 3, "it was cut {cuts} times");
}

#[tokio::test]
async fn a_deletion_that_was_cut_goes_on_and_is_not_denied() {
    let torn = Torn::new().await;
    let mut cuts = 0;
    loop {
        let of = torn.create(false).await;
        torn.fuse.arm(of.session.as_str(), cuts);
        let told = torn
            .cut
            .desired_change(START, &of, DesiredChange::Delete)
            .await;
        let blown = torn.fuse.is_blown();
        torn.fuse.mend();
        assert_eq!(told.is_err(), blown, "{told:?}");
        torn.sweep().await;
        let record = torn.whole.record(&of).await.unwrap().unwrap();
        let free = torn.registry.free(100).await.unwrap();
        let begun = record.desired == Desired::Deleted;
        assert_eq!(free.contains(&of), begun, "after {cuts} commands");
        // Who asks again is not told that there is nothing to delete.
        let again = torn.whole.desired_change(START, &of, DesiredChange::Delete);
        assert!(again.await.unwrap());
        if !blown {
            assert!(begun);
            break;
        }
        cuts += 1;
    }
    assert!(cuts >= 2, "it was cut {cuts} times");
}

#[tokio::test]
async fn the_removal_of_a_deleted_session_is_finished_and_told_once() {
    let torn = Torn::new().await;
    let mut cuts = 0;
    loop {
        let of = torn.create(false).await;
        let change = torn.whole.desired_change(START, &of, DesiredChange::Delete);
        assert!(change.await.unwrap());
        let worker = WorkerId::generate(0);
        let acquired = torn.whole.acquire(START, &of, &worker, None).await.unwrap();
        let Acquired::Owned(epoch) = acquired else {
            panic!("it is to be had: {acquired:?}");
        };
        torn.fuse.arm(of.session.as_str(), cuts);
        let removed = torn.cut.remove(START, &of, &worker, epoch).await;
        let blown = torn.fuse.is_blown();
        torn.fuse.mend();
        assert_eq!(removed.is_err(), blown, "{removed:?}");
        torn.sweep().await;
        let record = torn.whole.record(&of).await.unwrap();
        let known = torn.registry.directory().await.unwrap().contains(&of);
        assert_eq!(record.is_some(), known, "after {cuts} commands");
        let told = torn.told(&of, "deleted").await;
        assert_eq!(told, usize::from(record.is_none()));
        if !blown {
            break;
        }
        cuts += 1;
    }
    assert!(cuts >= 2, "it was cut {cuts} times");
}

/// The last desire holds, in whichever order it meets the end of the session.
#[tokio::test]
async fn a_start_after_a_logout_holds() {
    let torn = Torn::new().await;
    let sessions = &torn.whole;
    // A user asks for the logout, and then for the start; or WhatsApp unlinks the device, and a user
    // asks for the start before, or after, the owner has begun to give everything up.
    for (asked, start_before) in [(true, true), (true, false), (false, true), (false, false)] {
        let of = torn.create(true).await;
        let worker = WorkerId::generate(0);
        let acquired = sessions.acquire(START, &of, &worker, None).await.unwrap();
        let Acquired::Owned(epoch) = acquired else {
            panic!("it is to be had: {acquired:?}");
        };
        let change = async |change| {
            assert!(sessions.desired_change(START, &of, change).await.unwrap());
        };
        let seen = async || sessions.record(&of).await.unwrap().unwrap().desired_changes;
        if asked {
            change(DesiredChange::Logout).await;
        }
        let wishes = seen().await;
        if start_before {
            change(DesiredChange::Start).await;
        }
        let owner = (&of, epoch);
        let begun = sessions.begin_logout(owner, "gone", wishes).await;
        begun.unwrap();
        if !start_before {
            change(DesiredChange::Start).await;
            // Its owner was cut off meanwhile, and begins once more.
            let again = sessions.begin_logout(owner, "gone", seen().await).await;
            again.unwrap();
        }
        sessions.finish_logout(START, owner, "gone").await.unwrap();
        let record = sessions.record(&of).await.unwrap().unwrap();
        let stands = (record.desired, record.session.status, record.ending);
        let wanted = (Desired::Running, SessionStatus::Starting, None);
        assert_eq!(stands, wanted, "{asked} {start_before}");
        assert_eq!((record.logout, record.session.wa_jid), (false, None));
    }
    // And without a start it stays logged out.
    for asked in [true, false] {
        let of = torn.create(true).await;
        let worker = WorkerId::generate(0);
        let acquired = sessions.acquire(START, &of, &worker, None).await.unwrap();
        let Acquired::Owned(epoch) = acquired else {
            panic!("it is to be had: {acquired:?}");
        };
        if asked {
            let change = sessions.desired_change(START, &of, DesiredChange::Logout);
            assert!(change.await.unwrap());
        }
        let seen = sessions.record(&of).await.unwrap().unwrap().desired_changes;
        let owner = (&of, epoch);
        sessions.begin_logout(owner, "gone", seen).await.unwrap();
        let record = sessions.record(&of).await.unwrap().unwrap();
        assert!(record.needs_worker(), "somebody finishes it");
        let other = WorkerId::generate(1);
        let taken = sessions.acquire(START, &of, &other, Some(&worker)).await;
        let Acquired::Owned(epoch) = taken.unwrap() else {
            panic!("whoever is next finishes it");
        };
        let owner = (&of, epoch);
        sessions.finish_logout(START, owner, "gone").await.unwrap();
        let record = sessions.record(&of).await.unwrap().unwrap();
        let stands = (record.desired, record.session.status);
        assert_eq!(stands, (Desired::Stopped, SessionStatus::LoggedOut));
    }
}

#[tokio::test]
async fn a_failure_does_not_undo_a_start_it_did_not_know_of() {
    let torn = Torn::new().await;
    let sessions = &torn.whole;
    for started in [false, true] {
        let of = torn.create(true).await;
        let worker = WorkerId::generate(0);
        let acquired = sessions.acquire(START, &of, &worker, None).await.unwrap();
        let Acquired::Owned(epoch) = acquired else {
            panic!("it is to be had: {acquired:?}");
        };
        if started {
            let change = sessions.desired_change(START, &of, DesiredChange::Start);
            assert!(change.await.unwrap());
        }
        sessions
            .fail(START, (&of, epoch), "outdated", 0)
            .await
            .unwrap();
        let record = sessions.record(&of).await.unwrap().unwrap();
        assert_eq!(record.desired == Desired::Running, started);
        assert_eq!(record.session.last_error.as_deref(), Some("outdated"));
    }
}

/// The owner that takes over from one that was killed knows of the deletion already, and sees only
/// that the device is unlinked.
#[tokio::test]
async fn no_end_of_a_connection_undoes_a_deletion() {
    let torn = Torn::new().await;
    let sessions = &torn.whole;
    for fails in [false, true] {
        let of = torn.create(true).await;
        let change = sessions.desired_change(START, &of, DesiredChange::Delete);
        assert!(change.await.unwrap());
        let worker = WorkerId::generate(0);
        let acquired = sessions.acquire(START, &of, &worker, None).await.unwrap();
        let Acquired::Owned(epoch) = acquired else {
            panic!("it is to be had: {acquired:?}");
        };
        let seen = sessions.record(&of).await.unwrap().unwrap().desired_changes;
        let owner = (&of, epoch);
        if fails {
            sessions.fail(START, owner, "banned", seen).await.unwrap();
        } else {
            sessions
                .begin_logout(owner, "logged_out", seen)
                .await
                .unwrap();
            sessions
                .finish_logout(START, owner, "logged_out")
                .await
                .unwrap();
        }
        let record = sessions.record(&of).await.unwrap().unwrap();
        assert_eq!(record.desired, Desired::Deleted);
    }
}
