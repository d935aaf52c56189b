//! From a valid request to its answer: accept, and for a synchronous send wait for its fate.

use std::time::Duration;

use gateway_shared::clock::Millis;
use gateway_shared::domain::{
    Content, InstanceId, Jid, OutboxId, SendFailure, SendStatus, SessionStatus, new_message_id,
};
use gateway_shared::lane::{
    EnqueueOutcome, EnqueueRequest, IdempotencyKey, Mode, Replay, SessionRef,
};
use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until};

use super::operations::message_not_found;
use super::result::SendResult;
use crate::access::session_not_found;
use crate::error::{ApiError, Code};
use crate::replies::Ticket;
use crate::request::{Problems, RequestId};
use crate::state::App;

/// How often a waiting request looks at the outbox by itself, in case its answer got lost.
const LOOK: Duration = Duration::from_secs(5);
/// When to try again where a session is not connected or a lane is full.
const RETRY_LATER_MS: u64 = 5_000;

/// When a send is to go, and until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// Not before this moment; 0 = at once.
    pub(super) send_at: Millis,
    /// The moment after which it fails as expired, where the client says so.
    pub(super) expires_at: Option<Millis>,
}

/// A valid send.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) from: SessionRef,
    pub(super) to: Jid,
    pub(super) content: Content,
    pub(super) mode: Mode,
    pub(super) times: Times,
    pub(super) idempotency: Option<IdempotencyKey>,
    pub(super) request_id: RequestId,
}

impl Submission {
    /// The moment after which it can not be waiting any more.
    pub(super) fn ends_at(&self, app: &App) -> Millis {
        let time_to_live = Millis::try_from(app.config.send.time_to_live_ms).unwrap_or(Millis::MAX);
        let begins = app.now().max(self.times.send_at);
        self.times
            .expires_at
            .unwrap_or_else(|| begins.saturating_add(time_to_live))
    }

    /// As the lane is asked. `waiter` is who waits for its settlement, `max_depth` the greatest
    /// number of sends that may wait.
    pub(super) fn into_enqueue_request(
        self,
        app: &App,
        now: Millis,
        waiter: Option<(InstanceId, String)>,
        max_depth: u32,
    ) -> EnqueueRequest {
        let Times {
            send_at,
            expires_at,
        } = self.times;
        EnqueueRequest {
            from: self.from,
            id: OutboxId::generate(now),
            wa_message_id: new_message_id(),
            to: self.to,
            content: self.content,
            mode: self.mode,
            expires_at,
            time_to_live_ms: app.config.send.time_to_live_ms,
            send_at,
            request_id: self.request_id.as_str().to_owned(),
            idempotency: self.idempotency,
            waiter,
            max_depth,
        }
    }
}

/// How far a send is.
struct Standing {
    status: SendStatus,
    at: Millis,
    error: Option<SendFailure>,
}

/// Answers an operation whose key was used before as its first use was, and accepts nothing.
///
/// # Errors
/// As [`submit`]; 503 where the key was forgotten just now.
pub(super) async fn replay(
    app: &App,
    from: &SessionRef,
    key: &IdempotencyKey,
    mode: Mode,
    request_id: &RequestId,
) -> Result<SendResult, ApiError> {
    let began = Instant::now();
    let ticket = (mode == Mode::Sync).then(|| app.replies.ticket());
    let waiter = ticket
        .as_ref()
        .map(|ticket| (app.replies.instance().clone(), ticket.token()));
    let organization = &from.organization;
    match app.lanes.replay(organization, key, waiter.as_ref()).await? {
        Some(EnqueueOutcome::Replayed(replay)) => {
            wait_for_replay(app, from, request_id.as_str(), replay, ticket, began).await
        }
        Some(refused) => Err(refusal(app.now(), refused)),
        None => Err(ApiError::unavailable(
            "idempotency_key_forgotten",
            "the Idempotency-Key was forgotten just now: repeat the request",
        )),
    }
}

/// The result of an earlier request: its present one, or the final one where it is waited for.
async fn wait_for_replay(
    app: &App,
    from: &SessionRef,
    request_id: &str,
    replay: Replay,
    ticket: Option<Ticket>,
    began: Instant,
) -> Result<SendResult, ApiError> {
    let error = replay.status.is_settled().then(|| replay.error.clone());
    let result = SendResult::of_replay(replay);
    match (error, ticket) {
        (Some(error), _) => result.or_failure(error),
        (None, None) => Ok(result),
        (None, Some(ticket)) => wait_for_end(app, from, request_id, result, ticket, began).await,
    }
}

/// Accepts a send and, where its sender waits, waits for WhatsApp's acknowledgement.
///
/// # Errors
/// As the contract lists them for sends. What was accepted stays accepted, whatever happens to
/// this request afterwards.
pub(super) async fn submit(app: &App, submission: Submission) -> Result<SendResult, ApiError> {
    let began = Instant::now();
    let now = app.now();
    refuse_new(app, now, &submission).await?;
    let sync = submission.mode == Mode::Sync;
    if sync && !app.health_monitor.workers_live(app).await? {
        refuse_without_worker(app, &submission).await?;
    }
    // In place before the send exists, so that its answer can not come too early.
    let ticket = sync.then(|| app.replies.ticket());
    let waiter = ticket
        .as_ref()
        .map(|ticket| (app.replies.instance().clone(), ticket.token()));
    let depth = app.config.send.max_lane_depth;
    let acceptance = submission.into_enqueue_request(app, now, waiter, depth);
    let (from, request_id) = (&acceptance.from, acceptance.request_id.as_str());
    let result = match app.lanes.accept(now, &acceptance).await? {
        EnqueueOutcome::New { status, at, names } => {
            SendResult::of_new(&acceptance, status, at, names)
        }
        EnqueueOutcome::Replayed(replay) => {
            return wait_for_replay(app, from, request_id, replay, ticket, began).await;
        }
        refused => return Err(refusal(now, refused)),
    };
    tracing::debug!(
        request_id, organization = %from.organization, session = %from.session,
        outbox_id = %result.outbox_id, mode = acceptance.mode.as_str(), "accepted"
    );
    match ticket {
        Some(ticket) => wait_for_end(app, from, request_id, result, ticket, began).await,
        None => Ok(result),
    }
}

/// Waits for the end of what was accepted, or for the deadline.
async fn wait_for_end(
    app: &App,
    from: &SessionRef,
    request_id: &str,
    mut result: SendResult,
    ticket: Ticket,
    began: Instant,
) -> Result<SendResult, ApiError> {
    let deadline = began + Duration::from_millis(app.config.send.sync_deadline_ms);
    let Some(standing) = outcome(app, from, &result.outbox_id, ticket, deadline).await else {
        result.status = SendStatus::Sending;
        result.timestamp = app.now();
        return Ok(result);
    };
    tracing::debug!(
        request_id, organization = %from.organization, session = %from.session,
        outbox_id = %result.outbox_id, status = standing.status.as_str(), "settled"
    );
    result.status = standing.status;
    result.timestamp = standing.at;
    result.or_failure(standing.error)
}

/// Ends a send that is not to be accepted anew, because its `expiresAt` is over or because too many
/// of its organization wait, unless it repeats an earlier one, whose result it gets all the same.
///
/// # Errors
/// 400, naming the field; 429.
pub(super) async fn refuse_new(
    app: &App,
    now: Millis,
    submission: &Submission,
) -> Result<(), ApiError> {
    let organization = &submission.from.organization;
    let over = submission.times.expires_at.is_some_and(|at| at <= now);
    if !over && app.quotas.may_wait(&app.lanes, organization, 1).await? {
        return Ok(());
    }
    if let Some(key) = &submission.idempotency
        && app.lanes.replay(organization, key, None).await?.is_some()
    {
        return Ok(());
    }
    if !over {
        return Err(app.quotas.too_many_waiting());
    }
    let mut problems = Problems::default();
    problems.add("expiresAt", "must be in the future");
    Err(ApiError::validation(&problems))
}

/// Ends a synchronous send while no worker lives, unless it repeats an earlier one, whose result
/// it gets all the same.
async fn refuse_without_worker(app: &App, submission: &Submission) -> Result<(), ApiError> {
    let session = app.sessions.get(&submission.from).await?;
    let session = session.ok_or_else(session_not_found)?;
    if let Some(key) = &submission.idempotency
        && app
            .lanes
            .replay(&submission.from.organization, key, None)
            .await?
            .is_some()
    {
        return Ok(());
    }
    if session.status != SessionStatus::Working {
        return Err(not_connected(session.status.as_str()));
    }
    Err(ApiError::unavailable(
        "no_worker",
        "no worker runs at the moment; an async send would wait for one",
    ))
}

fn not_connected(status: &str) -> ApiError {
    ApiError::unavailable(
        "session_not_connected",
        "the session is not connected; an async send would wait for it",
    )
    .with("status", status)
    .retry_after(RETRY_LATER_MS)
}

/// Nobody is paired: there is no number that a send could belong to.
pub(crate) fn logged_out(status: &str) -> ApiError {
    ApiError::conflict(
        "logged_out",
        "no number is paired with the session, so nothing can be accepted for it",
    )
    .with("status", status)
}

/// Too many sends of a session wait.
pub(crate) fn lane_full(depth: u64) -> ApiError {
    ApiError::unavailable("lane_full", "too many sends of this session wait already")
        .with("depth", depth)
        .retry_after(RETRY_LATER_MS)
}

fn paused(now: Millis, by_operator: bool, until: Option<Millis>, reason: String) -> ApiError {
    let (code, message) = if by_operator {
        (
            "lane_paused",
            "an operator paused the session's sends; an async send would wait",
        )
    } else {
        (
            "lane_resting",
            "WhatsApp asked this session to rest; an async send would wait",
        )
    };
    let answer = ApiError::unavailable(code, message).with("cause", reason);
    match until {
        Some(until) => answer.with("until", until).retry_after(wait(now, until)),
        None => answer.retry_after(RETRY_LATER_MS),
    }
}

fn wait(now: Millis, until: Millis) -> u64 {
    u64::try_from(until - now).unwrap_or(0)
}

/// Why a send was not accepted.
pub(super) fn refusal(now: Millis, refused: EnqueueOutcome) -> ApiError {
    match refused {
        EnqueueOutcome::KeyReused { id } => ApiError::conflict(
            "idempotency_key_reused",
            "the Idempotency-Key was used before with another request",
        )
        .with("outboxId", id.as_str()),
        EnqueueOutcome::SessionNotFound => session_not_found(),
        EnqueueOutcome::LoggedOut { status } => logged_out(&status),
        EnqueueOutcome::QuoteNotSeen { reason } => ApiError::not_found("message")
            .with("field", "replyTo")
            .with("reason", reason),
        EnqueueOutcome::TargetNotSent => message_not_found(),
        EnqueueOutcome::NotSentYet { send_at } => ApiError::conflict(
            "not_sent_yet",
            "the message waits for its sendAt: cancel it (DELETE), or ask with ?async=true, then \
             the operation follows it",
        )
        .with("sendAt", send_at),
        EnqueueOutcome::NotConnected { status } => not_connected(&status),
        EnqueueOutcome::RateLimited {
            window,
            retry_after_ms,
        } => ApiError::new(
            Code::RateLimited,
            format!("over the session's rate limit (per {})", window.as_str()),
        )
        .with("window", window.as_str())
        .with("retryAfterMs", retry_after_ms)
        .retry_after(retry_after_ms),
        EnqueueOutcome::LaneFull { depth } => lane_full(depth),
        EnqueueOutcome::Paused {
            by_operator,
            until,
            reason,
        } => paused(now, by_operator, until, reason),
        EnqueueOutcome::NewChatsHeld { until } => ApiError::unavailable(
            "new_chats_held",
            "WhatsApp does not let this session write to somebody new at the moment; an async send \
             would wait until it does",
        )
        .with("until", until)
        .retry_after(wait(now, until)),
        EnqueueOutcome::New { .. } | EnqueueOutcome::Replayed(_) => {
            ApiError::new(Code::Internal, "internal error")
        }
    }
}

/// Waits until a send is settled; `None` where it is not by the deadline, or when this process
/// ends.
async fn outcome(
    app: &App,
    from: &SessionRef,
    id: &OutboxId,
    mut ticket: Ticket,
    deadline: Instant,
) -> Option<Standing> {
    loop {
        let answer = tokio::select! {
            biased;
            answer = ticket.answer() => answer.as_deref().and_then(read_answer),
            () = sleep_until(deadline) => return look(app, from, id).await,
            () = app.overdue.cancelled() => return None,
            () = sleep(LOOK) => None,
        };
        if answer.is_some() {
            return answer;
        }
        let seen = look(app, from, id).await;
        if seen.is_some() {
            return seen;
        }
    }
}

/// What the outbox says of a send, once it is settled.
async fn look(app: &App, from: &SessionRef, id: &OutboxId) -> Option<Standing> {
    // While Redis does not answer there is nothing to see; the send is safe there.
    let entry = app.lanes.entry(from, id).await.ok()??;
    entry.status.is_settled().then_some(Standing {
        status: entry.status,
        at: entry.updated_at,
        error: entry.error,
    })
}

fn read_answer(message: &str) -> Option<Standing> {
    #[derive(Deserialize)]
    struct Answer {
        status: SendStatus,
        timestamp: Millis,
        error: Option<SendFailure>,
    }
    let answer: Answer = serde_json::from_str(message).ok()?;
    Some(Standing {
        status: answer.status,
        at: answer.timestamp,
        error: answer.error,
    })
}
