//! Which installation a Redis holds: what tells the right Redis from an empty or a foreign one.
//!
//! The first process ever writes a marker with an id of its own making. Every process remembers the
//! id that it met first (or is told it, `redis.installation`) and looks again all the time. A Redis
//! that comes back without it has lost everything else as well: a `FLUSHALL`, a wrong volume, a
//! failover to an empty replica. Serving it would look like health: sessions are unknown, keys are
//! wrong, queues are empty. So nobody serves it until the right one is back, or until the
//! processes are started anew, which says that the loss is accepted.

mod sealed;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Millis;
use crate::domain::InstallationId;
use crate::redis::{LuaScript, RedisFailure, Store, script, unexpected};
use crate::secrets::{KeyId, Keyring};

pub use sealed::{forget_key, known_keys};

/// The version of what is kept in Redis, as this program knows it. A store of a newer version is
/// refused.
pub const SCHEMA: u32 = 2;

/// Why a Redis is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It is empty.
    #[error(
        "Redis has lost installation {expected}: it is empty now. Bring the right data back; or \
         start all processes anew, if everything is to begin again"
    )]
    Lost {
        /// What was there.
        expected: InstallationId,
    },
    /// It holds another installation.
    #[error(
        "Redis holds installation {found} in place of {expected}. Bring the right data back; or \
         start all processes anew, if that one is right"
    )]
    Replaced {
        /// What was there.
        expected: InstallationId,
        /// What is there.
        found: InstallationId,
    },
    /// It was written by a newer version of this program.
    #[error("Redis holds schema {schema}, and this program knows {SCHEMA}: use a newer version")]
    Newer {
        /// Its schema.
        schema: u32,
    },
    /// Its secrets are sealed with a key that this process does not have.
    #[error(
        "this installation's secrets are encrypted with key {id}, which this process does not have: \
         add it to secrets.keys or secrets.key_file"
    )]
    KeyMissing {
        /// The key's id.
        id: KeyId,
    },
    /// Its secrets are sealed with another key of the same id.
    #[error(
        "key {id} of [secrets] is not the one that this installation's secrets are encrypted with: \
         bring the right one back under that id"
    )]
    KeyWrong {
        /// The key's id.
        id: KeyId,
    },
}

impl Foreign {
    /// A stable name.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Lost { .. } => "store_lost",
            Self::Replaced { .. } => "store_replaced",
            Self::Newer { .. } => "store_newer",
            Self::KeyMissing { .. } => "secrets_key_missing",
            Self::KeyWrong { .. } => "secrets_key_wrong",
        }
    }

    /// Whether waiting can not help: this process lacks what it needs, and must be started anew
    /// with it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Lost { .. } | Self::Replaced { .. } => false,
            Self::Newer { .. } | Self::KeyMissing { .. } | Self::KeyWrong { .. } => true,
        }
    }
}

/// A process's view of the installation that its Redis should hold. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Installation {
    store: Store,
    enter: Arc<LuaScript>,
    keyring: Option<Keyring>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug)]
struct Seen {
    expected: Option<InstallationId>,
    foreign: Option<Foreign>,
    /// What was found of the keyring, once it was held against the store.
    keys: Option<Result<(), Foreign>>,
}

impl Installation {
    /// The installation behind `store`: the `expected` one, or the first that is met.
    #[must_use]
    pub fn new(store: Store, expected: Option<InstallationId>) -> Self {
        let enter = LuaScript::global(&[&store.clock(), include_str!("lua/enter.lua")]);
        let (foreign, keys) = (None, None);
        let seen = Seen {
            expected,
            foreign,
            keys,
        };
        Self {
            store,
            enter: Arc::new(enter),
            keyring: None,
            seen: Arc::new(Mutex::new(seen)),
        }
    }

    /// For a process that seals and opens secrets: the installation counts as foreign when these
    /// are not the keys that its secrets are sealed with.
    #[must_use]
    pub fn sealed_by(mut self, keyring: Keyring) -> Self {
        self.keyring = Some(keyring);
        self
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks which installation Redis holds now; what is wrong with it, if anything. The change is
    /// logged.
    ///
    /// # Errors
    /// When Redis does not answer; what was seen last still counts.
    pub async fn look(&self, now: Millis) -> Result<Option<Foreign>, RedisFailure> {
        let expected = self.seen().expected.clone();
        let new = match expected {
            Some(_) => String::new(),
            None => InstallationId::generate(now).to_string(),
        };
        let root = self.store.keys.global();
        let mut call = self.enter.on(&root);
        call.arg(now).arg(&new).arg(SCHEMA);
        let connection = &self.store.connection;
        let reply: Vec<String> = if new.is_empty() {
            script::run(connection, &call).await?
        } else {
            script::run_durably(connection, &call).await?
        };
        let found = match reply.as_slice() {
            [_] => None,
            [_, id, schema] => {
                let wrong = || unexpected("enter.lua");
                let id: InstallationId = id.parse().map_err(|_| wrong())?;
                let schema: u32 = schema.parse().map_err(|_| wrong())?;
                if expected.is_none() && id.as_str() == new {
                    tracing::warn!(installation = %id, "Redis held no installation; made one");
                }
                Some((id, schema))
            }
            _ => return Err(unexpected("enter.lua")),
        };
        if let (Some(keyring), Some(_)) = (&self.keyring, &found)
            && self.seen().keys.is_none()
        {
            let wrong = sealed::check(&self.store, keyring).await?;
            self.seen().keys = Some(wrong.map_or(Ok(()), Err));
        }
        Ok(self.seen().note(found))
    }

    /// What was wrong when it was looked at last.
    #[must_use]
    pub fn foreign(&self) -> Option<Foreign> {
        self.seen().foreign.clone()
    }

    /// The installation that should be there, once it was met.
    #[must_use]
    pub fn id(&self) -> Option<InstallationId> {
        self.seen().expected.clone()
    }
}

impl Seen {
    fn note(&mut self, found: Option<(InstallationId, u32)>) -> Option<Foreign> {
        let foreign = match (self.expected.clone(), found) {
            (_, Some((_, schema))) if schema > SCHEMA => Some(Foreign::Newer { schema }),
            (None, found) => {
                self.expected = found.map(|(id, _)| id);
                self.wrong_key()
            }
            (Some(expected), None) => Some(Foreign::Lost { expected }),
            (Some(expected), Some((found, _))) if found != expected => {
                Some(Foreign::Replaced { expected, found })
            }
            (Some(_), Some(_)) => self.wrong_key(),
        };
        if foreign != self.foreign {
            match &foreign {
                Some(foreign) => tracing::error!(reason = foreign.reason(), "{foreign}"),
                None => tracing::info!("Redis holds the right installation again"),
            }
            self.foreign.clone_from(&foreign);
        }
        foreign
    }

    fn wrong_key(&self) -> Option<Foreign> {
        self.keys.clone()?.err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_met_is_the_right_one() {
        let id = |millis| InstallationId::generate(millis);
        let (ours, other) = (id(1), id(2));
        let mut seen = Seen {
            expected: None,
            foreign: None,
            keys: None,
        };
        assert_eq!(seen.note(Some((ours.clone(), SCHEMA))), None);
        let reason = |foreign: Option<Foreign>| foreign.map(|foreign| foreign.reason());
        assert_eq!(reason(seen.note(None)), Some("store_lost"));
        let replaced = seen.note(Some((other, SCHEMA)));
        assert_eq!(reason(replaced), Some("store_replaced"));
        assert_eq!(reason(seen.note(Some((ours.clone(), SCHEMA)))), None);
        let newer = seen.note(Some((ours, SCHEMA + 1)));
        assert_eq!(reason(newer), Some("store_newer"));
    }
}
