//! Trusted contact tokens.

use wacore::store::traits::TcTokenEntry;

use super::write::{COSTLY_ROWS, seconds};
use super::{KeystoreError, RedisKeystore, codec, keys};

const FAMILIES: [gateway_shared::redis::keys::KeyFamily; 3] =
    [keys::TC_TOKEN, keys::TC_RECEIVED, keys::TC_SENT];

impl RedisKeystore {
    pub(super) async fn tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>, KeystoreError> {
        let stored = self.field(keys::TC_TOKEN, jid.as_bytes()).await?;
        stored.as_deref().map(codec::decode_tc_token).transpose()
    }

    /// Replaces a contact's row.
    pub(super) async fn put_tc(
        &self,
        jid: &str,
        entry: &TcTokenEntry,
    ) -> Result<(), KeystoreError> {
        let sent = entry.sender_timestamp.map(seconds);
        self.write()
            .op("tcput", &FAMILIES)
            .arg(jid)
            .number(seconds(entry.token_timestamp))
            .own(sent.map_or_else(String::new, |sent| sent.to_string()))
            .arg(&entry.token)
            .run()
            .await
            .map(|_| ())
    }

    pub(super) async fn delete_tc(&self, jid: &str) -> Result<(), KeystoreError> {
        let mut write = self.write();
        for (name, family) in ["HDEL", "ZREM", "ZREM"].into_iter().zip(FAMILIES) {
            write = write.op(name, &[family]).arg(jid);
        }
        write.run().await.map(|_| ())
    }

    /// Notes that our token was sent at `time`, never going back.
    pub(super) async fn touch_tc(&self, jid: &str, time: i64) -> Result<(), KeystoreError> {
        self.write()
            .op("tcsent", &FAMILIES)
            .arg(jid)
            .number(seconds(time))
            .run()
            .await
            .map(|_| ())
    }

    /// Stores a token received at `time`, unless a newer one is there.
    pub(super) async fn receive_tc(
        &self,
        jid: &str,
        token: &[u8],
        time: i64,
    ) -> Result<(), KeystoreError> {
        self.write()
            .op("tctoken", &FAMILIES)
            .arg(jid)
            .number(seconds(time))
            .arg(token)
            .run()
            .await
            .map(|_| ())
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
            let mut replies = self
                .write()
                .op("tcexpire", &FAMILIES)
                .number(limits[0])
                .number(limits[1])
                .number(walk)
                .number(offset)
                .number(COSTLY_ROWS)
                .run()
                .await?;
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
