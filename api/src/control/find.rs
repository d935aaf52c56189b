//! Finding sends by whatever is known of them.

use std::sync::Arc;

use futures_util::future::try_join_all;
use gateway_shared::clock::Millis;
use gateway_shared::domain::{OrganizationId, OutboxId, SendStatus, SessionId};
use gateway_shared::lane::{Found, OutboxEntry, OutboxFilter, SessionRef};
use gateway_shared::organization::Organization;
use sha2::{Digest, Sha256};

use super::census::{Lane, census};
use crate::error::ApiError;
use crate::state::App;

/// Sends that a search by an id shows at most.
const MOST_FOUND: usize = 50;
/// Most sessions that one page of a filter looks into.
const MOST_LOOKED_INTO: usize = 200;

/// What is looked for. Everything that is given must match.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// An outbox id, a WhatsApp id, an idempotency key, a request id, or a recipient.
    pub(crate) text: String,
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) session: Option<SessionId>,
    pub(crate) status: Option<SendStatus>,
    pub(crate) since: Option<Millis>,
    pub(crate) until: Option<Millis>,
    pub(crate) cursor: String,
    pub(crate) limit: usize,
}

/// A send, and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) of: SessionRef,
    pub(crate) entry: OutboxEntry,
}

/// All organizations, by name.
///
/// # Errors
/// When Redis does not answer.
pub(crate) async fn organizations(app: &App) -> Result<Vec<Organization>, ApiError> {
    let ids = app.organizations.all().await?;
    let looks = ids.into_iter().map(async |id| {
        let found = app.organizations.get(&id).await?;
        Ok::<_, ApiError>(found.unwrap_or(Organization {
            id,
            name: String::new(),
            created_at: None,
            suspended_at: None,
        }))
    });
    let mut all = try_join_all(looks).await?;
    all.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
    Ok(all)
}

/// What matches, the newest first as far as one session is concerned, and the cursor of the next page.
///
/// # Errors
/// When Redis does not answer.
pub(crate) async fn find(app: &Arc<App>, wanted: &Wanted) -> Result<(Vec<Hit>, String), ApiError> {
    if wanted.text.is_empty() {
        return listed(app, wanted).await;
    }
    let hits = by_text(app, wanted).await?;
    let matching = hits
        .into_iter()
        .filter(|hit| matches(wanted, &hit.of, &hit.entry));
    let mut matching: Vec<Hit> = matching.collect();
    matching.sort_by_key(|hit| std::cmp::Reverse(hit.entry.created_at));
    matching.truncate(MOST_FOUND);
    Ok((matching, String::new()))
}

fn matches(wanted: &Wanted, of: &SessionRef, entry: &OutboxEntry) -> bool {
    let organization = wanted.organization.as_ref();
    let session = wanted.session.as_ref();
    organization.is_none_or(|one| *one == of.organization)
        && session.is_none_or(|one| *one == of.session)
        && wanted.status.is_none_or(|one| one == entry.status)
        && wanted.since.is_none_or(|at| entry.created_at >= at)
        && wanted.until.is_none_or(|at| entry.created_at < at)
}

/// Every way in which a text can name sends.
async fn by_text(app: &Arc<App>, wanted: &Wanted) -> Result<Vec<Hit>, ApiError> {
    let text = wanted.text.as_str();
    let mut organizations = app.organizations.all().await?;
    if let Some(one) = &wanted.organization {
        organizations.retain(|id| id == one);
    }
    if let Ok(id) = text.parse::<OutboxId>() {
        let of = app.lanes.session_of(&organizations, &id).await?;
        return read(app, of.into_iter().map(|of| (of, id.clone())).collect()).await;
    }
    let mut sessions = app.registry.directory().await?;
    sessions.retain(|of| {
        wanted.session.as_ref().is_none_or(|one| *one == of.session)
            && wanted
                .organization
                .as_ref()
                .is_none_or(|one| *one == of.organization)
    });
    let chats = chats(text);
    if !chats.is_empty() {
        let found = app.lanes.by_chat(&sessions, &chats, MOST_FOUND).await?;
        return read(app, newest(found)).await;
    }
    let mut found: Vec<Found> = app.lanes.by_message_id_in(&sessions, text).await?;
    let hash = hex::encode(Sha256::digest(text));
    found.extend(app.lanes.by_idempotency_key(&organizations, &hash).await?);
    let now = app.now();
    found.extend(
        app.lanes
            .by_request(now, &organizations, text, MOST_FOUND)
            .await?,
    );
    read(app, newest(found)).await
}

/// The newest by their ids, each once.
fn newest(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by(|a, b| b.1.cmp(&a.1));
    found.dedup_by(|a, b| a.1 == b.1);
    found.truncate(MOST_FOUND);
    found
}

/// The chats that a text can name: an address, or a number as people write it.
fn chats(text: &str) -> Vec<String> {
    if text.contains('@') {
        return vec![text.to_owned()];
    }
    let plain: String = text
        .chars()
        .filter(|c| !matches!(c, '+' | ' ' | '-' | '(' | ')'))
        .collect();
    let number = (6..=20).contains(&plain.len()) && plain.bytes().all(|b| b.is_ascii_digit());
    if !number {
        return Vec::new();
    }
    vec![format!("{plain}@s.whatsapp.net"), format!("{plain}@lid")]
}

async fn read(app: &App, found: Vec<Found>) -> Result<Vec<Hit>, ApiError> {
    let reads = found.into_iter().map(async |(of, id)| {
        let entry = app.lanes.entry(&of, &id).await?;
        Ok::<_, ApiError>(entry.map(|entry| Hit { of, entry }))
    });
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}

/// By a filter: session by session in the order of their ids, the latest first in each.
async fn listed(app: &Arc<App>, wanted: &Wanted) -> Result<(Vec<Hit>, String), ApiError> {
    let (from, mut place) = wanted
        .cursor
        .split_once('.')
        .map_or(("", String::new()), |(session, place)| {
            (session, place.to_owned())
        });
    let census = census(app).await?;
    let mut hits: Vec<Hit> = Vec::new();
    let sessions = census.lanes.iter().filter(|lane| {
        lane.of.session.as_str() >= from
            && wanted
                .organization
                .as_ref()
                .is_none_or(|one| *one == lane.of.organization)
            && wanted
                .session
                .as_ref()
                .is_none_or(|one| *one == lane.of.session)
            && (wanted.session.is_some() || may_have(lane, wanted.status))
    });
    for (looked_into, lane) in sessions.enumerate() {
        let of = &lane.of;
        if of.session.as_str() != from || place.is_empty() {
            place = begin(wanted);
        }
        if hits.len() >= wanted.limit || looked_into == MOST_LOOKED_INTO {
            return Ok((hits, format!("{}.", of.session)));
        }
        let filter = OutboxFilter {
            status: wanted.status,
            cursor: place.clone(),
            limit: wanted.limit - hits.len(),
            ..OutboxFilter::default()
        };
        let (entries, next) = app.lanes.list(of, &filter).await?;
        let too_old = wanted.since.is_some_and(|since| {
            wanted.status != Some(SendStatus::Failed)
                && entries.last().is_some_and(|last| last.created_at < since)
        });
        let matching = entries
            .into_iter()
            .filter(|entry| matches(wanted, of, entry));
        hits.extend(matching.map(|entry| Hit {
            of: of.clone(),
            entry,
        }));
        if !next.is_empty() && !too_old {
            return Ok((hits, format!("{}.{next}", of.session)));
        }
    }
    Ok((hits, String::new()))
}

/// The place in an outbox from which what was accepted before a moment follows.
fn begin(wanted: &Wanted) -> String {
    match wanted.until {
        Some(until) if wanted.status != Some(SendStatus::Failed) => {
            hex::encode(format!("{until}:"))
        }
        _ => String::new(),
    }
}

/// Whether a lane may hold sends of a status, by what was counted.
fn may_have(lane: &Lane, status: Option<SendStatus>) -> bool {
    match status {
        Some(SendStatus::Failed) => lane.gauge.dead_letters > 0,
        Some(SendStatus::Queued | SendStatus::Scheduled | SendStatus::Sending) => {
            lane.gauge.depth + lane.gauge.in_flight > 0
        }
        _ => true,
    }
}
