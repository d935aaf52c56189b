//! What changes a send besides its owner's turns: receipts, cancelling, retrying, time.

use super::{Epoch, IdempotencyKey, LaneError, Lanes, SessionRef, Stale, request_token};
use crate::clock::Millis;
use crate::domain::{OrganizationId, OutboxId, SendFailure, SendStatus};
use crate::redis::{RedisFailure, unexpected};
use crate::session::INBOUND_MEMORY_MS;

/// What a recipient reports of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptStatus {
    /// A device has it.
    Delivered,
    /// It was read.
    Read,
    /// It was played.
    Played,
}

impl ReceiptStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
        }
    }
}

/// What a recipient reports of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// What became of it.
    pub status: ReceiptStatus,
    /// When.
    pub at: Millis,
    /// The chat that it came from. A receipt from another chat than the message went to settles
    /// nothing.
    pub chat: &'a str,
    /// Who tells: in a direct chat the other side, in a group the member.
    pub sender: &'a str,
    /// The message.
    pub wa_message_id: &'a str,
}

/// What became of a wish to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// It will not be sent.
    Done,
    /// The session has no such entry.
    NotFound,
    /// It may already be with WhatsApp.
    InFlight,
    /// It had ended before, with this status.
    AlreadyTerminal(String),
}

/// What became of a wish to try a failed send once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// It waits again.
    Queued,
    /// The session has no such entry.
    NotFound,
    /// It has not failed; this is its status.
    NotFailed(SendStatus),
    /// No number is paired with the session.
    LoggedOut {
        /// Where the session stands.
        status: String,
    },
    /// Another number is paired with the session than the one that it was accepted for.
    AccountChanged,
    /// Too many sends wait.
    LaneFull {
        /// How many.
        depth: u64,
    },
}

impl Lanes {
    /// Moves messages on by a recipient's receipt; returns how many changed.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner.
    pub async fn receipt(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        status: ReceiptStatus,
        at: Millis,
        (chat, sender): (&str, &str),
        wa_message_ids: &[String],
    ) -> Result<u64, LaneError> {
        let receipts: Vec<Receipt<'_>> = wa_message_ids
            .iter()
            .map(|wa_message_id| Receipt {
                status,
                at,
                chat,
                sender,
                wa_message_id,
            })
            .collect();
        self.receipts(now, owner, &receipts).await
    }

    /// Moves messages on by several receipts in one step, in their order; returns how many status
    /// changes they made. Repeating it is harmless.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner: nothing was changed.
    pub async fn receipts(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        receipts: &[Receipt<'_>],
    ) -> Result<u64, LaneError> {
        let (from, epoch) = owner;
        let root = self.root(&from.organization);
        let mut call = self.scripts.receipt.on(&root);
        call.arg(now).arg(from.session.as_str()).arg(epoch.0);
        for receipt in receipts {
            call.arg(receipt.status.as_str())
                .arg(receipt.at)
                .arg(receipt.chat)
                .arg(receipt.sender)
                .arg(receipt.wa_message_id);
        }
        let reply: Vec<redis::Value> = self.run(&call).await?;
        match reply.as_slice() {
            [_] => Err(Stale.into()),
            [_, moved] => Ok(redis::from_redis_value_ref(moved).map_err(redis::RedisError::from)?),
            _ => Err(unexpected("receipt.lua").into()),
        }
    }

    /// Cancels a send that still waits. A repeat of the request with this key is answered with it.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn cancel(
        &self,
        now: Millis,
        from: &SessionRef,
        id: &OutboxId,
        key: Option<&IdempotencyKey>,
    ) -> Result<Cancelled, RedisFailure> {
        let root = self.root(&from.organization);
        let mut call = self.scripts.cancel.on(&root);
        call.arg(now)
            .arg(from.session.as_str())
            .arg(id.as_str())
            .arg(request_token())
            .arg(key.map_or("", |key| key.hash.as_str()))
            .arg(key.map_or("", |key| key.fingerprint.as_str()))
            .arg(self.retention.idempotency_ms);
        let reply: Vec<String> = self.run_durably(&call).await?;
        let mut reply = reply.into_iter();
        match (reply.next().as_deref(), reply.next()) {
            (Some("cancelled"), _) => Ok(Cancelled::Done),
            (Some("not_found"), _) => Ok(Cancelled::NotFound),
            (Some("in_flight"), _) => Ok(Cancelled::InFlight),
            (Some("already_terminal"), Some(status)) => Ok(Cancelled::AlreadyTerminal(status)),
            _ => Err(unexpected("cancel.lua")),
        }
    }

    /// Queues a failed send once more, at the end of its chat and under its WhatsApp message id. It
    /// fails as expired after `time_to_live_ms` if it still waits then; at most `max_depth` sends may
    /// wait.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn retry(
        &self,
        now: Millis,
        from: &SessionRef,
        id: &OutboxId,
        time_to_live_ms: u64,
        max_depth: u32,
    ) -> Result<Retried, RedisFailure> {
        let root = self.root(&from.organization);
        let mut call = self.scripts.retry.on(&root);
        call.arg(now).arg(from.session.as_str()).arg(id.as_str());
        call.arg(time_to_live_ms)
            .arg(max_depth)
            .arg(request_token());
        let reply: Vec<String> = self.run_durably(&call).await?;
        let mut reply = reply.into_iter();
        let (name, detail) = (reply.next(), reply.next().unwrap_or_default());
        match name.as_deref() {
            Some("queued") => Ok(Retried::Queued),
            Some("not_found") => Ok(Retried::NotFound),
            Some("not_failed") => {
                let status = detail.parse().map_err(|_| unexpected("retry.lua"))?;
                Ok(Retried::NotFailed(status))
            }
            Some("logged_out") => Ok(Retried::LoggedOut { status: detail }),
            Some("account_changed") => Ok(Retried::AccountChanged),
            Some("lane_full") => {
                let depth = detail.parse().map_err(|_| unexpected("retry.lua"))?;
                Ok(Retried::LaneFull { depth })
            }
            _ => Err(unexpected("retry.lua")),
        }
    }

    /// Takes away the events that retention is done with, of an organization that emits none.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn sweep_events(
        &self,
        now: Millis,
        organization: &OrganizationId,
    ) -> Result<(), RedisFailure> {
        let root = self.root(organization);
        let mut call = self.scripts.sweep_events.on(&root);
        call.arg(now);
        self.run(&call).await
    }

    /// Looks after a lane that nobody may come by any more: ends as expired what waited past its
    /// time, and takes away what retention is done with. Returns how many entries were looked at;
    /// at most about twice `limit`.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn sweep(
        &self,
        now: Millis,
        from: &SessionRef,
        limit: u32,
    ) -> Result<u64, RedisFailure> {
        let root = self.root(&from.organization);
        let mut call = self.scripts.sweep.on(&root);
        call.arg(now)
            .arg(from.session.as_str())
            .arg(limit)
            .arg(INBOUND_MEMORY_MS);
        self.run(&call).await
    }

    /// Ends all that waits in a lane as failed, because its session is gone. Returns how many.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner, whose sends these now are. When Redis
    /// does not answer some may have been ended, and a repeat ends the rest.
    pub async fn abandon(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        failure: &SendFailure,
    ) -> Result<u64, LaneError> {
        self.end_all(now, owner, failure, false).await
    }

    /// Ends, as failed with `account_changed`, what was accepted for another number than the one
    /// that is paired with the session now (law 11).
    ///
    /// # Errors
    /// As [`abandon`](Self::abandon).
    pub async fn end_of_other_accounts(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
    ) -> Result<u64, LaneError> {
        let why = "another number is paired than it was accepted for";
        let failure = SendFailure::new("account_changed", why);
        self.end_all(now, owner, &failure, true).await
    }

    async fn end_all(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        failure: &SendFailure,
        of_others: bool,
    ) -> Result<u64, LaneError> {
        const BATCH: u32 = 200;
        let (from, epoch) = owner;
        let root = self.root(&from.organization);
        let (mut total, mut place) = (0, 0);
        loop {
            let mut call = self.scripts.abandon.on(&root);
            call.arg(now)
                .arg(from.session.as_str())
                .arg(json(failure))
                .arg(BATCH)
                .arg(epoch.0)
                .arg(u8::from(of_others))
                .arg(place);
            let (looked_at, ended): (i64, u64);
            (looked_at, place, ended) = self.run::<(i64, u64, u64)>(&call).await?;
            total += ended;
            match looked_at {
                -1 => return Err(Stale.into()),
                0 => return Ok(total),
                _ => {}
            }
        }
    }
}

pub(super) fn json(failure: &SendFailure) -> String {
    // A struct of strings and a number always has a JSON form.
    serde_json::to_string(failure).unwrap_or_default()
}
