//! Creating, finding and changing sessions: what the API does with them.

use std::collections::HashMap;

use redis::AsyncCommands;

use super::record::{Desired, PasskeyRequest, QrCode, SessionRecord};
use super::{DesiredChange, Sessions, member};
use crate::clock::Millis;
use crate::domain::{Limits, OrganizationId, Session, SessionId, SessionStatus};
use crate::lane::SessionRef;
use crate::redis::RedisFailure;
use crate::redis::keys::{GLOBAL, PARTITION, key};

/// A proxy as it is kept.
#[derive(Debug, Clone)]
pub struct KeptProxy {
    /// Its URL without credentials.
    pub shown: String,
    /// All of it, sealed by [`Proxy::seal`](crate::proxy::Proxy::seal).
    pub sealed: String,
}

/// A session to be created.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// A name for people.
    pub label: String,
    /// Whether it is to run at once.
    pub start: bool,
    /// How much it may send.
    pub limits: Limits,
    /// Whether inbound messages are marked as read.
    pub auto_read: bool,
    /// Whether the files of messages that come in are fetched at once.
    pub auto_download: bool,
    /// Whether "typing…" is shown before a text is sent.
    pub presence_typing: bool,
    /// The proxy that it connects through.
    pub proxy: Option<KeptProxy>,
    /// What the phone calls the device; empty = as the installation says.
    pub device_name: String,
    /// As which program the phone lists it; empty = as the installation says.
    pub platform: String,
}

/// A change to a session; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct SessionPatch {
    /// A name for people.
    pub label: Option<String>,
    /// Sends a minute.
    pub rate_per_min: Option<u32>,
    /// Sends an hour.
    pub rate_per_hour: Option<u32>,
    /// Whether inbound messages are marked as read.
    pub auto_read: Option<bool>,
    /// Whether the files of messages that come in are fetched at once.
    pub auto_download: Option<bool>,
    /// Whether "typing…" is shown before a text is sent.
    pub presence_typing: Option<bool>,
    /// The proxy that it connects through; `Some(None)` = none of its own.
    pub proxy: Option<Option<KeptProxy>>,
    /// What the phone calls the device; empty = as the installation says.
    pub device_name: Option<String>,
    /// As which program the phone lists it; empty = as the installation says.
    pub platform: Option<String>,
}

/// The fields of a record that say the proxy; empty ones say that there is none.
fn proxy_fields(proxy: Option<&KeptProxy>) -> [(&'static str, String); 2] {
    let (shown, sealed) = proxy.map_or_else(Default::default, |proxy| {
        (proxy.shown.clone(), proxy.sealed.clone())
    });
    [("proxy", shown), ("proxySealed", sealed)]
}

fn flag(value: bool) -> &'static str {
    if value { "1" } else { "0" }
}

impl Sessions {
    /// Creates a session.
    ///
    /// # Errors
    /// When Redis does not answer; the session may then exist, and if so it will run as wished.
    pub async fn create(
        &self,
        now: Millis,
        organization: &OrganizationId,
        new: &NewSession,
    ) -> Result<Session, RedisFailure> {
        let of = SessionRef {
            organization: organization.clone(),
            session: SessionId::generate(now),
        };
        let root = self.root(&of);
        let id = of.session.as_str();
        let (desired, status) = if new.start {
            ("running", SessionStatus::Starting)
        } else {
            ("stopped", SessionStatus::Stopped)
        };
        let [proxy, proxy_sealed] = proxy_fields(new.proxy.as_ref());
        let fields = [
            proxy,
            proxy_sealed,
            ("label", new.label.clone()),
            ("desired", desired.to_owned()),
            ("status", status.to_string()),
            ("worker", String::new()),
            ("epoch", "0".to_owned()),
            ("ratePerMin", new.limits.rate_per_min.to_string()),
            ("ratePerHour", new.limits.rate_per_hour.to_string()),
            ("autoRead", flag(new.auto_read).to_owned()),
            ("autoDownload", flag(new.auto_download).to_owned()),
            ("presenceTyping", flag(new.presence_typing).to_owned()),
            ("deviceName", new.device_name.clone()),
            ("platform", new.platform.clone()),
            ("createdAt", now.to_string()),
            ("updatedAt", now.to_string()),
        ];
        let mut connection = self.store.connection.clone();
        let global = self.store.keys.global();
        // First of all: the sweep over the directory finds whatever stops half-way from here on.
        let () = connection
            .hset(
                key(GLOBAL, &global, "directory", &[]),
                id,
                organization.as_str(),
            )
            .await?;
        let () = redis::pipe()
            .atomic()
            .hset_multiple(key(PARTITION, &root, "session", &[id]), &fields)
            .sadd(key(PARTITION, &root, "sessions", &[]), id)
            .query_async(&mut connection)
            .await?;
        if new.start {
            self.offer(&of).await?;
        }
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        SessionRecord::parse(&of, &fields)
            .map(|record| record.session)
            .ok_or_else(|| malformed("a new session"))
    }

    /// A session's whole record, also of one that is being deleted.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn record(&self, of: &SessionRef) -> Result<Option<SessionRecord>, RedisFailure> {
        let key = key(PARTITION, &self.root(of), "session", &[of.session.as_str()]);
        let fields: HashMap<String, String> = self.store.connection.clone().hgetall(key).await?;
        Ok(SessionRecord::parse(of, &fields))
    }

    /// A session, unless there is none or it is being deleted.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn get(&self, of: &SessionRef) -> Result<Option<Session>, RedisFailure> {
        let record = self.record(of).await?;
        Ok(record
            .filter(|record| record.desired != Desired::Deleted)
            .map(|record| record.session))
    }

    /// All sessions of an organization, oldest first.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn list(&self, organization: &OrganizationId) -> Result<Vec<Session>, RedisFailure> {
        let root = self.store.keys.partition(organization);
        let mut connection = self.store.connection.clone();
        let mut ids: Vec<String> = connection
            .smembers(key(PARTITION, &root, "sessions", &[]))
            .await?;
        ids.sort_unstable();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut reads = redis::pipe();
        for id in &ids {
            reads.hgetall(key(PARTITION, &root, "session", &[id]));
        }
        let records: Vec<HashMap<String, String>> = reads.query_async(&mut connection).await?;
        let sessions = ids.iter().zip(records).filter_map(|(id, fields)| {
            let of = SessionRef {
                organization: organization.clone(),
                session: id.parse().ok()?,
            };
            SessionRecord::parse(&of, &fields).map(|record| record.session)
        });
        Ok(sessions.collect())
    }

    /// The QR code that waits to be scanned, if one does.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn qr(&self, of: &SessionRef) -> Result<Option<QrCode>, RedisFailure> {
        let key = key(PARTITION, &self.root(of), "session", &[of.session.as_str()]);
        let (code, expires_at): (Option<String>, Option<Millis>) = self
            .store
            .connection
            .clone()
            .hmget(key, &["qr", "qrExpiresAt"])
            .await?;
        Ok(code
            .zip(expires_at)
            .map(|(code, expires_at)| QrCode { code, expires_at }))
    }

    /// Changes a session; `None` where there is no such session.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn update(
        &self,
        now: Millis,
        of: &SessionRef,
        patch: &SessionPatch,
    ) -> Result<Option<Session>, RedisFailure> {
        if self.get(of).await?.is_none() {
            return Ok(None);
        }
        let mut fields = vec![("updatedAt", now.to_string())];
        let mut set = |name, value: Option<String>| {
            fields.extend(value.map(|value| (name, value)));
        };
        set("label", patch.label.clone());
        set(
            "ratePerMin",
            patch.rate_per_min.map(|rate| rate.to_string()),
        );
        set(
            "ratePerHour",
            patch.rate_per_hour.map(|rate| rate.to_string()),
        );
        set("autoRead", patch.auto_read.map(|on| flag(on).to_owned()));
        set(
            "autoDownload",
            patch.auto_download.map(|on| flag(on).to_owned()),
        );
        set(
            "presenceTyping",
            patch.presence_typing.map(|on| flag(on).to_owned()),
        );
        set("deviceName", patch.device_name.clone());
        set("platform", patch.platform.clone());
        if let Some(proxy) = &patch.proxy {
            fields.extend(proxy_fields(proxy.as_ref()));
        }
        let key = key(PARTITION, &self.root(of), "session", &[of.session.as_str()]);
        let () = redis::pipe()
            .atomic()
            .hset_multiple(&key, &fields)
            .hincr(&key, "changes", 1)
            .query_async(&mut self.store.connection.clone())
            .await?;
        self.tell(of).await?;
        self.get(of).await
    }

    /// The passkey that WhatsApp waits for, if it asked for one.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn passkey(&self, of: &SessionRef) -> Result<Option<PasskeyRequest>, RedisFailure> {
        let key = key(PARTITION, &self.root(of), "session", &[of.session.as_str()]);
        let (options, expires_at, code): (Option<String>, Option<Millis>, Option<String>) =
            redis::cmd("HMGET")
                .arg(key)
                .arg(&["passkey", "passkeyExpiresAt", "passkeyCode"])
                .query_async(&mut self.store.connection.clone())
                .await?;
        Ok(options
            .zip(expires_at)
            .map(|(options, expires_at)| PasskeyRequest {
                options,
                expires_at,
                code: code.filter(|code| !code.is_empty()),
            }))
    }

    /// Sets whether contacts see the account as online, and tells its worker; false where there is no
    /// such session.
    ///
    /// # Errors
    /// When Redis does not answer; setting it again is harmless.
    pub async fn set_presence(
        &self,
        now: Millis,
        of: &SessionRef,
        online: bool,
    ) -> Result<bool, RedisFailure> {
        self.set_flag(now, of, "online", online).await
    }

    /// Lets another number take the place of the one that the session is bound to, once; false where
    /// there is no such session.
    ///
    /// # Errors
    /// When Redis does not answer; setting it again is harmless.
    pub async fn allow_rebind(&self, now: Millis, of: &SessionRef) -> Result<bool, RedisFailure> {
        self.set_flag(now, of, "rebind", true).await
    }

    async fn set_flag(
        &self,
        now: Millis,
        of: &SessionRef,
        name: &'static str,
        on: bool,
    ) -> Result<bool, RedisFailure> {
        if self.get(of).await?.is_none() {
            return Ok(false);
        }
        let fields = [(name, flag(on).to_owned()), ("updatedAt", now.to_string())];
        let key = key(PARTITION, &self.root(of), "session", &[of.session.as_str()]);
        let mut connection = self.store.connection.clone();
        let () = connection.hset_multiple(key, &fields).await?;
        self.tell(of).await?;
        Ok(true)
    }

    /// Records what a user wants and tells the workers; false where there is no such session.
    ///
    /// # Errors
    /// When Redis does not answer; wishing again is harmless.
    pub async fn desired_change(
        &self,
        now: Millis,
        of: &SessionRef,
        desired_change: DesiredChange,
    ) -> Result<bool, RedisFailure> {
        let root = self.root(of);
        let mut call = self.scripts.desired_change.on(&root);
        call.arg(now)
            .arg(of.session.as_str())
            .arg(desired_change.as_str());
        let reply: Vec<String> = self.run(&call).await?;
        if reply.first().map(String::as_str) != Some("wished") {
            return Ok(false);
        }
        match desired_change {
            // A logout and a deletion need a worker as well, to say good-bye to WhatsApp.
            DesiredChange::Start
            | DesiredChange::Restart
            | DesiredChange::Logout
            | DesiredChange::Delete => self.offer(of).await?,
            DesiredChange::Stop => {
                let global = self.store.keys.global();
                let () = redis::pipe()
                    .srem(key(GLOBAL, &global, "running", &[]), member(of))
                    .srem(key(GLOBAL, &global, "free", &[]), member(of))
                    .query_async(&mut self.store.connection.clone())
                    .await?;
                self.tell(of).await?;
            }
        }
        Ok(true)
    }

    /// Puts a session before the workers. Harmless where one owns it already.
    async fn offer(&self, of: &SessionRef) -> Result<(), RedisFailure> {
        let global = self.store.keys.global();
        let () = redis::pipe()
            .sadd(key(GLOBAL, &global, "running", &[]), member(of))
            .sadd(key(GLOBAL, &global, "free", &[]), member(of))
            .query_async(&mut self.store.connection.clone())
            .await?;
        self.tell(of).await
    }

    /// Puts a session before the workers again, because no living worker owns it.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn renew_offer(&self, of: &SessionRef) -> Result<(), RedisFailure> {
        self.offer(of).await
    }

    /// Tells the workers and the caches that a session changed.
    pub(super) async fn tell(&self, of: &SessionRef) -> Result<(), RedisFailure> {
        let channel = self.store.keys.control_channel();
        let () = self
            .store
            .connection
            .clone()
            .publish(channel, member(of))
            .await?;
        Ok(())
    }
}

fn malformed(what: &'static str) -> RedisFailure {
    RedisFailure(redis::RedisError::from((
        redis::ErrorKind::UnexpectedReturnType,
        what,
    )))
}
