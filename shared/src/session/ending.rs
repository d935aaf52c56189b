//! How a session ends, step by step, so that whoever is cut off in the middle leaves enough behind
//! for another to finish.

use super::ownership::fenced;
use super::{Sessions, member};
use crate::clock::Millis;
use crate::domain::WorkerId;
use crate::lane::{Epoch, LaneError, SessionRef};
use crate::redis::RedisFailure;
use crate::redis::keys::{GLOBAL, key};

/// After this long a directory entry without a record is not one of a session that is just being
/// created, in milliseconds.
const ORPHANED_AFTER: Millis = 10 * 60 * 1_000;

impl Sessions {
    /// Notes that the session's device is unlinked, before its lane and its keys are given up.
    /// `desired_changes` is how many of those the owner has seen.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner.
    pub async fn begin_logout(
        &self,
        owner: (&SessionRef, Epoch),
        reason: &str,
        desired_changes: u64,
    ) -> Result<(), LaneError> {
        let (of, epoch) = owner;
        let root = self.root(of);
        let mut call = self.scripts.begin_logout.on(&root);
        call.arg(of.session.as_str()).arg(epoch.0);
        call.arg(reason).arg(desired_changes);
        fenced(&self.run::<Vec<String>>(&call).await?)
    }

    /// Notes that its lane and its keys are gone: it is logged out, and runs on, unpaired, if a
    /// start was asked for after the logout.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner.
    pub async fn finish_logout(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        reason: &str,
    ) -> Result<(), LaneError> {
        let (of, epoch) = owner;
        let root = self.root(of);
        let mut call = self.scripts.finish_logout.on(&root);
        call.arg(now).arg(of.session.as_str()).arg(epoch.0);
        call.arg(reason);
        fenced(&self.run::<Vec<String>>(&call).await?)
    }

    /// Notes that the session can not go on by itself; it stops, unless something was asked for
    /// beyond the `desired_changes` that the owner has seen.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner.
    pub async fn fail(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        reason: &str,
        desired_changes: u64,
    ) -> Result<(), LaneError> {
        let (of, epoch) = owner;
        let root = self.root(of);
        let mut call = self.scripts.fail.on(&root);
        call.arg(now).arg(of.session.as_str()).arg(epoch.0);
        call.arg(reason).arg(desired_changes);
        fenced(&self.run::<Vec<String>>(&call).await?)
    }

    /// Takes a session whose record is gone from the installation's own structures.
    ///
    /// # Errors
    /// When Redis does not answer; a sweep does it again.
    pub async fn strike_off(
        &self,
        of: &SessionRef,
        worker: Option<&WorkerId>,
    ) -> Result<(), RedisFailure> {
        let global = self.store.keys.global();
        let mut commands = redis::pipe();
        if let Some(worker) = worker {
            let owned = key(GLOBAL, &global, "owned", &[worker.as_str()]);
            commands.srem(owned, member(of));
        }
        let () = commands
            .srem(key(GLOBAL, &global, "free", &[]), member(of))
            .srem(key(GLOBAL, &global, "running", &[]), member(of))
            .hdel(key(GLOBAL, &global, "directory", &[]), of.session.as_str())
            .query_async(&mut self.store.connection.clone())
            .await?;
        Ok(())
    }

    /// Finishes what somebody began with a session and was cut off from: offers it to the workers
    /// if it needs one and none `lives` that owns it, tells its owner of changes it has not seen, and
    /// strikes off what has no record.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn settle(
        &self,
        now: Millis,
        of: &SessionRef,
        lives: impl Fn(&WorkerId) -> bool,
    ) -> Result<(), RedisFailure> {
        let Some(record) = self.record(of).await? else {
            if now.saturating_sub(of.session.created_at()) > ORPHANED_AFTER {
                self.strike_off(of, None).await?;
            }
            return Ok(());
        };
        let owned = record.session.worker.as_ref().is_some_and(lives);
        if owned {
            if record.changes != record.changes_seen {
                self.tell(of).await?;
            }
        } else if record.needs_worker() {
            self.renew_offer(of).await?;
        }
        Ok(())
    }
}
