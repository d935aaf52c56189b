//! Rows that are kept for a time only: sent messages, pending inbound messages, base keys.

use gateway_shared::redis::keys::KeyFamily;

use super::write::{COSTLY_ROWS, ROWS, seconds};
use super::{KeystoreError, RedisKeystore, keys};

/// A hash and the sorted set of its fields by time.
pub(super) struct Timed {
    rows: KeyFamily,
    times: KeyFamily,
    /// How many rows there may be; the oldest go first.
    most: Option<usize>,
    /// How many seconds a row lives, where nobody else sees to it.
    life: Option<i64>,
}

/// Copies of sent messages, which answer retry receipts, for a day (`SENT_MESSAGE_TTL`). The bound on
/// their number is for sessions that send more than twenty a minute all that time: the oldest go.
pub(super) const SENT: Timed = Timed {
    rows: keys::SENT,
    times: keys::SENT_TIME,
    most: Some(32_768),
    life: Some(24 * 3600),
};

/// Decrypted messages that were not told yet; none is ever dropped for lack of room.
pub(super) const PENDING: Timed = Timed {
    rows: keys::PENDING,
    times: keys::PENDING_TIME,
    most: None,
    life: None,
};

/// Base keys seen at retries. Retries of one message follow each other within minutes, or days if
/// the other device is off; whatsapp-rust never expires what a retry left behind.
pub(super) const BASE_KEYS: Timed = Timed {
    rows: keys::BASE_KEY,
    times: keys::BASE_KEY_TIME,
    most: Some(10_000),
    life: Some(7 * 24 * 3600),
};

impl RedisKeystore {
    /// Stores rows as of now.
    pub(super) async fn put_timed(
        &self,
        family: &Timed,
        rows: &[(Vec<u8>, &[u8])],
    ) -> Result<(), KeystoreError> {
        let now = seconds(wacore::time::now_secs());
        for rows in rows.chunks(ROWS) {
            let families = [family.rows, family.times];
            let most = family
                .most
                .map_or_else(String::new, |most| most.to_string());
            let mut write = self.write().op("keep", &families).own(most);
            for (field, value) in rows {
                let sealed = self.seal(family.rows, field, value)?;
                write = write.number(now).arg(field).own(sealed);
            }
            if let Some(life) = family.life {
                write = write
                    .op("expire", &families)
                    .own(format!("({}", now - life))
                    .number(COSTLY_ROWS);
            }
            write.run().await?;
        }
        Ok(())
    }

    pub(super) async fn get_timed(
        &self,
        family: &Timed,
        field: &[u8],
    ) -> Result<Option<Vec<u8>>, KeystoreError> {
        self.sealed_field(family.rows, field).await
    }

    pub(super) async fn drop_timed(
        &self,
        family: &Timed,
        fields: &[Vec<u8>],
    ) -> Result<(), KeystoreError> {
        self.drop_indexed(family.rows, family.times, fields).await
    }

    /// Drops the rows older than `cutoff`.
    pub(super) async fn expire_timed(
        &self,
        family: &Timed,
        cutoff: i64,
    ) -> Result<u32, KeystoreError> {
        let highest = format!("({}", seconds(cutoff));
        self.expire_indexed([family.rows, family.times], &highest)
            .await
    }

    /// Drops the rows of a hash whose score in its index is at most `highest`, as `ZRANGEBYSCORE`
    /// writes a bound, and says how many they were.
    pub(super) async fn expire_indexed(
        &self,
        families: [KeyFamily; 2],
        highest: &str,
    ) -> Result<u32, KeystoreError> {
        let mut total = 0;
        loop {
            let write = self.write().op("expire", &families);
            let mut replies = write.arg(highest).number(COSTLY_ROWS).run().await?;
            let dropped: u32 = replies.next()?;
            total += dropped;
            if (dropped as usize) < COSTLY_ROWS {
                return Ok(total);
            }
        }
    }
}
