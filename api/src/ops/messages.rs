//! Messages: found by any of their ids, and one told as a story.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use gateway_shared::clock::Millis;
use gateway_shared::domain::OutboxId;
use gateway_shared::lane::{OutboxEntry, OutboxFilter, SessionRef};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::Present;
use super::overview::directory;
use super::sessions::find;
use super::{Failure, layout, words};
use crate::state::App;

/// Most sessions that a search by id looks into.
const MOST_LOOKED_INTO: usize = 2_000;
/// Sends a page.
const PAGE: usize = 50;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    session: String,
    status: String,
    cursor: String,
}

pub(super) async fn search(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let now = app.now();
    let q = asked.q.trim();
    let mut entries = Vec::new();
    let mut next = String::new();
    if !q.is_empty() {
        let sessions = directory(&app).await?;
        for of in sessions.iter().take(MOST_LOOKED_INTO) {
            let id = match q.parse::<OutboxId>() {
                Ok(id) => Some(id),
                Err(_) => app.lanes.by_message_id(of, q).await?,
            };
            if let Some(id) = id
                && app.lanes.entry(of, &id).await?.is_some()
            {
                let place = format!("/ops/messages/{}/{id}", of.session);
                return Ok(Redirect::to(&place).into_response());
            }
        }
    } else if !asked.session.is_empty() {
        let of = find(&app, asked.session.trim()).await?;
        let filter = OutboxFilter {
            status: asked.status.parse().ok(),
            cursor: asked.cursor.clone(),
            limit: PAGE,
            ..OutboxFilter::default()
        };
        (entries, next) = app.lanes.list(&of, &filter).await?;
    }
    let content = html! {
        form method="get" class="filters" {
            label { "Outbox id or WhatsApp id " input name="q" value=(asked.q); }
            label { "or session " input name="session" value=(asked.session); }
            label { "status " input name="status" value=(asked.status); }
            button type="submit" { "Find" }
        }
        @if !q.is_empty() { p class="empty" { "No message has this id, or its retention has ended." } }
        @else if asked.session.is_empty() { p class="empty" { "Every send is here for its retention (7 days unless set otherwise). Enter its outbox id or WhatsApp id, or a session to see its latest." } }
        @else { (table(&entries, now)) }
        @if !next.is_empty() { p { a class="next" href={ "/ops/messages?session=" (asked.session) "&status=" (asked.status) "&cursor=" (next) } { "Older" } } }
    };
    Ok(layout::page(&app, &who, "/ops/messages", "Messages", &content).into_response())
}

/// Sends as a table.
pub(super) fn table(entries: &[OutboxEntry], now: Millis) -> Markup {
    html! {
        @if entries.is_empty() { p class="empty" { "No sends here." } }
        @else {
            table {
                thead { tr { th { "Send" } th { "Status" } th { "Kind" } th { "To" } th class="n" { "Attempts" } th class="n" { "Accepted" } } }
                tbody {
                    @for entry in entries {
                        tr {
                            td data-label="Send" { a href={ "/ops/messages/" (entry.session) "/" (entry.outbox_id) } { (entry.outbox_id) } }
                            td data-label="Status" { (words::send_state(entry.status)) }
                            td data-label="Kind" { (entry.kind) }
                            td data-label="To" { (words::masked(&entry.chat_jid)) }
                            td class="n" data-label="Attempts" { (entry.attempts) }
                            td class="n" data-label="Accepted" { (words::ago(now, entry.created_at)) }
                        }
                    }
                }
            }
        }
    }
}

pub(super) async fn story(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Path((session, outbox)): Path<(String, String)>,
) -> Result<Markup, Failure> {
    let of = find(&app, &session).await?;
    story_of(&app, &who, &of, &outbox, false).await
}

/// The page of one message. `revealed`: whether it shows the recipient, which was recorded then.
pub(super) async fn story_of(
    app: &App,
    who: &Present,
    of: &SessionRef,
    outbox: &str,
    revealed: bool,
) -> Result<Markup, Failure> {
    let now = app.now();
    let session = of.session.as_str();
    let id: OutboxId = outbox.parse().map_err(|_| Failure::missing("message"))?;
    let entry = app.lanes.entry(of, &id).await?;
    let entry = entry.ok_or_else(|| Failure::missing("message"))?;
    let to = if revealed {
        entry.chat_jid.clone()
    } else {
        words::masked(&entry.chat_jid)
    };
    let fields = [("session", session), ("outbox", outbox)];
    let whole = entry.updated_at.saturating_sub(entry.created_at).max(1);
    let begins =
        std::iter::once(entry.created_at).chain(entry.history.iter().map(|step| step.timestamp));
    let steps: Vec<_> = entry.history.iter().zip(begins).collect();
    let content = html! {
        p class="summary" {
            (words::send_state(entry.status)) " " (entry.kind) " to " bdi { (to) }
            @if let Some(error) = &entry.error { ": " (error.message) " (" code { (error.code) } ")" }
        }
        div class="actions" {
            @match entry.status.as_str() {
                "failed" => (layout::action(who, "message.retry", "Retry this send", &fields, None)),
                "queued" | "scheduled" => (layout::action(who, "message.cancel", "Cancel this send", &fields, Some("Cancel this send? It will not be sent."))),
                _ => {}
            }
            @if !revealed { (layout::action(who, "message.reveal", "Show the recipient", &fields, None)) }
        }
        ol class="timeline" {
            @for (step, before) in &steps {
                @let took = step.timestamp.saturating_sub(*before).max(0);
                @let share = (took.saturating_mul(100) / whole).min(100);
                li {
                    (words::send_state(step.status)) " " (words::ago(now, step.timestamp))
                    @if took > 0 { span class="quiet" { " · " (words::span(took)) " later" } }
                    meter min="0" max="100" value=(share) aria-hidden="true" {}
                }
            }
        }
        dl class="figures" {
            div { dt { "Attempts" } dd { (entry.attempts) } }
            div { dt { "Try" } dd { (entry.tries) } }
            div { dt { "Outbox id" } dd { (words::id(entry.outbox_id.as_str())) } }
            div { dt { "WhatsApp id" } dd { (words::id(&entry.wa_message_id)) } }
            div { dt { "Request" } dd { (words::id(&entry.request_id)) } }
            div { dt { "Session" } dd { a href={ "/ops/sessions/" (session) } { (words::id(session)) } } }
        }
    };
    Ok(layout::page(
        app,
        who,
        "/ops/messages",
        "One message",
        &content,
    ))
}
