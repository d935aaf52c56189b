//! The outbox: what became of the sends.

pub(crate) mod docs;

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::{Extension, Json};
use gateway_shared::domain::{Jid, OutboxId, SendStatus};
use gateway_shared::lane::{Cancelled, OutboxEntry, OutboxFilter, Retried, SessionRef};

use crate::access::{Caller, session_not_found};
use crate::error::ApiError;
use crate::messages::{lane_full, logged_out};
use crate::page::Page;
use crate::request::{Named, Problems, Query};
use crate::state::App;

/// `GET /sessions/{session}/outbox?status=&chat=&limit=&cursor=`: newest first.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Page<OutboxEntry>>, ApiError> {
    let of = caller.session(&session)?;
    let query = Query::of(&uri);
    let mut problems = Problems::default();
    let filter = OutboxFilter {
        status: query.parsed(&mut problems, "status"),
        chat: query
            .parsed::<Jid>(&mut problems, "chat")
            .map(|chat| chat.to_string()),
        cursor: query.get("cursor").unwrap_or_default().to_owned(),
        limit: query.limit(&mut problems),
    };
    if !filter.has_valid_cursor() {
        problems.add("cursor", "must be the nextCursor of an earlier page");
    }
    problems.settle()?;
    readable(&app, &of).await?;
    let (data, next_cursor) = app.lanes.list(&of, &filter).await?;
    Ok(Json(Page { data, next_cursor }))
}

/// `GET /sessions/{session}/outbox/{outboxId}`: one entry with its attempts, every status, and
/// why it waits.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named((session, entry)): Named<(String, String)>,
) -> Result<Json<OutboxEntry>, ApiError> {
    let of = caller.session(&session)?;
    readable(&app, &of).await?;
    let mut entry = found(&app, &of, &entry).await?;
    if !entry.status.is_settled() {
        let waiting = app.lanes.waiting_for(app.now(), &of, &entry.outbox_id);
        entry.waiting_for = waiting.await?;
    }
    Ok(Json(entry))
}

/// `DELETE /sessions/{session}/outbox/{outboxId}`: cancels what still waits.
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named((session, entry)): Named<(String, String)>,
) -> Result<Json<OutboxEntry>, ApiError> {
    let of = caller.session(&session)?;
    exists(&app, &of).await?;
    let id: OutboxId = entry.parse().map_err(|_| entry_not_found())?;
    match app.lanes.cancel(app.now(), &of, &id, None).await? {
        Cancelled::Done => found(&app, &of, &entry).await.map(Json),
        Cancelled::NotFound => Err(entry_not_found()),
        Cancelled::InFlight => Err(ApiError::conflict(
            "in_flight",
            "the send is being attempted: WhatsApp may have it already",
        )),
        Cancelled::AlreadyTerminal(status) => Err(ApiError::conflict(
            "already_terminal",
            format!("the send has ended: it is {status}"),
        )
        .with("status", status)),
    }
}

/// `POST /sessions/{session}/outbox/{outboxId}:retry`: queues a failed send once more, at the end of
/// its chat, with the WhatsApp message id it has and a new time to live.
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named((session, entry)): Named<(String, String)>,
) -> Result<Json<OutboxEntry>, ApiError> {
    let of = caller.session(&session)?;
    exists(&app, &of).await?;
    let id: OutboxId = entry.parse().map_err(|_| entry_not_found())?;
    let send = &app.config.send;
    let (time_to_live, depth) = (send.time_to_live_ms, send.max_lane_depth);
    let retried = app.lanes.retry(app.now(), &of, &id, time_to_live, depth);
    match retried.await? {
        Retried::Queued => found(&app, &of, &entry).await.map(Json),
        Retried::NotFound => Err(entry_not_found()),
        Retried::NotFailed(status) => Err(not_failed(status)),
        Retried::LaneFull { depth } => Err(lane_full(depth)),
        Retried::LoggedOut { status } => Err(logged_out(&status)),
        Retried::AccountChanged => Err(ApiError::conflict(
            "account_changed",
            "another number is paired with the session than the one that it was accepted for",
        )),
    }
}

fn not_failed(status: SendStatus) -> ApiError {
    let reason = match status {
        SendStatus::Sending => "in_flight",
        SendStatus::Scheduled | SendStatus::Queued => "not_failed",
        _ => "already_terminal",
    };
    let problem = format!("only a failed send can be retried: it is {status}");
    ApiError::conflict(reason, problem).with("status", status.as_str())
}

/// There is such a session, or was one whose sends are still remembered.
async fn readable(app: &App, of: &SessionRef) -> Result<(), ApiError> {
    if app.sessions.get(of).await?.is_some() || app.lanes.has_outbox(of).await? {
        return Ok(());
    }
    Err(session_not_found())
}

async fn exists(app: &App, of: &SessionRef) -> Result<(), ApiError> {
    let session = app.sessions.get(of).await?;
    session.map(|_| ()).ok_or_else(session_not_found)
}

async fn found(app: &App, of: &SessionRef, entry: &str) -> Result<OutboxEntry, ApiError> {
    let id: OutboxId = entry.parse().map_err(|_| entry_not_found())?;
    app.lanes.entry(of, &id).await?.ok_or_else(entry_not_found)
}

fn entry_not_found() -> ApiError {
    ApiError::not_found("outbox entry")
}
