//! Reading the outbox.

use std::collections::HashMap;

use redis::AsyncCommands;
use serde::Serialize;

use super::{Lanes, Mode, SessionRef};
use crate::clock::Millis;
use crate::domain::{OutboxId, SendFailure, SendStatus, SessionId};
use crate::redis::RedisFailure;
use crate::redis::keys::{PARTITION, key};

/// Most index entries one call of [`Lanes::list`] looks at, so that a filter that matches little
/// costs a bounded time.
const MOST_LOOKED_AT: usize = 2_000;

/// An entry of the outbox as the contract shows it.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutboxEntry {
    /// Its id.
    pub outbox_id: OutboxId,
    /// The session that sends it.
    pub session: SessionId,
    /// The pinned WhatsApp message id.
    pub wa_message_id: String,
    /// The chat.
    pub chat_jid: String,
    /// The kind of content.
    #[serde(rename = "type")]
    pub kind: String,
    /// How it was accepted.
    pub mode: Mode,
    /// Its status now.
    pub status: SendStatus,
    /// Which try this is: 1, and one more for each time it was retried after it had failed. A
    /// status moves forward within its try, and each further try begins with `queued`.
    #[serde(rename = "try")]
    pub tries: usize,
    /// How often it was attempted in this try.
    pub attempts: u32,
    /// Why it failed, or why the last attempt did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<SendFailure>,
    /// Every status it had, and since when.
    pub history: Vec<StatusChange>,
    /// The id of the request that was accepted.
    pub request_id: String,
    /// Not before this moment, if it was scheduled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_at: Option<Millis>,
    /// When it fails if it still waits.
    pub expires_at: Millis,
    /// When it was accepted.
    pub created_at: Millis,
    /// When its status last changed.
    pub updated_at: Millis,
}

/// One step of an entry's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct StatusChange {
    /// The status.
    pub status: SendStatus,
    /// Since when.
    pub timestamp: Millis,
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct OutboxFilter {
    /// Only this status.
    pub status: Option<SendStatus>,
    /// Only this chat.
    pub chat: Option<String>,
    /// The cursor of the page before; empty = the first page.
    pub cursor: String,
    /// Entries a page.
    pub limit: usize,
}

impl Lanes {
    /// One entry, or `None` where the session has none of this id.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn entry(
        &self,
        from: &SessionRef,
        id: &OutboxId,
    ) -> Result<Option<OutboxEntry>, RedisFailure> {
        let key = key(
            PARTITION,
            &self.root(&from.organization),
            "outbox",
            &[id.as_str()],
        );
        let fields: HashMap<String, String> = self.store.connection.clone().hgetall(key).await?;
        Ok(entry(id, &fields).filter(|entry| entry.session == from.session))
    }

    /// The newest entries first, with the cursor of the next page (empty on the last one). A page
    /// may be short, even empty, before the last one when the filter matches little.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn list(
        &self,
        from: &SessionRef,
        filter: &OutboxFilter,
    ) -> Result<(Vec<OutboxEntry>, String), RedisFailure> {
        let root = self.root(&from.organization);
        let index = key(PARTITION, &root, "outbox_index", &[from.session.as_str()]);
        let mut connection = self.store.connection.clone();
        let mut found: Vec<OutboxEntry> = Vec::new();
        // The cursor is `score:member` of the last entry looked at.
        let mut last = parse_cursor(&filter.cursor);
        let mut looked_at = 0;
        loop {
            let page = page_after(&mut connection, &index, last.as_ref(), filter.limit).await?;
            let full = page.len() == filter.limit;
            let mut reads = redis::pipe();
            for (member, _) in &page {
                let id = member.split(':').next().unwrap_or_default();
                reads.hgetall(key(PARTITION, &root, "outbox", &[id]));
            }
            let records: Vec<HashMap<String, String>> = if page.is_empty() {
                Vec::new()
            } else {
                reads.query_async(&mut connection).await?
            };
            for ((member, score), fields) in page.into_iter().zip(records) {
                looked_at += 1;
                let id = member.split(':').next().unwrap_or_default().parse().ok();
                last = Some((score, member));
                let Some(entry) = id.and_then(|id| entry(&id, &fields)) else {
                    continue;
                };
                let wanted = filter.status.is_none_or(|status| status == entry.status)
                    && filter
                        .chat
                        .as_ref()
                        .is_none_or(|chat| *chat == entry.chat_jid);
                if wanted {
                    found.push(entry);
                    if found.len() == filter.limit {
                        return Ok((found, cursor(last.as_ref())));
                    }
                }
            }
            if !full {
                return Ok((found, String::new()));
            }
            if looked_at >= MOST_LOOKED_AT {
                return Ok((found, cursor(last.as_ref())));
            }
        }
    }
}

pub(super) type Position = (Millis, String);

pub(super) fn cursor(position: Option<&Position>) -> String {
    position.map_or_else(String::new, |(score, member)| {
        hex::encode(format!("{score}:{member}"))
    })
}

pub(super) fn parse_cursor(cursor: &str) -> Option<Position> {
    let text = String::from_utf8(hex::decode(cursor).ok()?).ok()?;
    let (score, member) = text.split_once(':')?;
    Some((score.parse().ok()?, member.to_owned()))
}

/// Whether a text is a cursor that [`Lanes::list`] gave out.
pub(super) fn is_cursor(cursor: &str) -> bool {
    cursor.is_empty() || parse_cursor(cursor).is_some()
}

impl OutboxFilter {
    /// Whether the cursor is one that a page gave out.
    #[must_use]
    pub fn has_valid_cursor(&self) -> bool {
        is_cursor(&self.cursor)
    }
}

/// Up to `limit` index entries older than `last`, newest first. Entries of one millisecond are in
/// the order of their ids.
pub(super) async fn page_after(
    connection: &mut crate::redis::Connection,
    index: &str,
    last: Option<&Position>,
    limit: usize,
) -> Result<Vec<(String, Millis)>, RedisFailure> {
    let Some((score, member)) = last else {
        let newest = connection
            .zrevrange_withscores(index, 0, limit as isize - 1)
            .await?;
        return Ok(newest);
    };
    let rank: Option<isize> = connection.zrevrank(index, member).await?;
    if let Some(rank) = rank {
        let page = connection
            .zrevrange_withscores(index, rank + 1, rank + limit as isize)
            .await?;
        return Ok(page);
    }
    // The entry the cursor names was taken by retention: so was all that is older.
    let older = connection
        .zrevrangebyscore_limit_withscores(index, format!("({score}"), "-inf", 0, limit as isize)
        .await?;
    Ok(older)
}

/// Reads the statuses of an entry and their times.
pub(crate) fn read_history(hist: &str) -> Vec<StatusChange> {
    hist.split(',')
        .filter_map(|step| {
            let (status, timestamp) = step.split_once(':')?;
            Some(StatusChange {
                status: status.parse().ok()?,
                timestamp: timestamp.parse().ok()?,
            })
        })
        .collect()
}

/// Reads an entry's hash, whose fields `lua/entry.lua` lists.
pub(super) fn entry(id: &OutboxId, fields: &HashMap<String, String>) -> Option<OutboxEntry> {
    let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let fixed: Vec<&str> = text("fix").splitn(11, ' ').collect();
    let [
        _seq,
        _urgent,
        session,
        chat,
        wa,
        mode,
        kind,
        created,
        expires,
        send_at,
        request,
    ] = fixed[..]
    else {
        return None;
    };
    let history = read_history(text("hist"));
    let (last, before) = history.split_last()?;
    let last = *last;
    let failed = |step: &&StatusChange| step.status == SendStatus::Failed;
    let tries = before.iter().filter(failed).count() + 1;
    Some(OutboxEntry {
        outbox_id: id.clone(),
        session: session.parse().ok()?,
        wa_message_id: wa.to_owned(),
        chat_jid: chat.to_owned(),
        kind: kind.to_owned(),
        mode: if mode == "sync" {
            Mode::Sync
        } else {
            Mode::Async
        },
        status: last.status,
        tries,
        attempts: text("attempts").parse().unwrap_or(0),
        error: serde_json::from_str(text("error")).ok(),
        history,
        request_id: request.to_owned(),
        send_at: send_at.parse().ok().filter(|at| *at > 0),
        expires_at: expires.parse().ok()?,
        created_at: created.parse().ok()?,
        updated_at: last.timestamp,
    })
}
