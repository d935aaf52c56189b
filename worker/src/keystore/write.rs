//! Fenced writes: a batch of operations that Redis applies in one step or not at all.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use gateway_shared::redis::keys::KeyFamily;
use gateway_shared::redis::{LuaScript, script};
use redis::{FromRedisValue, Value};

use super::patience::Patience;
use super::{KeystoreError, RedisKeystore, keys};

static APPLY: LazyLock<LuaScript> = LazyLock::new(|| LuaScript::bare(include_str!("apply.lua")));

/// How many rows one step may carry. A longer batch becomes several steps, in order: Redis serves
/// nobody else meanwhile, and Lua can not pass on more than some thousand arguments at once.
pub(super) const ROWS: usize = 1_000;

/// The same where each row costs several commands: such a step takes Redis a millisecond or two.
pub(super) const COSTLY_ROWS: usize = 200;

/// How often a write that was overtaken by one of a later term is tried anew.
const ATTEMPTS: u32 = 8;

/// The largest number that a score of a sorted set, a double, holds exactly. Seconds never come
/// near it; what claims to is cut.
const EXACT: i64 = (1 << 53) - 1;

/// A time as the scripts take it.
pub(super) fn seconds(time: i64) -> i64 {
    time.clamp(-EXACT, EXACT)
}

/// A batch of operations in the making; the operations are those of `apply.lua`.
pub(super) struct Write<'a> {
    keystore: &'a RedisKeystore,
    keys: Vec<String>,
    args: Vec<Cow<'a, [u8]>>,
    /// Where the count of the operation being written stands.
    count_at: usize,
}

impl<'a> Write<'a> {
    pub(super) fn new(keystore: &'a RedisKeystore) -> Self {
        Self {
            keystore,
            keys: Vec::new(),
            args: Vec::new(),
            count_at: 0,
        }
    }

    /// Begins operation `name` on the key of `family`, or on several that belong together.
    pub(super) fn op(self, name: &'static str, families: &[KeyFamily]) -> Self {
        let keys = families.iter().map(|family| self.keystore.key(*family));
        let keys = keys.collect();
        self.op_on(name, keys)
    }

    /// Begins operation `name` on the key of `family` for `member`.
    pub(super) fn op_of(self, name: &'static str, family: KeyFamily, member: &str) -> Self {
        let key = self.keystore.key_of(family, member);
        self.op_on(name, vec![key])
    }

    fn op_on(mut self, name: &'static str, mut keys: Vec<String>) -> Self {
        self.seal();
        // The fence is the first of KEYS, and Lua counts from one.
        let place = self.keys.len() + 2;
        self.keys.append(&mut keys);
        self.args.push(Cow::Borrowed(name.as_bytes()));
        self.args.push(Cow::Owned(place.to_string().into_bytes()));
        self.count_at = self.args.len();
        self.args.push(Cow::Borrowed(b"0"));
        self
    }

    /// Adds an argument to the operation begun last.
    pub(super) fn arg(mut self, arg: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.args.push(Cow::Borrowed(arg.as_ref()));
        self
    }

    /// Adds an argument that was made for this.
    pub(super) fn own(mut self, arg: impl Into<Vec<u8>>) -> Self {
        self.args.push(Cow::Owned(arg.into()));
        self
    }

    /// Adds a number.
    pub(super) fn number(self, number: impl ToString) -> Self {
        self.own(number.to_string())
    }

    /// Writes down how many arguments the operation begun last has.
    fn seal(&mut self) {
        let count = self.args.len().saturating_sub(self.count_at + 1);
        if let Some(place) = self.args.get_mut(self.count_at) {
            *place = Cow::Owned(count.to_string().into_bytes());
        }
    }

    /// Applies the batch; the replies are those of its operations. While Redis can not be reached
    /// it is done again, see [`Patience`].
    ///
    /// # Errors
    /// [`KeystoreError::Stale`], [`KeystoreError::Erased`] and [`KeystoreError::Lost`] when the
    /// caller may not write any more, [`KeystoreError::Redis`] when Redis did not answer for long.
    pub(super) async fn run(mut self) -> Result<Reply, KeystoreError> {
        self.seal();
        let state = &self.keystore.state;
        let patience = Patience::new(&state.lost);
        let mut overtaken = 0;
        while overtaken < ATTEMPTS {
            // Redis refuses by itself what it has refused before, and counts it.
            if state.lost.is_cancelled() && state.stale_writes.load(Ordering::Relaxed) == 0 {
                return Err(KeystoreError::Lost);
            }
            let doubt = state.term.begin();
            let mut call = APPLY.on(&self.keystore.key(keys::FENCE));
            for key in &self.keys {
                call.key(key.as_str());
            }
            call.arg(state.epoch).arg(state.life).arg(doubt.term());
            for arg in &self.args {
                call.arg(arg.as_ref());
            }
            let reply = script::run_durably(&state.store.connection, &call).await;
            let reply: Vec<Value> = match reply {
                Ok(reply) => reply,
                Err(error) => {
                    // It may still be on its way: what comes next is of a later term.
                    drop(doubt);
                    if patience.again(&error).await {
                        continue;
                    }
                    return Err(error.into());
                }
            };
            match Outcome::read(reply)? {
                Outcome::Applied(replies) => {
                    doubt.resolve();
                    return Ok(replies);
                }
                Outcome::Late(term) => {
                    doubt.resolve();
                    state.term.raise(term);
                    overtaken += 1;
                }
                Outcome::Erased => {
                    doubt.resolve();
                    return Err(KeystoreError::Erased);
                }
                Outcome::Stale => {
                    doubt.resolve();
                    return Err(self.keystore.refused());
                }
            }
        }
        Err(KeystoreError::Overtaken)
    }
}

/// What `apply.lua` and `erase.lua` answer.
pub(super) enum Outcome {
    Applied(Reply),
    Stale,
    Erased,
    Late(u64),
}

impl Outcome {
    pub(super) fn read(reply: Vec<Value>) -> Result<Self, KeystoreError> {
        let mut reply = Reply::new(reply);
        let name: Option<String> = reply.next()?;
        match name.as_deref() {
            Some("APPLIED") => Ok(Self::Applied(reply)),
            Some("STALE") => Ok(Self::Stale),
            Some("ERASED") => Ok(Self::Erased),
            Some("LATE") => Ok(Self::Late(reply.next()?)),
            _ => Err(KeystoreError::corrupt("reply of a script")),
        }
    }
}

/// What a script replied, part by part.
pub(super) struct Reply(std::vec::IntoIter<Value>);

impl Reply {
    pub(super) fn new(parts: Vec<Value>) -> Self {
        Self(parts.into_iter())
    }

    /// The next part; nil when there is none.
    pub(super) fn next<T: FromRedisValue>(&mut self) -> Result<T, KeystoreError> {
        let value = self.0.next().unwrap_or(Value::Nil);
        redis::from_redis_value(value).map_err(|error| KeystoreError::Corrupt {
            record: "reply of a script",
            source: Some(Box::new(error)),
        })
    }
}
