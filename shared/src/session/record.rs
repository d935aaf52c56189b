//! A session's record as it is kept.

use std::collections::HashMap;

use crate::clock::Millis;
use crate::domain::{Limits, Session, SessionStatus};
use crate::lane::{Epoch, SessionRef};

/// What is wanted of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Desired {
    /// That a worker runs it.
    Running,
    /// That nobody does.
    Stopped,
    /// That it is removed; it is no longer shown.
    Deleted,
}

impl Desired {
    pub(super) fn parse(text: &str) -> Self {
        match text {
            "running" => Self::Running,
            "deleted" => Self::Deleted,
            _ => Self::Stopped,
        }
    }
}

/// A session's record: what the contract shows, and what its owner needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// What the contract shows.
    pub session: Session,
    /// What is wanted of it.
    pub desired: Desired,
    /// How often a restart was wished for.
    pub restarts: u64,
    /// Whether a logout was wished for and has not happened yet.
    pub logout: bool,
    /// Why its device is unlinked, while its lane and its keys are being given up.
    pub ending: Option<String>,
    /// How often something else was desired of it.
    pub desired_changes: u64,
    /// How often it was changed from outside: what is desired, limits and the like.
    pub changes: u64,
    /// How many of those changes its owner has seen.
    pub changes_seen: u64,
    /// The present fencing token.
    pub epoch: Epoch,
    /// The number (digits) that it is bound to since a phone first took it in; it stays when the
    /// session is logged out.
    pub account: Option<String>,
    /// The proxy with its credentials, sealed; see [`Proxy::open`](crate::proxy::Proxy::open).
    pub proxy: Option<String>,
    /// What its owner knows of how often in a row its connections ended, and for what; its own words.
    pub rests: Option<String>,
    /// Whether another number may take that place, once.
    pub rebind: bool,
}

/// A QR code that waits to be scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QrCode {
    /// What the QR code says.
    pub code: String,
    /// When it is replaced by another.
    pub expires_at: Millis,
}

/// A passkey that WhatsApp waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyRequest {
    /// WebAuthn request options, JSON.
    pub options: String,
    /// Until when it is waited for.
    pub expires_at: Millis,
    /// The code that the phone shows, once an assertion was taken.
    pub code: Option<String>,
}

impl SessionRecord {
    /// Whether a worker has something to do for it: to run it, or to finish its end.
    #[must_use]
    pub fn needs_worker(&self) -> bool {
        self.desired != Desired::Stopped || self.logout || self.ending.is_some()
    }

    /// Whether a worker should have it and none does.
    #[must_use]
    pub fn is_nobodys(&self) -> bool {
        self.needs_worker() && self.session.worker.is_none()
    }

    pub(super) fn parse(of: &SessionRef, fields: &HashMap<String, String>) -> Option<Self> {
        let text = |name: &str| fields.get(name).filter(|value| !value.is_empty()).cloned();
        let number = |name: &str| fields.get(name).and_then(|value| value.parse::<u64>().ok());
        let rate = |name: &str, default: u32| {
            fields
                .get(name)
                .and_then(|value| value.parse().ok())
                .unwrap_or(default)
        };
        let time = |name: &str| text(name).and_then(|text| text.parse::<Millis>().ok());
        let default = Limits::default();
        let session = Session {
            id: of.session.clone(),
            organization_id: of.organization.clone(),
            label: text("label").unwrap_or_default(),
            status: fields.get("status")?.parse::<SessionStatus>().ok()?,
            wa_jid: text("waJid"),
            wa_lid: text("waLid"),
            limits: Limits {
                rate_per_min: rate("ratePerMin", default.rate_per_min),
                rate_per_hour: rate("ratePerHour", default.rate_per_hour),
            },
            auto_read: text("autoRead").as_deref() == Some("1"),
            auto_download: text("autoDownload").as_deref() == Some("1"),
            presence_typing: text("presenceTyping").as_deref() == Some("1"),
            online: text("online").as_deref() == Some("1"),
            proxy: text("proxy"),
            device_name: text("deviceName"),
            platform: text("platform"),
            paused: text("paused").as_deref() == Some("1"),
            worker: text("worker").and_then(|id| id.parse().ok()),
            last_error: text("lastError"),
            client_version: text("clientVersion"),
            last_ack_at: time("lastAckAt"),
            last_pong_at: time("lastPongAt"),
            restrictions: text("restrictions")
                .and_then(|json| serde_json::from_str(&json).ok())
                .unwrap_or_default(),
            created_at: fields.get("createdAt")?.parse().ok()?,
            updated_at: fields.get("updatedAt")?.parse().ok()?,
        };
        Some(Self {
            session,
            desired: Desired::parse(fields.get("desired")?),
            restarts: number("restarts").unwrap_or(0),
            logout: text("logout").as_deref() == Some("1"),
            ending: text("ending"),
            desired_changes: number("desiredChanges").unwrap_or(0),
            changes: number("changes").unwrap_or(0),
            changes_seen: number("changesSeen").unwrap_or(0),
            epoch: Epoch(number("epoch").unwrap_or(0)),
            account: text("account"),
            proxy: text("proxySealed"),
            rests: text("rests"),
            rebind: text("rebind").as_deref() == Some("1"),
        })
    }
}
