//! Finding sends by what people have of them, whosever they are. For operators: each look costs a
//! bounded number of reads, however many sends there are.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use redis::AsyncCommands;

use super::{Lanes, SessionRef};
use crate::clock::Millis;
use crate::domain::{OrganizationId, OutboxId, SessionId};
use crate::redis::RedisFailure;
use crate::redis::keys::{PARTITION, key};

/// Milliseconds of an hour, by which requests are indexed.
const HOUR: Millis = 3_600_000;

/// A send and the session it is of.
pub type Found = (SessionRef, OutboxId);

impl Lanes {
    /// The send of a session that carries this WhatsApp message id.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn by_message_id(
        &self,
        of: &SessionRef,
        wa_message_id: &str,
    ) -> Result<Option<OutboxId>, RedisFailure> {
        let found = self
            .by_message_id_in(std::slice::from_ref(of), wa_message_id)
            .await?;
        Ok(found.into_iter().next().map(|(_, id)| id))
    }

    /// The sends of these sessions that carry this WhatsApp message id: one round trip an organization.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn by_message_id_in(
        &self,
        sessions: &[SessionRef],
        wa_message_id: &str,
    ) -> Result<Vec<Found>, RedisFailure> {
        let mut by_organization: BTreeMap<&str, Vec<&SessionRef>> = BTreeMap::new();
        for of in sessions {
            let all = by_organization.entry(of.organization.as_str());
            all.or_default().push(of);
        }
        let looks = by_organization.into_values().map(async |sessions| {
            let mut reads = redis::pipe();
            for of in &sessions {
                let root = self.root(&of.organization);
                let index = key(PARTITION, &root, "by_wa_id", &[of.session.as_str()]);
                reads.hget(index, wa_message_id);
            }
            let mut connection = self.store.connection.clone();
            let ids: Vec<Option<String>> = reads.query_async(&mut connection).await?;
            let found = sessions.into_iter().zip(ids);
            let found = found.filter_map(|(of, id)| Some((of.clone(), id?.parse().ok()?)));
            Ok::<_, RedisFailure>(found.collect::<Vec<Found>>())
        });
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    /// The session of these organizations' that this send is of.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn session_of(
        &self,
        organizations: &[OrganizationId],
        id: &OutboxId,
    ) -> Result<Option<SessionRef>, RedisFailure> {
        let looks = organizations.iter().map(async |organization| {
            let place = key(
                PARTITION,
                &self.root(organization),
                "outbox",
                &[id.as_str()],
            );
            let mut connection = self.store.connection.clone();
            let fields: std::collections::HashMap<String, String> =
                connection.hgetall(place).await?;
            let entry = super::outbox::entry(id, &fields);
            Ok::<_, RedisFailure>(entry.map(|entry| SessionRef {
                organization: organization.clone(),
                session: entry.session,
            }))
        });
        Ok(try_join_all(looks).await?.into_iter().flatten().next())
    }

    /// The sends of these organizations that were accepted under an idempotency key with this hash.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn by_idempotency_key(
        &self,
        organizations: &[OrganizationId],
        hash: &str,
    ) -> Result<Vec<Found>, RedisFailure> {
        let looks = organizations.iter().map(async |organization| {
            let place = key(PARTITION, &self.root(organization), "idempotency", &[hash]);
            let kept: Option<String> = self.store.connection.clone().get(place).await?;
            let id = kept.and_then(|kept| kept.split(' ').nth(1)?.parse::<OutboxId>().ok());
            let Some(id) = id else { return Ok(None) };
            let of = self
                .session_of(std::slice::from_ref(organization), &id)
                .await?;
            Ok::<_, RedisFailure>(of.map(|of| (of, id)))
        });
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    /// The sends of these organizations that a request with this id handed in, at most `most` of each.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn by_request(
        &self,
        now: Millis,
        organizations: &[OrganizationId],
        request_id: &str,
        most: usize,
    ) -> Result<Vec<Found>, RedisFailure> {
        let kept = Millis::try_from(self.retention.outbox_ms).unwrap_or(Millis::MAX);
        let hours = now.saturating_sub(kept) / HOUR - 1..=now / HOUR + 1;
        let looks = organizations.iter().map(async |organization| {
            let root = self.root(organization);
            let mut reads = redis::pipe();
            for hour in hours.clone() {
                reads
                    .cmd("ZRANGEBYLEX")
                    .arg(key(PARTITION, &root, "by_request", &[&hour.to_string()]))
                    .arg(format!("[{request_id} "))
                    .arg(format!("({request_id}!"))
                    .arg("LIMIT")
                    .arg(0)
                    .arg(most);
            }
            let mut connection = self.store.connection.clone();
            let members: Vec<Vec<String>> = reads.query_async(&mut connection).await?;
            let found = members
                .into_iter()
                .flatten()
                .take(most)
                .filter_map(|member| {
                    let mut parts = member.rsplitn(3, ' ');
                    let session: SessionId = parts.next()?.parse().ok()?;
                    let id = parts.next()?.parse().ok()?;
                    let organization = organization.clone();
                    Some((
                        SessionRef {
                            organization,
                            session,
                        },
                        id,
                    ))
                });
            Ok::<_, RedisFailure>(found.collect::<Vec<Found>>())
        });
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    /// The latest sends of these sessions to one of these chats (every name that a chat may have), at
    /// most `most` of each.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn by_chat(
        &self,
        sessions: &[SessionRef],
        chats: &[String],
        most: usize,
    ) -> Result<Vec<Found>, RedisFailure> {
        let mut by_organization: BTreeMap<&str, Vec<&SessionRef>> = BTreeMap::new();
        for of in sessions {
            let all = by_organization.entry(of.organization.as_str());
            all.or_default().push(of);
        }
        let most = isize::try_from(most).unwrap_or(isize::MAX);
        let looks = by_organization.into_values().map(async |sessions| {
            let mut reads = redis::pipe();
            for of in &sessions {
                let root = self.root(&of.organization);
                for chat in chats {
                    let index = key(PARTITION, &root, "by_chat", &[of.session.as_str(), chat]);
                    reads.zrevrange(index, 0, most - 1);
                }
            }
            let mut connection = self.store.connection.clone();
            let ids: Vec<Vec<String>> = reads.query_async(&mut connection).await?;
            let each = sessions
                .iter()
                .flat_map(|of| chats.iter().map(move |_| *of));
            let found = each.zip(ids).flat_map(|(of, ids)| {
                let parsed = ids.into_iter().filter_map(|id| id.parse().ok());
                parsed.map(|id| (of.clone(), id)).collect::<Vec<_>>()
            });
            Ok::<_, RedisFailure>(found.collect::<Vec<Found>>())
        });
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }
}
