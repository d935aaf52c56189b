//! The WhatsApp key material of a session in Redis: [`RedisKeystore`] is the `Backend` that
//! whatsapp-rust works on.
//!
//! Any worker can continue a session, since nothing of it lies on a worker's disk; and only one
//! may, since every write carries the owner's epoch and Redis refuses all but the one that the
//! session's *fence* holds. [`RedisKeystore::claim`] raises the fence, and from that moment on
//! nothing an earlier owner still sends changes anything.
//!
//! # Keys
//! [`keys::KEYSTORE`] lists every key with its type and life time. All keys of a session bear its
//! Cluster hash tag. Records are one field each of a hash per family; what must be found in order
//! (by time, by address, by id) is indexed by a sorted set beside it, written in the same step, so
//! that no call walks through a hash.
//!
//! # Writes
//! A write is one run of `apply.lua`: one round trip, all or nothing, whatever number of
//! operations it has. A batch beyond 1,000 rows (200 where a row costs several commands) is several
//! such steps in order; whatsapp-rust repeats a batch that failed, and every row of a batch means
//! the same when written twice. Writes that are asked for at the same time share a step (see
//! `commit.rs`).
//! Besides the epoch a write carries a *term*, which tells a write of a broken connection that
//! arrives late from its successor (see `write_generation.rs`).
//!
//! An answered write is as durable as Redis is told to be (`appendfsync`), which is what
//! whatsapp-rust asks for: it publishes no ciphertext before the flush that covers it came back
//! without an error. (Except the first ones of a chain that a received message has begun, which the
//! library counts as covered and flushes 25 ms later; so what was received is flushed before anything
//! is sent, see `link/send.rs`. What is received between that flush and the encryption keeps the
//! gap: if the worker dies in those moments, the recipient asks again for what the next owner sends
//! first, and its own messages in answer come late.) A failed write
//! stays dirty there and is flushed again. From the moment on that the session is lost nothing is
//! written, though Redis might still take it: a ratchet's step that is stored after the message it
//! belongs to was given up would lose that message.
//!
//! # Reads
//! Every read asks Redis (whatsapp-rust caches what it reads often), but for the contact tokens that
//! every send asks for (see `tc_token.rs`).
//!
//! # Encryption
//! Keys and contents are sealed by a data key of the session, see `sealing.rs`. The data key lies in
//! the fence, sealed by the keyring of the configuration.
//!
//! # Time
//! Ages are counted by `wacore::time`, the clock of the library that also passes the cut-offs of
//! the `delete_expired_*` calls, so that both agree.
//!
//! # Differences to the store in memory
//! The bounds. Sent messages are kept up to 16,384 (there 4,096); base keys, which the library
//! never expires, for 7 days and up to 10,000. Times beyond ±2⁵³ seconds are cut to that.

mod app_sync;
mod codec;
mod commit;
mod device;
mod error;
mod everything;
mod identities;
pub mod keys;
mod lid;
mod protocol;
mod provisional;
mod recall;
pub mod reseal;
mod sealing;
mod secrets;
mod signal;
mod tc_token;
mod timed;
mod with_retry;
mod write;
mod write_generation;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use gateway_shared::domain::SessionId;
use gateway_shared::redis::keys::{KeyFamily, key};
use gateway_shared::redis::{LuaScript, Store, script};
use gateway_shared::secrets::{DataKey, Keyring};
use redis::{FromRedisValue, Value};
use tokio_util::sync::CancellationToken;

use commit::CommitQueue;
pub use error::KeystoreError;
pub use identities::Identities;
pub use provisional::Kept;
pub use recall::{Recall, Unsettled};
use sealing::data_key_context;
use tc_token::TcMemory;
use with_retry::with_retry;
use write::{Outcome, Reply, Write};
use write_generation::WriteGeneration;

static CLAIM: LazyLock<LuaScript> = LazyLock::new(|| LuaScript::bare(include_str!("claim.lua")));
static ERASE: LazyLock<LuaScript> = LazyLock::new(|| LuaScript::bare(include_str!("erase.lua")));

/// How long the fence of a deleted session still refuses writes that are late, in seconds.
const FENCE_AFTER_DELETION: u32 = 7 * 24 * 3600;

/// The key material of one session, as its owner of one epoch may use it. Clones are the same
/// handle.
#[derive(Debug, Clone)]
pub struct RedisKeystore {
    state: Arc<State>,
    recall: Option<Arc<dyn Recall>>,
    identities: Option<Arc<dyn Identities>>,
    /// What is written vanishes after so many seconds unless it is kept (see `provisional.rs`).
    provisional: Option<u32>,
}

#[derive(Debug)]
struct State {
    store: Store,
    session: SessionId,
    root: String,
    epoch: i64,
    life: u64,
    term: WriteGeneration,
    data_key: DataKey,
    /// No row of an earlier version lies in clear.
    sealed: bool,
    commit_queue: CommitQueue,
    tc_tokens: TcMemory,
    lost: CancellationToken,
    stale_writes: AtomicU64,
}

impl RedisKeystore {
    /// Takes the key material of `session` for the owner of `epoch`, the fencing token of its
    /// lease: writes of every lower epoch are refused from now on. Claiming again with the same
    /// epoch is harmless, and needed after [`RedisKeystore::erase`].
    ///
    /// `lost` is cancelled when Redis refuses a write since a higher epoch has come. Whoever
    /// cancels it ends all writes of this handle.
    ///
    /// # Errors
    /// [`KeystoreError::Stale`] when a higher epoch holds the fence already (`lost` is cancelled
    /// then, too), [`KeystoreError::Redis`] when Redis did not answer, [`KeystoreError::Sealed`]
    /// when no key of the keyring opens the session's data key.
    pub async fn claim(
        store: Store,
        keyring: &Keyring,
        session: SessionId,
        epoch: i64,
        lost: CancellationToken,
    ) -> Result<Self, KeystoreError> {
        let root = store.keys.keystore(&session);
        let mut call = CLAIM.on(&key(keys::KEYSTORE, &root, keys::FENCE.name, &[]));
        let context = data_key_context(&session);
        let (_, fresh) = DataKey::generate(keyring, &context)?;
        call.key(script::guard(&root));
        call.arg(epoch).arg(&fresh);
        let reply: Vec<Value> = script::run_durably(&store.connection, &call).await?;
        let mut reply = Reply::new(reply);
        let outcome: String = reply.next()?;
        let (life, term): (Option<u64>, Option<u64>) = (reply.next()?, reply.next()?);
        let (stored, sealed): (Option<Vec<u8>>, Option<u8>) = (reply.next()?, reply.next()?);
        let stored = stored.unwrap_or(fresh);
        if outcome == "CLAIMED" && keyring.needs_reseal(&stored) {
            // That somebody else replaced it is as good.
            reseal::rewrap(&store, keyring, &session, &stored).await?;
        }
        let opened = DataKey::open(keyring, &context, &stored);
        let data_key = opened.map_err(|source| KeystoreError::Sealed {
            record: "data key",
            source,
        })?;
        let claimed = Self {
            state: Arc::new(State {
                store,
                session,
                root,
                epoch,
                life: life.unwrap_or(0),
                term: WriteGeneration::new(term.unwrap_or(0)),
                data_key,
                sealed: sealed == Some(1),
                commit_queue: CommitQueue::default(),
                tc_tokens: TcMemory::default(),
                lost,
                stale_writes: AtomicU64::new(0),
            }),
            recall: None,
            identities: None,
            provisional: None,
        };
        match outcome.as_str() {
            "CLAIMED" => Ok(claimed),
            _ => Err(claimed.refused()),
        }
    }

    /// The session whose key material this is.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.state.session
    }

    /// The epoch this handle writes with.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.state.epoch
    }

    /// How many writes of this handle were refused since a higher epoch has come.
    #[must_use]
    pub fn stale_writes(&self) -> u64 {
        self.state.stale_writes.load(Ordering::Relaxed)
    }

    /// Deletes all key material, as after a logout. No handle from before writes anything any more
    /// ([`KeystoreError::Erased`]), nor does a write still on its way; pairing anew begins with
    /// another [`RedisKeystore::claim`], for which the same epoch will do.
    ///
    /// # Errors
    /// [`KeystoreError::Stale`] when another epoch holds the fence (nothing is deleted then),
    /// [`KeystoreError::Redis`] when Redis did not answer; doing it again is safe.
    pub async fn erase(&self) -> Result<(), KeystoreError> {
        self.erase_and_keep_fence(0).await
    }

    /// Deletes all key material of a session that is deleted itself: as
    /// [`RedisKeystore::erase`], and the fence follows after 7 days.
    ///
    /// # Errors
    /// As [`RedisKeystore::erase`].
    pub async fn forget(&self) -> Result<(), KeystoreError> {
        self.erase_and_keep_fence(FENCE_AFTER_DELETION).await
    }

    async fn erase_and_keep_fence(&self, seconds: u32) -> Result<(), KeystoreError> {
        let state = &self.state;
        let mut call = ERASE.on(&self.key(keys::FENCE));
        let first = [keys::SKDM_GROUPS, keys::COLLECTIONS];
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
            .arg(state.life)
            .arg(self.key_of(keys::SKDM_DEVICES, ""))
            .arg(self.key_of(keys::MAC, ""))
            .arg(seconds);
        let reply: Vec<Value> = script::run(&state.store.connection, &call).await?;
        state.tc_tokens.forget();
        match Outcome::read(reply)? {
            Outcome::Applied(_) | Outcome::Erased => Ok(()),
            Outcome::Stale | Outcome::Late(_) => Err(self.refused()),
        }
    }

    /// Counts a refusal and tells the owner.
    fn refused(&self) -> KeystoreError {
        let state = &self.state;
        if state.stale_writes.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                session = %state.session,
                epoch = state.epoch,
                "another owner has taken the session's key material"
            );
        }
        state.lost.cancel();
        KeystoreError::Stale { epoch: state.epoch }
    }

    fn key(&self, family: KeyFamily) -> String {
        key(keys::KEYSTORE, &self.state.root, family.name, &[])
    }

    fn key_of(&self, family: KeyFamily, member: &str) -> String {
        key(keys::KEYSTORE, &self.state.root, family.name, &[member])
    }

    fn write(&self) -> Write<'_> {
        Write::new(self)
    }

    /// One read command on the key of `family`.
    async fn read<T: FromRedisValue>(
        &self,
        command: &'static str,
        family: KeyFamily,
        args: &[&[u8]],
    ) -> Result<T, KeystoreError> {
        self.read_key(command, &self.key(family), args).await
    }

    async fn read_key<T: FromRedisValue>(
        &self,
        command: &'static str,
        key: &str,
        args: &[&[u8]],
    ) -> Result<T, KeystoreError> {
        let mut command = redis::cmd(command);
        command.arg(key);
        for arg in args {
            command.arg(*arg);
        }
        let (connection, command) = (&self.state.store.connection, &command);
        let answer = with_retry(&self.state.lost, || {
            let mut connection = connection.clone();
            async move { command.query_async(&mut connection).await }
        });
        Ok(answer.await?)
    }

    /// One field of a hash.
    async fn field(
        &self,
        family: KeyFamily,
        field: &[u8],
    ) -> Result<Option<Vec<u8>>, KeystoreError> {
        self.read("HGET", family, &[field]).await
    }

    /// Whether a hash has a field.
    async fn has_field(&self, family: KeyFamily, field: &[u8]) -> Result<bool, KeystoreError> {
        self.read("HEXISTS", family, &[field]).await
    }

    /// Sets one field of a hash that has no index.
    async fn set_field(
        &self,
        family: KeyFamily,
        field: &[u8],
        value: &[u8],
    ) -> Result<(), KeystoreError> {
        let write = self.write().op("HSET", &[family]).arg(field).arg(value);
        write.run().await.map(|_| ())
    }

    /// Drops one field of a hash that has no index.
    async fn drop_field(&self, family: KeyFamily, field: &[u8]) -> Result<(), KeystoreError> {
        let write = self.write().op("HDEL", &[family]).arg(field);
        write.run().await.map(|_| ())
    }

    /// Drops fields of a hash and of the sorted set that indexes it.
    async fn drop_indexed(
        &self,
        family: KeyFamily,
        index: KeyFamily,
        fields: &[Vec<u8>],
    ) -> Result<(), KeystoreError> {
        for fields in fields.chunks(write::ROWS) {
            let mut write = self.write().op("HDEL", &[family]);
            for field in fields {
                write = write.arg(field);
            }
            write = write.op("ZREM", &[index]);
            for field in fields {
                write = write.arg(field);
            }
            write.run().await?;
        }
        Ok(())
    }
}
