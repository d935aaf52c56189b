//! Key material that is being moved in: it vanishes by itself unless all of it was written.

use std::sync::LazyLock;

use gateway_shared::redis::{LuaScript, script};

use super::write::Op;
use super::{KeystoreError, RedisKeystore, keys};

static KEEP: LazyLock<LuaScript> = LazyLock::new(|| LuaScript::bare(include_str!("keep.lua")));

/// What became of key material that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It stays.
    Kept,
    /// It has vanished, or was never complete.
    Gone,
}

impl RedisKeystore {
    /// The same handle, of which everything that is written vanishes after so many seconds without
    /// a further write of its kind, until [`RedisKeystore::keep`].
    #[must_use]
    pub fn provisional(mut self, seconds: u32) -> Self {
        self.provisional = Some(seconds);
        self
    }

    /// Adds to each write that its keys expire.
    pub(super) fn expiring(&self, mut ops: Vec<Op>) -> Vec<Op> {
        let Some(seconds) = self.provisional else {
            return ops;
        };
        let mut touched: Vec<String> = ops.iter().flat_map(|op| op.keys.clone()).collect();
        touched.push(self.key(keys::FENCE));
        touched.sort_unstable();
        touched.dedup();
        ops.extend(touched.into_iter().map(|key| Op {
            name: "EXPIRE",
            keys: vec![key],
            args: vec![seconds.to_string().into_bytes()],
        }));
        ops
    }

    /// Lets all that was written stay, in one step, if there is a device among it. The handle's
    /// further writes still expire: it is done with.
    ///
    /// # Errors
    /// [`KeystoreError::Stale`] when another epoch holds the fence, [`KeystoreError::Redis`] when
    /// Redis did not answer; doing it again is safe.
    pub async fn keep(&self) -> Result<Kept, KeystoreError> {
        let state = &self.state;
        let mut call = KEEP.on(&self.key(keys::FENCE));
        let first = [keys::META, keys::SKDM_GROUPS, keys::COLLECTIONS];
        for family in first {
            call.key(self.key(family));
        }
        for family in keys::KEYSTORE {
            let listed = [keys::FENCE].iter().chain(&first);
            let listed = listed.into_iter().any(|other| other.name == family.name);
            if !listed && !family.pattern.contains('*') {
                call.key(self.key(*family));
            }
        }
        call.key(script::guard(&state.root));
        call.arg(state.epoch)
            .arg(self.key_of(keys::SKDM_DEVICES, ""))
            .arg(self.key_of(keys::MAC, ""));
        let reply: String = script::run_durably(&state.store.connection, &call).await?;
        match reply.as_str() {
            "KEPT" => Ok(Kept::Kept),
            "GONE" => Ok(Kept::Gone),
            _ => Err(self.refused()),
        }
    }
}
