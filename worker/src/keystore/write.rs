//! Fenced writes: a batch of operations that Redis applies in one step or not at all.

use std::sync::Arc;

use gateway_shared::redis::keys::KeyFamily;
use redis::{FromRedisValue, Value};

use super::{KeystoreError, RedisKeystore};

/// How many rows one step may carry. A longer batch becomes several steps, in order: Redis serves
/// nobody else meanwhile, and Lua can not pass on more than some thousand arguments at once.
pub(super) const ROWS: usize = 1_000;

/// The same where each row costs several commands: such a step takes Redis a millisecond or two.
pub(super) const COSTLY_ROWS: usize = 200;

/// The largest number that a score of a sorted set, a double, holds exactly. Seconds never come
/// near it; what claims to is cut.
const EXACT: i64 = (1 << 53) - 1;

/// A time as the scripts take it.
pub(super) fn seconds(time: i64) -> i64 {
    time.clamp(-EXACT, EXACT)
}

/// One operation of `apply.lua`: its name, the keys that belong together, its arguments.
#[derive(Debug)]
pub(super) struct Op {
    pub(super) name: &'static str,
    pub(super) keys: Vec<String>,
    pub(super) args: Vec<Vec<u8>>,
}

/// A batch of operations in the making; the operations are those of `apply.lua`.
pub(super) struct Write<'a> {
    keystore: &'a RedisKeystore,
    ops: Vec<Op>,
}

impl<'a> Write<'a> {
    pub(super) fn new(keystore: &'a RedisKeystore) -> Self {
        Self {
            keystore,
            ops: Vec::new(),
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

    fn op_on(mut self, name: &'static str, keys: Vec<String>) -> Self {
        let args = Vec::new();
        self.ops.push(Op { name, keys, args });
        self
    }

    /// Adds an argument to the operation begun last.
    pub(super) fn arg(self, arg: &(impl AsRef<[u8]> + ?Sized)) -> Self {
        self.own(arg.as_ref())
    }

    /// Adds an argument that was made for this.
    pub(super) fn own(mut self, arg: impl Into<Vec<u8>>) -> Self {
        if let Some(op) = self.ops.last_mut() {
            op.args.push(arg.into());
        }
        self
    }

    /// Adds a number.
    pub(super) fn number(self, number: impl ToString) -> Self {
        self.own(number.to_string())
    }

    pub(super) fn into_ops(self) -> Vec<Op> {
        self.ops
    }

    /// Applies the batch, all or nothing, in one step with what others write at this time; the
    /// replies are those of its operations. While Redis can not be reached it is done again, see
    /// [`Patience`](super::with_retry::Patience). Dropping the future gives up the answer and not
    /// the write.
    ///
    /// # Errors
    /// [`KeystoreError::Stale`], [`KeystoreError::Erased`] and [`KeystoreError::Lost`] when the
    /// caller may not write any more, [`KeystoreError::Redis`] when Redis did not answer for long.
    pub(super) async fn run(self) -> Result<Reply, KeystoreError> {
        self.keystore.commit(self.ops).await
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
#[derive(Debug)]
pub(super) struct Reply(std::vec::IntoIter<Value>);

impl Reply {
    pub(super) fn new(parts: Vec<Value>) -> Self {
        Self(parts.into_iter())
    }

    /// All that is left.
    pub(super) fn all(self) -> std::vec::IntoIter<Value> {
        self.0
    }

    /// The next part; nil when there is none.
    pub(super) fn next<T: FromRedisValue>(&mut self) -> Result<T, KeystoreError> {
        let value = self.0.next().unwrap_or(Value::Nil);
        redis::from_redis_value(value).map_err(|error| KeystoreError::Corrupt {
            record: "reply of a script",
            source: Some(Arc::new(error)),
        })
    }
}
