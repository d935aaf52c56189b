//! Reading the outbox.

use std::collections::HashMap;

use redis::AsyncCommands;
use serde::Serialize;

use super::{Lanes, Mode, SessionRef, WaitingFor};
use crate::clock::Millis;
use crate::domain::{OutboxId, SendFailure, SendStatus, SessionId};
use crate::identity::Names;
use crate::redis::RedisFailure;
use crate::redis::keys::{PARTITION, key};
use crate::send::SendRecord;

/// How many entries one call of [`Lanes::list`] with a filter looks at: whatever matches, a page costs
/// no more than this.
const LOOKED_AT: usize = 250;

/// What a list shows of an entry's hash.
const SHOWN: [&str; 6] = ["record", "hist", "expiry", "attempts", "error", "fix"];

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
    /// The ids of the messages that follow it: the pictures and films of an album.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// The chat, as it was named when the send was accepted.
    pub chat_jid: String,
    /// Both names of the person written to, as far as they are known.
    #[serde(flatten)]
    pub names: Names,
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
    /// Why it waits; only where one entry is asked for, and it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
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
    /// Only this chat, by either of its names.
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
        let found = entry(id, &fields).filter(|entry| entry.session == from.session);
        let mut found: Vec<OutboxEntry> = found.into_iter().collect();
        self.name(from, &mut found).await?;
        Ok(found.pop())
    }

    /// The content of a send (JSON) as it is kept; `None` where nobody can need it any more.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn body(
        &self,
        from: &SessionRef,
        id: &OutboxId,
    ) -> Result<Option<String>, RedisFailure> {
        let root = self.root(&from.organization);
        let place = key(PARTITION, &root, "outbox", &[id.as_str()]);
        Ok(self.store.connection.clone().hget(place, "body").await?)
    }

    /// Adds to each entry who it is for.
    async fn name(
        &self,
        from: &SessionRef,
        entries: &mut [OutboxEntry],
    ) -> Result<(), RedisFailure> {
        let chats: Vec<&str> = entries.iter().map(|entry| &*entry.chat_jid).collect();
        let names = self.names(from, &chats).await?;
        for (entry, names) in entries.iter_mut().zip(names) {
            entry.names = names;
        }
        Ok(())
    }

    /// Whether a session has sends that are remembered, also one that was deleted since.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn has_outbox(&self, from: &SessionRef) -> Result<bool, RedisFailure> {
        let root = self.root(&from.organization);
        let index = key(PARTITION, &root, "outbox_index", &[from.session.as_str()]);
        Ok(self.store.connection.clone().exists(index).await?)
    }

    /// The newest entries first, those of one moment by their numbers, with the cursor of the next
    /// page (empty on the last one); failed ones alone by the time of their failure. A page may be
    /// short, even empty, before the last one when the filter matches little: a call looks at a
    /// bounded number of entries.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn list(
        &self,
        from: &SessionRef,
        filter: &OutboxFilter,
    ) -> Result<(Vec<OutboxEntry>, String), RedisFailure> {
        let root = self.root(&from.organization);
        // Dead letters have an index of their own.
        let failed = filter.status == Some(SendStatus::Failed);
        let index = if failed { "dead" } else { "outbox_index" };
        let index = key(PARTITION, &root, index, &[from.session.as_str()]);
        let narrow = filter.chat.is_some() || filter.status.is_some();
        let most = if narrow { LOOKED_AT } else { filter.limit };
        let mut connection = self.store.connection.clone();
        let last = parse_cursor(&filter.cursor);
        let chats = self.chat_names(from, filter.chat.as_deref()).await?;
        let page = page_after(
            &mut connection,
            &index,
            last.as_ref(),
            most.max(filter.limit),
        )
        .await?;
        if page.is_empty() {
            return Ok((Vec::new(), String::new()));
        }
        let mut reads = redis::pipe();
        for (member, _) in &page {
            let id = id_of(member).unwrap_or_default();
            reads.hmget(key(PARTITION, &root, "outbox", &[id]), &SHOWN[..]);
        }
        let records: Vec<Vec<Option<String>>> = reads.query_async(&mut connection).await?;
        let mut found: Vec<OutboxEntry> = Vec::new();
        let mut looked_at = None;
        let mut full = page.len() >= most.max(filter.limit);
        for ((member, score), values) in page.into_iter().zip(records) {
            if found.len() == filter.limit {
                full = true;
                break;
            }
            let id = id_of(&member).and_then(|id| id.parse().ok());
            looked_at = Some((score, member));
            let fields = SHOWN.iter().zip(values);
            let fields = fields
                .filter_map(|(name, value)| Some(((*name).to_owned(), value?)))
                .collect();
            let Some(entry) = id.and_then(|id| entry(&id, &fields)) else {
                continue;
            };
            let wanted = filter.status.is_none_or(|status| status == entry.status)
                && (filter.chat.is_none() || chats.contains(&entry.chat_jid));
            if wanted {
                found.push(entry);
            }
        }
        self.name(from, &mut found).await?;
        let next = if full {
            cursor(looked_at.as_ref())
        } else {
            String::new()
        };
        Ok((found, next))
    }
}

impl Lanes {
    /// Every name of a chat.
    async fn chat_names(
        &self,
        from: &SessionRef,
        chat: Option<&str>,
    ) -> Result<Vec<String>, RedisFailure> {
        let Some(chat) = chat else {
            return Ok(Vec::new());
        };
        let names = self.names(from, &[chat]).await?;
        let names = names.into_iter().flat_map(|names| [names.pn, names.lid]);
        Ok(names.flatten().chain([chat.to_owned()]).collect())
    }
}

/// The outbox id in a member of an index.
fn id_of(member: &str) -> Option<&str> {
    member.split(':').find(|part| part.starts_with("out_"))
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
/// the order of their members, which begin with their numbers.
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
    // What the cursor names is no longer there: others of its moment may still follow it.
    let (ties, older): (Vec<String>, Vec<(String, Millis)>) = redis::pipe()
        .zrevrangebyscore_limit(index, score, score, 0, limit as isize)
        .zrevrangebyscore_limit_withscores(index, format!("({score}"), "-inf", 0, limit as isize)
        .query_async(connection)
        .await?;
    let ties = ties.into_iter().filter(|tie| tie < member);
    let page = ties.map(|tie| (tie, *score)).chain(older);
    Ok(page.take(limit).collect())
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
    let record = match fields.get("fix") {
        Some(fix) => schema1(fix)?,
        None => serde_json::from_str(text("record")).ok()?,
    };
    let SendRecord {
        session,
        chat,
        wa_message_id,
        mode,
        parts,
        kind,
        request_id,
        send_at,
        expires_at,
        ..
    } = record;
    let history = read_history(text("hist"));
    let last = *history.last()?;
    let again = |steps: &&[StatusChange]| {
        steps[0].status == SendStatus::Failed && steps[1].status == SendStatus::Queued
    };
    Some(OutboxEntry {
        outbox_id: id.clone(),
        session,
        wa_message_id,
        parts,
        chat_jid: chat.to_string(),
        names: Names::default(),
        kind,
        mode,
        status: last.status,
        tries: history.windows(2).filter(again).count() + 1,
        attempts: text("attempts").parse().unwrap_or(0),
        error: serde_json::from_str(text("error")).ok(),
        request_id,
        waiting_for: None,
        send_at,
        expires_at: text("expiry").parse().ok().or(expires_at)?,
        created_at: history.first()?.timestamp,
        updated_at: last.timestamp,
        history,
    })
}

/// The record of an entry that schema 1 kept.
fn schema1(fix: &str) -> Option<SendRecord> {
    let fixed: Vec<&str> = fix.splitn(11, ' ').collect();
    let [
        _seq,
        _urgent,
        session,
        chat,
        wa,
        mode,
        kind,
        _created,
        expires,
        send_at,
        request,
    ] = fixed[..]
    else {
        return None;
    };
    Some(SendRecord {
        session: session.parse().ok()?,
        chat: chat.parse().ok()?,
        wa_message_id: wa.to_owned(),
        mode: if mode == "sync" {
            Mode::Sync
        } else {
            Mode::Async
        },
        parts: Vec::new(),
        kind: kind.to_owned(),
        request_id: request.to_owned(),
        send_at: send_at.parse().ok().filter(|at| *at > 0),
        account: None,
        number: None,
        expires_at: Some(expires.parse().ok()?),
    })
}
