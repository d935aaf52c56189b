//! The one door to Redis: connections, keys and scripts.

pub mod connection;
mod failure;
pub mod keys;
pub mod script;
mod sentinel;
pub mod subscription;
mod tls;

pub use connection::{Connection, RedisConfig};
pub use keys::Keys;
pub use script::LuaScript;
pub use tls::is_tls;

/// Redis did not do what was asked: unreachable, too slow, or a script that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("Redis: {0}")]
pub struct RedisFailure(#[from] pub redis::RedisError);

/// A connection together with the names of what lies behind it.
#[derive(Debug, Clone)]
pub struct Store {
    /// The shared connection.
    pub connection: Connection,
    /// Makes keys under the installation's prefix.
    pub keys: Keys,
    callers_clock: bool,
}

impl Store {
    /// Connects as configured.
    ///
    /// # Errors
    /// When nothing answers at the configured address.
    pub async fn open(config: &RedisConfig) -> Result<Self, RedisFailure> {
        let connection = Connection::open(config).await?;
        Ok(Self {
            connection,
            keys: Keys::new(config.prefix.as_str()),
            callers_clock: false,
        })
    }

    /// The same store for a simulated clock: scripts made from it take the time that they are handed,
    /// in the place of Redis' own. For tests of rules about time.
    #[must_use]
    pub fn at_the_callers_time(mut self) -> Self {
        self.callers_clock = true;
        self
    }

    /// What a script that decides by time begins with: `clock(given)`.
    #[must_use]
    pub fn clock(&self) -> String {
        let source = include_str!("lua/clock.lua");
        format!("local CALLERS_CLOCK = {}\n{source}", self.callers_clock)
    }

    /// Tries a write, on every master as far as a handful of keys reaches them: that Redis answers
    /// says little while it is full, read-only or without its replicas.
    ///
    /// # Errors
    /// When one of them does not take it.
    pub async fn probe(&self) -> Result<(), RedisFailure> {
        let probes = (0..self.connection.probes()).map(async |number| {
            let mut probe = redis::cmd("SET");
            probe.arg(self.keys.probe(number)).arg(1).arg("EX").arg(60);
            let () = probe.query_async(&mut self.connection.clone()).await?;
            Ok::<_, redis::RedisError>(())
        });
        futures_util::future::try_join_all(probes).await?;
        Ok(())
    }

    /// Whether Redis answers at present.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), RedisFailure> {
        let answer: Result<String, _> = redis::cmd("PING")
            .query_async(&mut self.connection.clone())
            .await;
        answer.map(|_| ()).map_err(RedisFailure)
    }
}

/// How many pages a session's message index has, see `messages/lua/index.lua`.
const MESSAGE_PAGES: u32 = 32;

/// What the scripts of a partition begin with: the prefix for channel names, retentions, the clock
/// (`clock(given)`) and the fence (`owns(session, epoch)`).
#[must_use]
pub fn settings(store: &Store, retention: &crate::lane::Retention) -> String {
    format!(
        "local PREFIX = '{}'\nlocal EVENT_RETENTION = {}\nlocal OUTBOX_RETENTION = {}\n\
         local MESSAGE_RETENTION = {}\nlocal MESSAGE_PAGES = {}\nlocal MESSAGE_PAGE = {}\n{}\n{}",
        store.keys.prefix(),
        retention.events_ms,
        retention.outbox_ms,
        retention.messages_ms,
        MESSAGE_PAGES,
        retention.messages.div_ceil(MESSAGE_PAGES),
        store.clock(),
        concat!(
            include_str!("lua/fence.lua"),
            include_str!("../events/lua/wake.lua"),
        ),
    )
}

/// A reply that none of a script's documented outcomes explains: this crate's own mistake.
pub(crate) fn unexpected(script: &'static str) -> RedisFailure {
    RedisFailure(redis::RedisError::from((
        redis::ErrorKind::UnexpectedReturnType,
        "a script answered what its head does not list",
        script.to_owned(),
    )))
}
