//! A session: one attached WhatsApp number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{OrganizationId, SessionId, WorkerId};
use crate::clock::Millis;

/// Sends a minute of a session that does not say otherwise.
pub const DEFAULT_RATE_PER_MIN: u32 = 20;
/// Sends an hour of a session that does not say otherwise.
pub const DEFAULT_RATE_PER_HOUR: u32 = 200;

/// Where a session stands, as the contract names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// Waits for a worker, connects, or reconnects.
    Starting,
    /// Waits for a phone to scan its QR code or to enter a pairing code.
    ScanQrCode,
    /// The phone scanned, and WhatsApp asks for a passkey of the account.
    PasskeyRequired,
    /// Connected and logged in.
    Working,
    /// Can not go on by itself; `lastError` says why.
    Failed,
    /// Was told to stop.
    Stopped,
    /// The phone (or a call to `:logout`) took the device away; it must be paired again.
    LoggedOut,
    /// It is gone, with its keys and what waited. Told once, by its last event.
    Deleted,
}

impl SessionStatus {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Starting,
        Self::ScanQrCode,
        Self::PasskeyRequired,
        Self::Working,
        Self::Failed,
        Self::Stopped,
        Self::LoggedOut,
        Self::Deleted,
    ];

    /// The name on the wire and in Redis.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::ScanQrCode => "scan_qr_code",
            Self::PasskeyRequired => "passkey_required",
            Self::Working => "working",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::LoggedOut => "logged_out",
            Self::Deleted => "deleted",
        }
    }
}

/// A text that names no session status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no session status")]
pub struct UnknownSessionStatus;

impl FromStr for SessionStatus {
    type Err = UnknownSessionStatus;

    fn from_str(text: &str) -> Result<Self, UnknownSessionStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownSessionStatus)
    }
}

impl fmt::Display for SessionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Sends a session may make; 0 = unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Sends a minute.
    pub rate_per_min: u32,
    /// Sends an hour.
    pub rate_per_hour: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate_per_min: DEFAULT_RATE_PER_MIN,
            rate_per_hour: DEFAULT_RATE_PER_HOUR,
        }
    }
}

/// What WhatsApp holds against an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restriction {
    /// `reach_out_timelock`: people never written to can not be written to; `new_chat_cap`: too many
    /// of them were; `temporary_ban`: nobody can be written to.
    pub kind: String,
    /// When it ends, where WhatsApp says so.
    pub until: Option<Millis>,
    /// WhatsApp's own name or code for it.
    pub code: String,
}

/// A session as the contract shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// A name for people.
    pub label: String,
    /// Where it stands.
    pub status: SessionStatus,
    /// Its address by number, once paired.
    pub wa_jid: Option<String>,
    /// Its address by LID, once paired.
    pub wa_lid: Option<String>,
    /// How much it may send.
    #[serde(flatten)]
    pub limits: Limits,
    /// Whether inbound messages are marked as read.
    pub auto_read: bool,
    /// Whether the files of messages that come in are fetched at once.
    #[serde(default)]
    pub auto_download: bool,
    /// Whether "typing…" is shown before a text is sent.
    pub presence_typing: bool,
    /// Whether contacts see the account as online.
    pub online: bool,
    /// The proxy that it connects through, without its credentials; null = as the installation does.
    pub proxy: Option<String>,
    /// What the phone calls the device in its list, told when it is linked; null = as the installation
    /// says.
    pub device_name: Option<String>,
    /// As which program the phone lists the device (`chrome`, `desktop`, …); null = as the installation
    /// says.
    pub platform: Option<String>,
    /// Whether an operator paused its lane: sends are accepted and wait.
    pub paused: bool,
    /// The worker that owns it.
    pub worker: Option<WorkerId>,
    /// Why it failed, or why it last lost its connection.
    pub last_error: Option<String>,
    /// The version of WhatsApp Web that it announced when it last connected.
    pub client_version: Option<String>,
    /// When WhatsApp last acknowledged a message of it, to the minute.
    pub last_ack_at: Option<Millis>,
    /// When WhatsApp was last heard, to the minute: it answers pings every half a minute.
    pub last_pong_at: Option<Millis>,
    /// What WhatsApp holds against the account.
    pub restrictions: Vec<Restriction>,
    /// When it was created.
    pub created_at: Millis,
    /// When any of this last changed.
    pub updated_at: Millis,
}
