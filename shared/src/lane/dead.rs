//! Dead letters: sends that failed for good.

use std::collections::HashMap;

use super::outbox::{cursor, entry, page_after, parse_cursor};
use super::{Lanes, OutboxEntry, SessionRef};
use crate::redis::RedisFailure;
use crate::redis::keys::{PARTITION, key};

impl Lanes {
    /// The dead letters of a session, the latest first, after the one that a page before ended with
    /// (empty = from the beginning), and the cursor to go on with (empty = there are no more).
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn dead_letters(
        &self,
        of: &SessionRef,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<OutboxEntry>, String), RedisFailure> {
        let root = self.root(&of.organization);
        let index = key(PARTITION, &root, "dead", &[of.session.as_str()]);
        let mut connection = self.store.connection.clone();
        let last = parse_cursor(after);
        let page = page_after(&mut connection, &index, last.as_ref(), limit).await?;
        if page.is_empty() {
            return Ok((Vec::new(), String::new()));
        }
        let mut reads = redis::pipe();
        for (id, _) in &page {
            reads.hgetall(key(PARTITION, &root, "outbox", &[id]));
        }
        let records: Vec<HashMap<String, String>> = reads.query_async(&mut connection).await?;
        let entries = page
            .iter()
            .zip(&records)
            // What retention has taken is no letter any more.
            .filter_map(|((id, _), fields)| entry(&id.parse().ok()?, fields))
            .collect();
        let next = match page.last() {
            Some((id, at)) if page.len() == limit => cursor(Some(&(*at, id.clone()))),
            _ => String::new(),
        };
        Ok((entries, next))
    }
}
