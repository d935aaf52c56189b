//! What lanes know of who is who (see [`crate::identity`]).

use redis::{AsyncCommands, Value};

use super::{Epoch, LaneError, Lanes, SessionRef, Stale};
use crate::clock::Millis;
use crate::identity::{Mapping, Names};
use crate::redis::keys::{PARTITION, key};
use crate::redis::{RedisFailure, unexpected};

/// Most mappings of one step: Redis serves nobody else meanwhile.
const AT_ONCE: usize = 500;

impl Lanes {
    /// Learns that these numbers and LIDs are the same people; what waits under both names of one
    /// becomes one chat, in the order of acceptance. Returns how many mappings were new. Repeating it
    /// is harmless.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner. Of many mappings, a part may have been
    /// learnt.
    pub async fn learn(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        mappings: &[Mapping],
    ) -> Result<u64, LaneError> {
        let (of, epoch) = owner;
        let root = self.root(&of.organization);
        let mut learnt = 0;
        for mappings in mappings.chunks(AT_ONCE) {
            let mut call = self.scripts.learn.on(&root);
            call.arg(now).arg(of.session.as_str()).arg(epoch.0);
            for mapping in mappings {
                call.arg(mapping.number().as_str())
                    .arg(mapping.lid().as_str());
            }
            let reply: Vec<Value> = self.run(&call).await?;
            learnt += match reply.as_slice() {
                [_] => return Err(Stale.into()),
                [_, new] => redis::from_redis_value_ref::<u64>(new)
                    .map_err(|error| LaneError::from(redis::RedisError::from(error)))?,
                _ => return Err(unexpected("learn.lua").into()),
            };
        }
        Ok(learnt)
    }

    /// How many people the session knows by both names.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn people(&self, of: &SessionRef) -> Result<u64, RedisFailure> {
        let root = self.root(&of.organization);
        let names = key(PARTITION, &root, "names", &[of.session.as_str()]);
        let names: u64 = self.store.connection.clone().hlen(names).await?;
        Ok(names / 2)
    }

    /// Both names of each of these chats or people, as far as the session knows them, in their order.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn names(&self, of: &SessionRef, jids: &[&str]) -> Result<Vec<Names>, RedisFailure> {
        if jids.is_empty() {
            return Ok(Vec::new());
        }
        let root = self.root(&of.organization);
        let names = key(PARTITION, &root, "names", &[of.session.as_str()]);
        let mut connection = self.store.connection.clone();
        let others: Vec<Option<String>> = connection.hmget(names, jids).await?;
        let named = jids.iter().zip(others);
        Ok(named.map(|(jid, other)| Names::of(jid, other)).collect())
    }
}
