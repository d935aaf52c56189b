//! Sessions whose device was paired by another program.

use redis::AsyncCommands;

use super::{Sessions, member, parse_member};
use crate::clock::Millis;
use crate::domain::Limits;
use crate::lane::SessionRef;
use crate::redis::RedisFailure;
use crate::redis::keys::{GLOBAL, key};

/// A session that is made of a device that is paired already.
#[derive(Debug, Clone)]
pub struct MovedSession {
    /// A name for people.
    pub label: String,
    /// Whether it is to run at once.
    pub start: bool,
    /// Its number, digits.
    pub account: String,
    /// Its address by number.
    pub wa_jid: Option<String>,
    /// Its address by LID, where that is known.
    pub wa_lid: Option<String>,
    /// The epoch under which its keys were stored; its owners have later ones.
    pub epoch: u64,
}

/// Whether a session was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MovedIn {
    /// It was.
    Created,
    /// There is one of this id; nothing was changed.
    Exists,
}

impl Sessions {
    fn moved_in_key(&self) -> String {
        key(GLOBAL, &self.store.keys.global(), "moved_in", &[])
    }

    /// The session that a device of these keys moved into, whether or not it still exists.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn moved_in(&self, fingerprint: &str) -> Result<Option<SessionRef>, RedisFailure> {
        let mut connection = self.store.connection.clone();
        let found: Option<String> = connection.hget(self.moved_in_key(), fingerprint).await?;
        Ok(found.as_deref().and_then(parse_member))
    }

    /// Notes where a device of these keys moves in, unless it did before; says where it is.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn note_moved_in(
        &self,
        fingerprint: &str,
        of: &SessionRef,
    ) -> Result<SessionRef, RedisFailure> {
        let mut connection = self.store.connection.clone();
        let (key, text) = (self.moved_in_key(), member(of));
        let () = connection.hset_nx(&key, fingerprint, &text).await?;
        let found = self.moved_in(fingerprint).await?;
        Ok(found.unwrap_or_else(|| of.clone()))
    }

    /// Forgets that a device of these keys moved into this session, if that is what is noted.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn forget_moved_in(
        &self,
        fingerprint: &str,
        of: &SessionRef,
    ) -> Result<(), RedisFailure> {
        let global = self.store.keys.global();
        let mut call = self.scripts.forget_moved_in.on(&global);
        call.arg(fingerprint).arg(member(of));
        let _: i64 = self.run(&call).await?;
        Ok(())
    }

    /// Makes a session of a device whose keys are stored; done again it changes nothing.
    ///
    /// # Errors
    /// When Redis does not answer; the session may then exist.
    pub async fn move_in(
        &self,
        now: Millis,
        of: &SessionRef,
        new: &MovedSession,
    ) -> Result<MovedIn, RedisFailure> {
        let mut connection = self.store.connection.clone();
        let global = self.store.keys.global();
        let directory = key(GLOBAL, &global, "directory", &[]);
        let (id, organization) = (of.session.as_str(), of.organization.as_str());
        // First of all: the sweep over the directory finds whatever stops half-way from here on.
        let () = connection.hset(directory, id, organization).await?;
        let limits = Limits::default();
        let root = self.root(of);
        let mut call = self.scripts.move_in.on(&root);
        call.arg(now).arg(id).arg(if new.start { "1" } else { "0" });
        let fields = [
            ("label", new.label.clone()),
            ("epoch", new.epoch.to_string()),
            ("ratePerMin", limits.rate_per_min.to_string()),
            ("ratePerHour", limits.rate_per_hour.to_string()),
            ("account", new.account.clone()),
            ("waJid", new.wa_jid.clone().unwrap_or_default()),
            ("waLid", new.wa_lid.clone().unwrap_or_default()),
        ];
        for (name, value) in fields {
            call.arg(name).arg(value);
        }
        let reply: Vec<String> = self.run(&call).await?;
        if new.start {
            self.renew_offer(of).await?;
        }
        Ok(match reply.first().map(String::as_str) {
            Some("created") => MovedIn::Created,
            _ => MovedIn::Exists,
        })
    }
}
