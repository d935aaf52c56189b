//! Leaving a session in order.

use std::sync::Arc;

use gateway_shared::domain::{SendFailure, SessionStatus};
use gateway_shared::lane::LaneError;
use gateway_shared::session::Report;
use tokio_util::sync::CancellationToken;

use super::actor::{ExitReason, SeenChanges};
use super::{Owner, Runtime};
use crate::keystore::{KeystoreError, RedisKeystore};

/// Does what is left to do when a stint has ended, and releases the session.
pub(super) async fn teardown(
    runtime: &Arc<Runtime>,
    owner: &Owner,
    lost: &CancellationToken,
    desired_changes: &SeenChanges,
    leave: ExitReason,
) -> Result<(), LaneError> {
    match leave {
        ExitReason::Release(status) => {
            if let Some(status) = status {
                report(runtime, owner, status, "").await?;
            }
            runtime
                .sessions
                .release(&owner.of, &owner.worker, owner.epoch)
                .await
        }
        ExitReason::LoggedOut(reason) => {
            // The intent first: a process killed anywhere behind it leaves a successor that does the
            // rest again.
            runtime
                .sessions
                .begin_logout(owner.fence(), &reason, desired_changes.seen())
                .await?;
            let failure = SendFailure::new("session_logged_out", "the session was logged out");
            runtime
                .lanes
                .abandon(runtime.now(), owner.fence(), &failure)
                .await?;
            keystore(runtime, owner, lost)
                .await?
                .erase()
                .await
                .map_err(lane_error)?;
            runtime
                .sessions
                .finish_logout(runtime.now(), owner.fence(), &reason)
                .await?;
            runtime
                .sessions
                .release(&owner.of, &owner.worker, owner.epoch)
                .await
        }
        ExitReason::Failed(reason) => {
            runtime
                .sessions
                .fail(
                    runtime.now(),
                    owner.fence(),
                    &reason,
                    desired_changes.seen(),
                )
                .await?;
            runtime
                .sessions
                .release(&owner.of, &owner.worker, owner.epoch)
                .await
        }
        ExitReason::Gone => Ok(runtime
            .sessions
            .strike_off(&owner.of, Some(&owner.worker))
            .await?),
        ExitReason::Delete => {
            let failure = SendFailure::new("session_deleted", "the session was deleted");
            runtime
                .lanes
                .abandon(runtime.now(), owner.fence(), &failure)
                .await?;
            keystore(runtime, owner, lost)
                .await?
                .forget()
                .await
                .map_err(lane_error)?;
            runtime
                .sessions
                .remove(runtime.now(), &owner.of, &owner.worker, owner.epoch)
                .await
        }
        ExitReason::Reopen | ExitReason::Stranger(_) | ExitReason::Lost => Ok(()),
    }
}

async fn report(
    runtime: &Runtime,
    owner: &Owner,
    status: SessionStatus,
    reason: &str,
) -> Result<(), LaneError> {
    let status = Some((status, reason.to_owned()));
    let report = Report {
        status,
        ..Report::default()
    };
    runtime
        .sessions
        .report(runtime.now(), owner.fence(), &report)
        .await
}

pub(super) async fn keystore(
    runtime: &Runtime,
    owner: &Owner,
    lost: &CancellationToken,
) -> Result<RedisKeystore, LaneError> {
    let epoch = i64::try_from(owner.epoch.0).unwrap_or(i64::MAX);
    let session = owner.of.session.clone();
    let (store, lost) = (runtime.store.clone(), lost.child_token());
    RedisKeystore::claim(store, &runtime.keyring, session, epoch, lost)
        .await
        .map_err(lane_error)
}

pub(super) fn lane_error(error: KeystoreError) -> LaneError {
    match error {
        KeystoreError::Redis(error) => error.into(),
        _ => LaneError::Stale(gateway_shared::lane::Stale),
    }
}
