//! The queues of all sessions, and what failed in them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use futures_util::future::try_join_all;
use gateway_shared::domain::{Limits, OrganizationId, SessionId};
use gateway_shared::lane::{Gauge, OutboxEntry};
use schemars::JsonSchema;
use serde::Serialize;

use super::page::{Asked, foreign_cursor};
use crate::error::ApiError;
use crate::page::Page;
use crate::request::Problems;
use crate::state::App;

/// Most sessions that one page of dead letters looks into, so that it costs a bounded time.
const MOST_LOOKED_INTO: usize = 500;

/// The queue of a session.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Queue {
    /// The session.
    session: SessionId,
    /// Whose it is.
    organization: OrganizationId,
    /// How much it may send.
    #[serde(flatten)]
    limits: Limits,
    /// What is in it.
    #[serde(flatten)]
    gauge: Gauge,
}

/// A send that failed for good, and whose it was.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetter {
    /// Whose it was.
    organization: OrganizationId,
    /// The send.
    #[serde(flatten)]
    entry: OutboxEntry,
}

/// `GET /admin/queues?organization=&session=&limit=&cursor=`.
pub(crate) async fn queues(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Page<Queue>>, ApiError> {
    let mut problems = Problems::default();
    let asked = Asked::read(&uri, &mut problems);
    problems.settle()?;
    let (page, next_cursor) = asked.page(&app).await?;
    let now = app.now();
    let looks = page.into_iter().map(async |of| {
        let Some(session) = app.sessions.get(&of).await? else {
            return Ok::<_, ApiError>(None);
        };
        let limits = session.limits;
        let gauge = app.lanes.gauge(now, &of, limits).await?;
        Ok(Some(Queue {
            session: of.session,
            organization: of.organization,
            limits,
            gauge,
        }))
    });
    let data = try_join_all(looks).await?.into_iter().flatten().collect();
    Ok(Json(Page { data, next_cursor }))
}

/// `GET /admin/dead-letters?organization=&session=&limit=&cursor=`: session by session, the latest
/// first in each.
pub(crate) async fn dead_letters(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Page<DeadLetter>>, ApiError> {
    let mut problems = Problems::default();
    let asked = Asked::read(&uri, &mut problems);
    problems.settle()?;
    // The session to go on with, and where in it.
    let (from, mut place) = match asked.cursor.split_once('.') {
        Some((session, place)) if session.parse::<SessionId>().is_ok() => {
            (session, place.to_owned())
        }
        None if asked.cursor.is_empty() => ("", String::new()),
        _ => return Err(foreign_cursor()),
    };
    let mut sessions = asked.directory(&app).await?;
    sessions.retain(|of| of.session.as_str() >= from);
    let mut data = Vec::new();
    for (looked_into, of) in sessions.iter().enumerate() {
        // The place is one in the session that the cursor names.
        if of.session.as_str() != from {
            place.clear();
        }
        let room = asked.limit - data.len();
        if room == 0 || looked_into == MOST_LOOKED_INTO {
            let next_cursor = format!("{}.", of.session);
            return Ok(Json(Page { data, next_cursor }));
        }
        let (entries, next) = app.lanes.dead_letters(of, &place, room).await?;
        data.extend(entries.into_iter().map(|entry| DeadLetter {
            organization: of.organization.clone(),
            entry,
        }));
        if !next.is_empty() {
            let next_cursor = format!("{}.{next}", of.session);
            return Ok(Json(Page { data, next_cursor }));
        }
    }
    Ok(Json(Page::only(data)))
}
