//! Resting before a connection: a temporary ban outlives the worker that was told of it.

use std::time::Duration;

use gateway_shared::clock::Millis;
use gateway_shared::command::CommandError;
use gateway_shared::lane::LaneError;
use gateway_shared::session::{Desired, SessionRecord};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::actor::{ExitReason, exit_at_once};
use super::{Owner, Runtime};
use crate::pool::Order;

/// Why a lane rests whose account WhatsApp banned for a while.
pub(super) const TEMPORARY_BAN: &str = "temporary_ban";

/// The longest sleep before the record is looked at again.
const LOOK: Duration = Duration::from_secs(60);

/// Waits until WhatsApp lets the account connect again. Gives a reason to leave before, if there is
/// one; a wish to restart, to log out or to delete is carried out at once.
pub(super) async fn rest_out(
    runtime: &Runtime,
    owner: &Owner,
    lost: &CancellationToken,
    record: &SessionRecord,
    orders: &mut mpsc::UnboundedReceiver<Order>,
) -> Result<Option<ExitReason>, LaneError> {
    let mut record = record.clone();
    let restarts = record.restarts;
    loop {
        let parting = record.logout || record.desired == Desired::Deleted;
        let Some(until) = banned_until(runtime, owner).await? else {
            return Ok(None);
        };
        if parting || record.restarts != restarts {
            return Ok(None);
        }
        let left = Duration::from_millis(u64::try_from(until - runtime.now()).unwrap_or(0));
        tokio::select! {
            biased;
            () = lost.cancelled() => return Ok(Some(ExitReason::Lost)),
            order = orders.recv() => match order {
                Some(Order::Look) => {}
                Some(Order::Command(command)) => {
                    let message = "WhatsApp banned the account for a while".to_owned();
                    command.answer(Err(CommandError {
                        code: "session_not_connected".to_owned(),
                        message,
                        wa_code: None,
                    })).await;
                    continue;
                }
                Some(Order::HandOver) | None => return Ok(Some(ExitReason::Release(None))),
            },
            () = sleep(left.min(LOOK)) => {}
        }
        let Some(now) = runtime.sessions.record(&owner.of).await? else {
            return Ok(Some(ExitReason::Lost));
        };
        if now.epoch != owner.epoch {
            return Ok(Some(ExitReason::Lost));
        }
        if let Some(leave) = exit_at_once(&now) {
            return Ok(Some(leave));
        }
        record = now;
    }
}

async fn banned_until(runtime: &Runtime, owner: &Owner) -> Result<Option<Millis>, LaneError> {
    let hold = runtime.lanes.standing(runtime.now(), &owner.of).await?;
    let banned = hold.rest_reason.as_deref() == Some(TEMPORARY_BAN);
    Ok(hold.resting_until.filter(|_| banned))
}
