//! Owning a session: what only its owner may do, under its epoch.

use std::collections::HashMap;

use redis::{AsyncCommands, Value};
use serde::Serialize;

use super::{ChatTimer, Sessions, member};
use crate::clock::Millis;
use crate::domain::{Amendment, KnownMessage, SessionStatus, WorkerId};
use crate::lane::{Epoch, LaneError, SessionRef, Stale};
use crate::redis::keys::{GLOBAL, PARTITION, key};
use crate::redis::{RedisFailure, unexpected};

/// How long a told inbound message is remembered, so that it is not told again.
pub(crate) const INBOUND_MEMORY_MS: u64 = 7 * 24 * 3_600_000;

/// What became of the wish to own a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// It is the caller's, under this epoch.
    Owned(Epoch),
    /// Somebody else owns it.
    Held(String),
    /// It should not run.
    Unwanted,
    /// There is no such session.
    Gone,
}

/// What the owner observed of its session.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Its status now, and why, if it changed.
    pub status: Option<(SessionStatus, String)>,
    /// Fields of the record that changed (`waJid`, `waLid`, `qr`, `qrExpiresAt`, `logout`, …).
    pub fields: Vec<(&'static str, String)>,
    /// An event to tell besides `session.status`.
    pub event: Option<ReportedEvent>,
}

/// An event of a session's own: `auth.qr`, `auth.code` and the like.
#[derive(Debug, Clone)]
pub struct ReportedEvent {
    /// Its kind.
    pub kind: &'static str,
    /// Its payload, JSON.
    pub payload: String,
}

/// A vote in a poll, decrypted, for the poll's running totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vote {
    /// The message id of the poll.
    #[serde(rename = "p")]
    pub poll: String,
    /// Who votes, by the name that stays the same: each has one vote.
    #[serde(rename = "k")]
    pub voter: String,
    /// Who votes, as it is shown.
    #[serde(rename = "v")]
    pub name: String,
    /// When; an earlier vote does not replace a later one.
    #[serde(rename = "t")]
    pub at: Millis,
    /// The texts of the options chosen.
    #[serde(rename = "o")]
    pub chosen: Vec<String>,
    /// The texts of all options of the poll.
    #[serde(rename = "a")]
    pub options: Vec<String>,
}

/// How far the posts of a channel were told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelPlace {
    /// The JID of the channel.
    pub channel: String,
    /// The number of a post in it.
    pub server_id: u64,
}

/// An inbound message to be told once.
#[derive(Debug, Clone, Default)]
pub struct InboundEvent {
    /// What makes it the same message: chat, sender and id, joined by `|`.
    pub identity: String,
    /// The kind of event.
    pub kind: &'static str,
    /// Its payload, JSON.
    pub payload: String,
    /// Its WhatsApp id.
    pub id: String,
    /// What is remembered of it; nothing where it is about another message.
    pub known: Option<KnownMessage>,
    /// What it changes about another message.
    pub amends: Option<Amendment>,
    /// The vote, if it is one that was decrypted: its payload is completed with the poll's totals.
    pub vote: Option<Vote>,
    /// Where in its channel it is, if it is a post.
    pub channel: Option<ChannelPlace>,
    /// What it says of when the chat's messages disappear, if that is news.
    pub timer: Option<ChatTimer>,
}

/// What a request for a message is remembered by, beside the message itself.
fn asked_for(identity: &str) -> String {
    format!("asked|{identity}")
}

impl Sessions {
    /// Tries to own a session whose former owner (`gone`, if it had one) is known to be gone.
    ///
    /// # Errors
    /// When Redis does not answer. The session may then be the caller's by name; it is free again
    /// once the caller is buried.
    pub async fn acquire(
        &self,
        now: Millis,
        of: &SessionRef,
        worker: &WorkerId,
        gone: Option<&WorkerId>,
    ) -> Result<Acquired, RedisFailure> {
        let global = self.store.keys.global();
        let owned = key(GLOBAL, &global, "owned", &[worker.as_str()]);
        // First of all: whoever buries this worker frees what stands here, so a session can not be
        // its by name and nobody's to free, however early it dies.
        let () = self
            .store
            .connection
            .clone()
            .sadd(&owned, member(of))
            .await?;
        let root = self.root(of);
        let mut call = self.scripts.acquire.on(&root);
        call.arg(now).arg(of.session.as_str()).arg(worker.as_str());
        call.arg(gone.map_or("", |gone| gone.as_str()));
        let reply: Vec<Value> = self.run(&call).await?;
        let name: String = text(&reply, 0)?;
        Ok(match name.as_str() {
            "acquired" => {
                let epoch = Epoch(text(&reply, 1)?.parse().unwrap_or(0));
                self.withdraw(of, false).await?;
                Acquired::Owned(epoch)
            }
            "held" => {
                self.disown(&owned, of).await?;
                self.withdraw(of, false).await?;
                Acquired::Held(text(&reply, 1)?)
            }
            "unwanted" | "gone" => {
                self.disown(&owned, of).await?;
                self.withdraw(of, true).await?;
                if name == "gone" {
                    Acquired::Gone
                } else {
                    Acquired::Unwanted
                }
            }
            _ => return Err(unexpected("acquire.lua")),
        })
    }

    /// Takes a session from those that a worker owns.
    async fn disown(&self, owned: &str, of: &SessionRef) -> Result<(), RedisFailure> {
        let mut connection = self.store.connection.clone();
        let () = connection.srem(owned, member(of)).await?;
        Ok(())
    }

    /// Takes back the hint that a session is free: its owner lives.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn withdraw_offer(&self, of: &SessionRef) -> Result<(), RedisFailure> {
        self.withdraw(of, false).await
    }

    /// Takes a session from the workers' sets: from the free ones, or altogether.
    async fn withdraw(&self, of: &SessionRef, altogether: bool) -> Result<(), RedisFailure> {
        let global = self.store.keys.global();
        let mut commands = redis::pipe();
        commands.srem(key(GLOBAL, &global, "free", &[]), member(of));
        if altogether {
            commands.srem(key(GLOBAL, &global, "running", &[]), member(of));
        }
        let () = commands
            .query_async(&mut self.store.connection.clone())
            .await?;
        // Since the look that led here its owner may have let go of it, or somebody may have wished
        // it to run: that offer was taken back with the wrong one.
        match self.record(of).await? {
            Some(record) if record.is_nobodys() => self.renew_offer(of).await,
            _ => Ok(()),
        }
    }

    /// Gives a session up. Where it should go on running, another worker may take it at once.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when it has a new owner already.
    pub async fn release(
        &self,
        of: &SessionRef,
        worker: &WorkerId,
        epoch: Epoch,
    ) -> Result<(), LaneError> {
        let root = self.root(of);
        let mut call = self.scripts.release.on(&root);
        call.arg(of.session.as_str()).arg(epoch.0);
        let reply: Vec<String> = self.run(&call).await?;
        let global = self.store.keys.global();
        let mut commands = redis::pipe();
        commands.srem(
            key(GLOBAL, &global, "owned", &[worker.as_str()]),
            member(of),
        );
        let stale = reply.first().map(String::as_str) == Some("stale");
        if !stale {
            if reply.get(1).map(String::as_str) == Some("stopped") {
                commands.srem(key(GLOBAL, &global, "running", &[]), member(of));
            } else {
                commands.sadd(key(GLOBAL, &global, "free", &[]), member(of));
                commands.publish(self.store.keys.control_channel(), member(of));
            }
        }
        let () = commands
            .query_async(&mut self.store.connection.clone())
            .await
            .map_err(RedisFailure)?;
        if stale { Err(Stale.into()) } else { Ok(()) }
    }

    /// Writes down what the owner observed, and tells it, in one step.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner: nothing was changed.
    pub async fn report(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        report: &Report,
    ) -> Result<(), LaneError> {
        let (of, epoch) = owner;
        let root = self.root(of);
        let mut call = self.scripts.report.on(&root);
        let (status, reason) = report.status.as_ref().map_or(("", ""), |(status, reason)| {
            (status.as_str(), reason.as_str())
        });
        let (kind, payload) = report
            .event
            .as_ref()
            .map_or(("", ""), |event| (event.kind, event.payload.as_str()));
        call.arg(now)
            .arg(of.session.as_str())
            .arg(epoch.0)
            .arg(status)
            .arg(reason);
        call.arg(kind).arg(payload);
        for (name, value) in &report.fields {
            call.arg(*name).arg(value);
        }
        fenced(&self.run::<Vec<String>>(&call).await?)
    }

    /// Tells inbound messages, each at most once; returns how many were new.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner: nothing was told.
    pub async fn emit_inbound(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        messages: &[InboundEvent],
    ) -> Result<u64, LaneError> {
        let (of, epoch) = owner;
        let root = self.root(of);
        let mut call = self.scripts.inbound.on(&root);
        call.arg(now)
            .arg(of.session.as_str())
            .arg(epoch.0)
            .arg(INBOUND_MEMORY_MS);
        for message in messages {
            call.arg(&message.identity)
                .arg(message.kind)
                .arg(&message.payload)
                .arg(&message.id);
            let known = message.known.as_ref().map(serde_json::to_string);
            let amends = message.amends.as_ref().map(serde_json::to_string);
            // A struct of texts and numbers always has a JSON form.
            let vote = message.vote.as_ref().map(serde_json::to_string);
            call.arg(known.and_then(Result::ok).unwrap_or_default())
                .arg(amends.and_then(Result::ok).unwrap_or_default())
                .arg(vote.and_then(Result::ok).unwrap_or_default());
            match &message.channel {
                Some(place) => call.arg(&place.channel).arg(place.server_id),
                None => call.arg("").arg(0),
            };
            let timer = message.timer.as_ref().map(serde_json::to_string);
            call.arg(timer.and_then(Result::ok).unwrap_or_default());
        }
        let reply: Vec<Value> = self.run(&call).await?;
        match reply.as_slice() {
            [_, emitted] => {
                Ok(redis::from_redis_value_ref(emitted).map_err(redis::RedisError::from)?)
            }
            _ => Err(Stale.into()),
        }
    }

    /// Whether an inbound message of this identity was told, or its sender asked for it again,
    /// within the time that such are remembered.
    ///
    /// # Errors
    /// When Redis did not answer.
    pub async fn is_settled(&self, of: &SessionRef, identity: &str) -> Result<bool, RedisFailure> {
        let key = key(PARTITION, &self.root(of), "inbound", &[of.session.as_str()]);
        let mut connection = self.store.connection.clone();
        let (emitted, asked): (Option<f64>, Option<f64>) = redis::pipe()
            .zscore(&key, identity)
            .zscore(&key, asked_for(identity))
            .query_async(&mut connection)
            .await?;
        Ok(emitted.or(asked).is_some())
    }

    /// Remembers that the sender of an inbound message of this identity was asked for it again.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner: nothing is remembered.
    pub async fn remember_asked(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        identity: &str,
    ) -> Result<(), LaneError> {
        let asked = InboundEvent {
            identity: asked_for(identity),
            ..InboundEvent::default()
        };
        self.emit_inbound(now, owner, &[asked]).await.map(drop)
    }

    /// How far the posts of each channel were told: channel JID and number of the newest.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn channels(&self, of: &SessionRef) -> Result<HashMap<String, u64>, RedisFailure> {
        let key = key(
            PARTITION,
            &self.root(of),
            "channels",
            &[of.session.as_str()],
        );
        Ok(self.store.connection.clone().hgetall(key).await?)
    }

    /// Remembers that the posts of a channel are told from after this one on.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner: nothing is remembered.
    pub async fn follow_channel(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        place: ChannelPlace,
    ) -> Result<(), LaneError> {
        let from = InboundEvent {
            identity: format!("{}|from", place.channel),
            channel: Some(place),
            ..InboundEvent::default()
        };
        self.emit_inbound(now, owner, &[from]).await.map(drop)
    }

    /// Removes the record of a deleted session and tells that it is gone. Its outbox stays readable
    /// for its retention.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner.
    pub async fn remove(
        &self,
        now: Millis,
        of: &SessionRef,
        worker: &WorkerId,
        epoch: Epoch,
    ) -> Result<(), LaneError> {
        let root = self.root(of);
        let mut call = self.scripts.remove.on(&root);
        call.arg(of.session.as_str()).arg(epoch.0).arg(now);
        fenced(&self.run::<Vec<String>>(&call).await?)?;
        Ok(self.strike_off(of, Some(worker)).await?)
    }
}

pub(super) fn fenced(reply: &[String]) -> Result<(), LaneError> {
    match reply.first().map(String::as_str) {
        Some("stale") | None => Err(Stale.into()),
        Some(_) => Ok(()),
    }
}

fn text(reply: &[Value], index: usize) -> Result<String, RedisFailure> {
    let value = reply.get(index).ok_or_else(|| unexpected("acquire.lua"))?;
    Ok(redis::from_redis_value_ref(value).map_err(redis::RedisError::from)?)
}
