//! Messages: found by whatever is known of them.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use gateway_shared::clock::Millis;
use gateway_shared::domain::SendStatus;
use gateway_shared::operator::{JobAction, JobFilter};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::Present;
use super::{Failure, layout, words};
use crate::control::find::{Hit, Wanted, find};
use crate::control::jobs::TYPED_ABOVE;
use crate::control::{census, jobs};
use crate::state::App;

/// Sends a page.
const PAGE: usize = 50;
/// How far back, and in how many milliseconds.
const AGES: [(&str, &str, Millis); 5] = [
    ("", "any time", 0),
    ("15m", "the last 15 minutes", 900_000),
    ("1h", "the last hour", 3_600_000),
    ("24h", "the last day", 86_400_000),
    ("7d", "the last week", 604_800_000),
];

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    organization: String,
    session: String,
    status: String,
    age: String,
    cursor: String,
}

impl Asked {
    fn address(&self, cursor: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("q", self.q.trim()),
            ("organization", self.organization.as_str()),
            ("session", &self.session),
            ("status", &self.status),
            ("age", &self.age),
            ("cursor", cursor),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        format!("/ops/messages?{}", query.finish())
    }

    fn is_filter(&self) -> bool {
        [
            &self.q,
            &self.organization,
            &self.session,
            &self.status,
            &self.age,
        ]
        .iter()
        .any(|text| !text.trim().is_empty())
    }

    /// The first moment that is asked for.
    fn since(&self, now: Millis) -> Option<Millis> {
        let (_, _, back) = AGES.into_iter().find(|(name, ..)| *name == self.age)?;
        (back > 0).then(|| now - back)
    }
}

pub(super) async fn search(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let now = app.now();
    let wrong = |what: &str| Failure::bad(&format!("This is no {what}"), "Nothing was looked for.");
    let wanted = Wanted {
        text: asked.q.trim().to_owned(),
        organization: given(&asked.organization).map_err(|()| wrong("tenant's id"))?,
        session: given(&asked.session).map_err(|()| wrong("session's id"))?,
        status: given(&asked.status).map_err(|()| wrong("status"))?,
        since: asked.since(now),
        until: None,
        cursor: asked.cursor.clone(),
        limit: PAGE,
    };
    let (hits, next) = if asked.is_filter() {
        find(&app, &wanted).await?
    } else {
        (Vec::new(), String::new())
    };
    if let ([hit], false) = (hits.as_slice(), wanted.text.is_empty()) {
        let place = format!("/ops/messages/{}/{}", hit.of.session, hit.entry.outbox_id);
        return Ok(Redirect::to(&place).into_response());
    }
    let census = census::census(&app).await?;
    let content = html! {
        h1 { "Messages" }
        form method="get" class="filters" {
            label { "Id, key or number" input name="q" value=(asked.q) placeholder="out_…, 3EB0…, order-17, +49 …" size="28"; }
            label { "Status"
                select name="status" { option value="" { "any" } @for status in SendStatus::ALL { option value=(status.as_str()) selected[status.as_str() == asked.status] { (status.as_str()) } } }
            }
            label { "Accepted in"
                select name="age" { @for (value, name, _) in AGES { option value=(value) selected[value == asked.age] { (name) } } }
            }
            label { "Session" input name="session" value=(asked.session) placeholder="sess_…" size="24"; }
            label { "Tenant"
                select name="organization" { option value="" { "any" } @for one in &census.organizations { option value=(one.id) selected[one.id.as_str() == asked.organization] { (one.name) } } }
            }
            button type="submit" { "Find" }
        }
        @if !asked.is_filter() {
            div class="empty" {
                p { "Every send is here for its retention (" (words::span(i64::try_from(app.config.retention.outbox_ms).unwrap_or(0))) " after its last change)." }
                p { "Find one by its outbox id, its WhatsApp id, the idempotency key or the request id of its sender, or by the recipient's number; or choose a status to see the latest." }
            }
        }
        @else if hits.is_empty() && !wanted.text.is_empty() { p class="empty" { "No message is known by this id, key or number. It may have ended with its retention." } }
        @else {
            (bulk(&app, &who, &wanted).await?)
            (table(&hits, now))
            div class="pages" {
                @if !asked.cursor.is_empty() { a href=(asked.address("")) { "To the first page" } }
                @if !next.is_empty() { a href=(asked.address(&next)) { "Next page" } }
            }
        }
    };
    let page = layout::page(&app, &who, "/ops/messages", "Messages", &content).await?;
    Ok(page.into_response())
}

/// A parsed field; nothing where nothing was entered.
fn given<T: std::str::FromStr>(text: &str) -> Result<Option<T>, ()> {
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| ()),
    }
}

/// What can be done with everything that matches.
async fn bulk(app: &Arc<App>, who: &Present, wanted: &Wanted) -> Result<Markup, Failure> {
    let actions: &[(JobAction, &str, &str)] = match wanted.status {
        Some(SendStatus::Failed) => &[
            (
                JobAction::Retry,
                "Retry",
                "Each is queued once more, at the end of its chat, under the id it has.",
            ),
            (
                JobAction::Discard,
                "Discard",
                "They are taken off the list of dead letters. Their records stay until their retention ends.",
            ),
        ],
        Some(SendStatus::Queued | SendStatus::Scheduled) => &[(
            JobAction::Cancel,
            "Cancel",
            "Cancelled sends are not sent; their senders are told.",
        )],
        _ => &[],
    };
    if actions.is_empty() || !who.may_act() || !wanted.text.is_empty() {
        return Ok(html! {});
    }
    let filter = JobFilter {
        organization: wanted.organization.clone(),
        session: wanted.session.clone(),
        code: None,
        since: wanted.since,
        until: None,
    };
    let matching = jobs::count(app, actions[0].0, &filter).await?;
    if matching == 0 {
        return Ok(html! {});
    }
    let optional = |text: Option<String>| text.unwrap_or_default();
    let fields = [
        (
            "organization",
            optional(filter.organization.map(|id| id.to_string())),
        ),
        ("session", optional(filter.session.map(|id| id.to_string()))),
        ("since", optional(filter.since.map(|at| at.to_string()))),
    ];
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let number = (matching > TYPED_ABOVE).then_some(matching);
    Ok(html! {
        div class="actions" {
            @for (action, verb, what) in actions {
                @let label = format!("{verb} {}", words::things(matching, "send"));
                @let question = format!("{} match. {what}", words::things(matching, "send"));
                (layout::numbered(who, &format!("job.{}", action.as_str()), &label, &fields, Some(&question), number))
            }
        }
    })
}

/// Sends as a table.
pub(super) fn table(hits: &[Hit], now: Millis) -> Markup {
    html! {
        @if hits.is_empty() { p class="empty" { "No sends here. What is accepted for this session shows here at once." } }
        @else {
            div class="wide" {
                p class="newer" hidden { button type="button" { "newer" } }
                table {
                    thead { tr { th { "Send" } th { "Status" } th { "Kind" } th { "To" } th { "Why" } th class="n" { "Attempts" } th class="n" { "Accepted" } } }
                    tbody data-list {
                        @for Hit { entry, .. } in hits {
                            tr data-id=(entry.outbox_id) {
                                td data-label="Send" { a class="name" href={ "/ops/messages/" (entry.session) "/" (entry.outbox_id) } { code { (short(entry.outbox_id.as_str())) } } }
                                td data-label="Status" { (words::send_state(entry.status)) }
                                td data-label="Kind" { (entry.kind) }
                                td data-label="To" { bdi { (words::masked(&entry.chat_jid)) } }
                                td data-label="Why" class="quiet" { @if let Some(error) = &entry.error { (error.code.replace('_', " ")) } }
                                td class="n" data-label="Attempts" { (entry.attempts) }
                                td class="n" data-label="Accepted" { (words::ago(now, entry.created_at)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// An id, shortened in its middle.
fn short(id: &str) -> String {
    match (
        id.get(..9),
        id.len().checked_sub(6).and_then(|at| id.get(at..)),
    ) {
        (Some(head), Some(tail)) if id.len() > 18 => format!("{head}…{tail}"),
        _ => id.to_owned(),
    }
}
