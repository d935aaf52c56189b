//! Trusted contact tokens.
//!
//! whatsapp-rust asks for the recipient's token at every send, and most contacts have none. So what
//! was read is remembered, and forgotten with every write: only this handle writes while it owns the
//! session, and what it reads after it lost that leaves the worker no more.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wacore::store::traits::{LidPnMappingEntry, TcTokenEntry};

use super::write::{COSTLY_ROWS, Reply, Write, seconds};
use super::{KeystoreError, RedisKeystore, codec, keys};

const FAMILIES: [gateway_shared::redis::keys::KeyFamily; 3] =
    [keys::TC_TOKEN, keys::TC_RECEIVED, keys::TC_SENT];

/// How many contacts are remembered; then all are forgotten.
const REMEMBERED: usize = 4_096;

/// What was read of contacts, since the last write.
#[derive(Debug, Default)]
pub(super) struct TcMemory(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    rows: HashMap<String, Option<TcTokenEntry>>,
    /// How many writes were begun or ended: what was read across one may be older than it.
    writes: u64,
}

impl TcMemory {
    fn get(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget(&self) {
        let mut memory = self.get();
        memory.rows.clear();
        memory.writes += 1;
    }
}

impl RedisKeystore {
    pub(super) async fn tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>, KeystoreError> {
        let memory = &self.state.tc_tokens;
        let before = {
            let memory = memory.get();
            if let Some(known) = memory.rows.get(jid) {
                return Ok(known.clone());
            }
            memory.writes
        };
        let stored = self.field(keys::TC_TOKEN, jid.as_bytes()).await?;
        let mut row = stored.as_deref().map(codec::decode_tc_token).transpose()?;
        if let Some(row) = row.as_mut().filter(|row| !row.token.is_empty()) {
            let sealed = std::mem::take(&mut row.token);
            row.token = self.unseal(keys::TC_TOKEN, jid.as_bytes(), sealed)?;
        }
        let mut memory = memory.get();
        if memory.writes == before {
            if memory.rows.len() >= REMEMBERED {
                memory.rows.clear();
            }
            memory.rows.insert(jid.to_owned(), row.clone());
        }
        Ok(row)
    }

    /// Writes rows of contacts. What was remembered is forgotten before and after, so that nothing
    /// read meanwhile stays; whether or not somebody still waits for it, as the write goes on.
    async fn write_tc(&self, write: Write<'_>) -> Result<Reply, KeystoreError> {
        let (keystore, ops) = (self.clone(), write.into_ops());
        let written = tokio::spawn(async move {
            keystore.state.tc_tokens.forget();
            let reply = keystore.commit(ops).await;
            keystore.state.tc_tokens.forget();
            reply
        });
        // Only a runtime that ends leaves a write without an outcome.
        written.await.unwrap_or(Err(KeystoreError::Lost))
    }

    /// The form in which a token is stored: none stays none, which scripts look at.
    fn seal_token(&self, jid: &str, token: &[u8]) -> Result<Vec<u8>, KeystoreError> {
        if token.is_empty() {
            return Ok(Vec::new());
        }
        self.seal(keys::TC_TOKEN, jid.as_bytes(), token)
    }

    /// Replaces a contact's row.
    pub(super) async fn put_tc(
        &self,
        jid: &str,
        entry: &TcTokenEntry,
    ) -> Result<(), KeystoreError> {
        let sent = entry.sender_timestamp.map(seconds);
        let write = self
            .write()
            .op("tcput", &FAMILIES)
            .arg(jid)
            .number(seconds(entry.token_timestamp))
            .own(sent.map_or_else(String::new, |sent| sent.to_string()))
            .own(self.seal_token(jid, &entry.token)?);
        self.write_tc(write).await.map(drop)
    }

    pub(super) async fn delete_tc(&self, jid: &str) -> Result<(), KeystoreError> {
        let mut write = self.write();
        for (name, family) in ["HDEL", "ZREM", "ZREM"].into_iter().zip(FAMILIES) {
            write = write.op(name, &[family]).arg(jid);
        }
        self.write_tc(write).await.map(drop)
    }

    /// Notes that our token was sent at `time`, never going back.
    pub(super) async fn touch_tc(&self, jid: &str, time: i64) -> Result<(), KeystoreError> {
        let write = self.write().op("tcsent", &FAMILIES);
        let write = write.arg(jid).number(seconds(time));
        self.write_tc(write).await.map(drop)
    }

    /// Stores a token received at `time`, unless a newer one is there.
    pub(super) async fn receive_tc(
        &self,
        jid: &str,
        token: &[u8],
        time: i64,
    ) -> Result<(), KeystoreError> {
        let write = self.write().op("tctoken", &FAMILIES);
        let token = self.seal_token(jid, token)?;
        let write = write.arg(jid).number(seconds(time)).own(token);
        self.write_tc(write).await.map(drop)
    }

    /// Moves the tokens of people who were known by number alone to the LIDs they have now.
    ///
    /// whatsapp-rust 0.7.0 stores the tokens of a history under the numbers of its chats before it
    /// learns from the same history which LIDs these have, and asks for them by LID from then on:
    /// an account linked anew would write to its contacts as to strangers.
    pub(super) async fn move_tokens(
        &self,
        entries: &[LidPnMappingEntry],
    ) -> Result<(), KeystoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let phones: Vec<&[u8]> = entries
            .iter()
            .map(|entry| entry.phone_number.as_bytes())
            .collect();
        let stored: Vec<Option<Vec<u8>>> = self.read("HMGET", keys::TC_TOKEN, &phones).await?;
        for (entry, _) in entries.iter().zip(stored).filter(|(_, row)| row.is_some()) {
            let phone = &entry.phone_number;
            let Some(row) = self.tc_token(phone).await? else {
                continue;
            };
            if !row.token.is_empty() {
                self.receive_tc(&entry.lid, &row.token, row.token_timestamp)
                    .await?;
            }
            if let Some(sent) = row.sender_timestamp {
                self.touch_tc(&entry.lid, sent).await?;
            }
            self.delete_tc(phone).await?;
        }
        Ok(())
    }

    /// Drops the rows whose token was received before the one time and ours sent before the other.
    /// Each time bounds an index; the one that leaves fewer rows is walked.
    pub(super) async fn expire_tc(
        &self,
        received_before: i64,
        sent_before: i64,
    ) -> Result<u32, KeystoreError> {
        let limits = [seconds(received_before), seconds(sent_before)];
        let mut pipeline = redis::pipe();
        for (index, limit) in [keys::TC_RECEIVED, keys::TC_SENT].into_iter().zip(limits) {
            pipeline
                .cmd("ZCOUNT")
                .arg(self.key(index))
                .arg("-inf")
                .arg(format!("({limit}"));
        }
        let mut connection = self.state.store.connection.clone();
        let (received, sent): (u64, u64) = pipeline.query_async(&mut connection).await?;
        let walk = if received <= sent { 1 } else { 2 };
        let mut offset = 0;
        let mut total = 0;
        loop {
            let write = self
                .write()
                .op("tcexpire", &FAMILIES)
                .number(limits[0])
                .number(limits[1])
                .number(walk)
                .number(offset)
                .number(COSTLY_ROWS);
            let mut replies = self.write_tc(write).await?;
            let (seen, dropped): (usize, u32) = replies.next()?;
            total += dropped;
            if seen < COSTLY_ROWS {
                return Ok(total);
            }
            // What stayed is in front of what comes next.
            offset += seen - dropped as usize;
        }
    }
}
