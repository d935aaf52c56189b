//! One message as a story: where it stands and why it waits, then each step and how long it took.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use gateway_shared::clock::Millis;
use gateway_shared::domain::{OutboxId, SendStatus, SessionId};
use gateway_shared::lane::{OutboxEntry, SessionRef, WaitReason, WaitingFor};
use maud::{Markup, html};

use super::access::Present;
use super::icons::icon;
use super::{Failure, layout, words};
use crate::control::act::session_of;
use crate::state::App;

/// Width of a bar to scale.
const WIDTH: i64 = 360;

pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Path((session, outbox)): Path<(String, String)>,
) -> Result<Markup, Failure> {
    let session: SessionId = session.parse().map_err(|_| Failure::missing("session"))?;
    let of = session_of(&app, &session).await?;
    of_message(&app, &who, &of, &outbox, false).await
}

/// The page of one message. `revealed`: whether it shows recipient and content, which was recorded.
pub(super) async fn of_message(
    app: &Arc<App>,
    who: &Present,
    of: &SessionRef,
    outbox: &str,
    revealed: bool,
) -> Result<Markup, Failure> {
    let now = app.now();
    let id: OutboxId = outbox.parse().map_err(|_| Failure::missing("message"))?;
    let entry = app.lanes.entry(of, &id).await?;
    let entry = entry.ok_or_else(|| Failure::missing("message"))?;
    let waiting = app.lanes.waiting_for(now, of, &id).await?;
    let session = app.sessions.get(of).await?;
    let body = if revealed {
        app.lanes.body(of, &id).await?
    } else {
        None
    };
    let label = session.map_or_else(String::new, |session| session.label);
    let content = html! {
        p class="crumb" { a href="/ops/messages" { "Messages" } " / " a href={ "/ops/sessions/" (of.session) } { bdi { @if label.is_empty() { (of.session) } @else { (label) } } } }
        div class="titled" {
            h1 { (kind(&entry.kind)) " to " bdi { @if revealed { (entry.chat_jid) } @else { (words::masked(&entry.chat_jid)) } } }
            div class="actions" { (actions(who, of, &entry, revealed)) }
        }
        p class="summary" { (words::send_state(entry.status)) " " (standing(&entry, now)) }
        @if let Some(waiting) = &waiting { (why(of, waiting, now)) }
        @if let (Some(error), SendStatus::Failed) = (&entry.error, entry.status) {
            p class="why bad" { b { "It failed: " } (error.message) " " code { (error.code) } @if let Some(code) = error.wa_code { " WhatsApp's code " code { (code) } } }
        }
        @if revealed {
            section aria-labelledby="content-title" {
                h2 id="content-title" { "Content" small { "shown to you only; the audit log says so" } }
                @match body.as_deref() {
                    Some(body) => { @if let Some(text) = text_of(body) { p class="body" dir="auto" { (text) } } details { summary { "As it is kept" } pre { (body) } } },
                    None => p class="empty" { "The content is not kept any more: the message has ended, and nothing needs it." },
                }
            }
        }
        section aria-labelledby="story" {
            h2 id="story" { "What happened" }
            (timeline(&entry, waiting.as_ref(), now))
        }
        section aria-labelledby="ids" {
            h2 id="ids" { "Names" }
            dl class="facts" {
                dt { "Outbox id" } dd { (words::id(entry.outbox_id.as_str())) }
                dt { "WhatsApp id" } dd { (words::id(&entry.wa_message_id)) }
                dt { "Request" } dd { (words::id(&entry.request_id)) }
                dt { "Session" } dd { a href={ "/ops/sessions/" (of.session) } { bdi { (label) } } " " (words::id(of.session.as_str())) }
                dt { "Tenant" } dd { a href={ "/ops/organizations/" (of.organization) } { "its page" } " " (words::id(of.organization.as_str())) }
                dt { "Attempts" } dd { (entry.attempts) @if entry.tries > 1 { " in try " (entry.tries) } }
                dt { "Fails if it still waits" } dd { @if entry.expires_at > now { (words::ahead(now, entry.expires_at)) } @else { (words::ago(now, entry.expires_at)) } }
            }
        }
        section aria-labelledby="raw" {
            h2 id="raw" { "Record" }
            details { summary { "What the API answers for it" @if !revealed { ", without the recipient" } } pre { (raw(&entry, waiting, revealed)) } }
        }
    };
    layout::page(app, who, "/ops/messages", "One message", &content).await
}

fn kind(kind: &str) -> String {
    let mut letters = kind.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn actions(who: &Present, of: &SessionRef, entry: &OutboxEntry, revealed: bool) -> Markup {
    let fields = [
        ("session", of.session.as_str()),
        ("outbox", entry.outbox_id.as_str()),
    ];
    html! {
        @match entry.status {
            SendStatus::Failed => {
                (layout::action(who, "message.retry", "Retry this send", &fields, None))
                (layout::action(who, "message.discard", "Discard it", &fields, Some("It is taken off the list of dead letters. Its record stays until its retention ends.")))
            }
            SendStatus::Queued | SendStatus::Scheduled => (layout::action(who, "message.cancel", "Cancel this send", &fields, Some("It will not be sent; its sender is told."))),
            _ => {}
        }
        @if !revealed { (layout::action(who, "message.reveal", "Show content and recipient", &fields, None)) }
    }
}

/// Where it stands, in one sentence.
fn standing(entry: &OutboxEntry, now: Millis) -> Markup {
    let took = words::span(entry.updated_at.saturating_sub(entry.created_at));
    html! {
        @match entry.status {
            SendStatus::Scheduled => { "It waits for its time" @if let Some(at) = entry.send_at { ", " (words::ahead(now, at)) } "." }
            SendStatus::Queued => { "It has waited for " (words::age(now, entry.created_at)) "." }
            SendStatus::Sending => { "It is being sent; WhatsApp has not acknowledged it yet." }
            SendStatus::Failed => { "It ended " (words::ago(now, entry.updated_at)) ", after " (took) "." }
            SendStatus::Cancelled => { "It was cancelled " (words::ago(now, entry.updated_at)) " and will not be sent." }
            _ => { "The last news came " (took) " after it was accepted, " (words::ago(now, entry.updated_at)) "." }
        }
    }
}

/// Why it waits.
fn why(of: &SessionRef, waiting: &WaitingFor, now: Millis) -> Markup {
    html! {
        p class="why" {
            b { "Why it waits: " }
            @if let (WaitReason::Behind, Some(before)) = (waiting.reason, &waiting.outbox_id) {
                "behind " a href={ "/ops/messages/" (of.session) "/" (before) } { (before) } " in the same chat"
            } @else { (waiting.message) }
            @if let Some(until) = waiting.until { @if until > now { " (until " (words::moment(until)) " UTC)" } }
            "."
        }
    }
}

fn timeline(entry: &OutboxEntry, waiting: Option<&WaitingFor>, now: Millis) -> Markup {
    let end = if waiting.is_none() && entry.status != SendStatus::Sending {
        entry.updated_at
    } else {
        now
    };
    let whole = end.saturating_sub(entry.created_at).max(1);
    let before = std::iter::once(entry.created_at).chain(entry.history.iter().map(|s| s.timestamp));
    html! {
        ol class="story" {
            @for (index, (step, before)) in entry.history.iter().zip(before).enumerate() {
                @let took = step.timestamp.saturating_sub(before).max(0);
                @let (class, sign) = words::sign_of(step.status);
                li {
                    span class={ "mark state " (class) } { (icon(sign)) }
                    div class="what" { b { (sentence_of(step.status, index)) } }
                    div class="when" { (words::moment(step.timestamp)) }
                    @if index > 0 { (bar(took, whole, &format!("{} after the step before", words::span(took)))) }
                }
            }
            @if let Some(waiting) = waiting {
                @let since = now.saturating_sub(entry.updated_at).max(0);
                li {
                    span class="mark state held" { (icon("clock")) }
                    div class="what" { b { "Waits: " } (waiting.message) }
                    div class="when" { "now" }
                    (bar(since, whole, &format!("{} so far", words::span(since))))
                }
            }
        }
    }
}

/// How long a step took, to the scale of the whole.
fn bar(took: Millis, whole: Millis, text: &str) -> Markup {
    let width = (took.saturating_mul(WIDTH) / whole).clamp(0, WIDTH);
    html! {
        div class="took" {
            svg viewBox={ "0 0 " (WIDTH) " 6" } preserveAspectRatio="none" aria-hidden="true" {
                rect class="all" x="0" y="2" width=(WIDTH) height="2" {}
                rect class="part" x="0" y="0" width=(width.max(2)) height="6" rx="2" {}
            }
            (text)
        }
    }
}

fn sentence_of(status: SendStatus, index: usize) -> &'static str {
    match status {
        SendStatus::Scheduled => "Accepted, for a later time",
        SendStatus::Queued if index == 0 => "Accepted",
        SendStatus::Queued => "Queued",
        SendStatus::Sending => "Taken by a worker, which sends it",
        SendStatus::Sent => "Acknowledged by WhatsApp",
        SendStatus::Delivered => "Delivered to the recipient",
        SendStatus::Read => "Read",
        SendStatus::Played => "Played",
        SendStatus::Failed => "Failed for good",
        SendStatus::Cancelled => "Cancelled",
    }
}

/// The text of a content, where it has one.
fn text_of(body: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    let text = body.pointer("/text").or_else(|| body.pointer("/caption"));
    let text = text.or_else(|| body.pointer("/text/body"));
    text?.as_str().map(str::to_owned)
}

fn raw(entry: &OutboxEntry, waiting: Option<WaitingFor>, revealed: bool) -> String {
    let mut entry = entry.clone();
    entry.waiting_for = waiting;
    let mut raw = serde_json::to_value(&entry).unwrap_or_default();
    if !revealed {
        for name in ["chatJid", "pn", "lid"] {
            if let Some(address) = raw[name].as_str() {
                raw[name] = words::masked(address).into();
            }
        }
    }
    format!("{raw:#}")
}
