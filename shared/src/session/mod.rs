//! Session records: what a session is, what is wanted of it, and who owns it.
//!
//! ```text
//!            wish: start                    phone scans
//!  stopped ──────────────▶ starting ──▶ scan_qr_code ──▶ starting ──▶ working
//!     ▲                        ▲  └─────────(paired)────────────────────▲ │
//!     │ wish: stop             └──────────── connection lost ─────────────┘
//!     └── any          logged_out ◀── the phone unlinks the device, or wish: logout
//! ```
//!
//! Users express wishes ([`DesiredChange`]), of which the last one holds; the owner sees to them and reports what it observes
//! ([`Report`]) under its epoch.

mod chat_timer;
mod directory;
mod ending;
mod link_token;
mod moving_in;
mod ownership;
mod record;

use std::sync::Arc;

use crate::identity::NAMES;
use crate::lane::{Retention, SessionRef};
use crate::messages::INDEX;
use crate::redis::{LuaScript, RedisFailure, Store, script, settings};

pub use chat_timer::ChatTimer;
pub use directory::{KeptProxy, NewSession, SessionPatch};
pub use link_token::{LinkToken, LinkTokens};
pub use moving_in::{MovedIn, MovedSession};
pub(crate) use ownership::INBOUND_MEMORY_MS;
pub use ownership::{Acquired, ChannelPlace, InboundEvent, Report, ReportedEvent, Vote};
pub use record::{Desired, PasskeyRequest, QrCode, SessionRecord};

/// What a user wants of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DesiredChange {
    /// That it runs.
    Start,
    /// That it stops; it stays paired.
    Stop,
    /// That it connects anew.
    Restart,
    /// That WhatsApp forgets the device; it stops and must be paired again.
    Logout,
    /// That it and all that belongs to it is gone.
    Delete,
}

impl DesiredChange {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Logout => "logout",
            Self::Delete => "delete",
        }
    }
}

/// The session records of an installation.
#[derive(Debug, Clone)]
pub struct Sessions {
    store: Store,
    scripts: Arc<Scripts>,
}

#[derive(Debug)]
struct Scripts {
    acquire: LuaScript,
    report: LuaScript,
    release: LuaScript,
    desired_change: LuaScript,
    remove: LuaScript,
    begin_logout: LuaScript,
    finish_logout: LuaScript,
    fail: LuaScript,
    inbound: LuaScript,
    move_in: LuaScript,
    forget_moved_in: LuaScript,
}

impl Sessions {
    /// The sessions behind `store`.
    #[must_use]
    pub fn new(store: Store, retention: &Retention) -> Self {
        let settings = settings(&store, retention);
        let make = |source: &str| {
            LuaScript::partition(&[&settings, include_str!("lua/status.lua"), source])
        };
        let indexed = |source| make(&[NAMES, INDEX, source].join("\n"));
        let scripts = Scripts {
            acquire: make(include_str!("lua/acquire.lua")),
            report: make(include_str!("lua/report.lua")),
            release: make(include_str!("lua/release.lua")),
            desired_change: make(include_str!("lua/desired_change.lua")),
            begin_logout: make(include_str!("lua/begin_logout.lua")),
            finish_logout: make(include_str!("lua/finish_logout.lua")),
            fail: make(include_str!("lua/fail.lua")),
            remove: indexed(include_str!("lua/remove.lua")),
            inbound: indexed(include_str!("lua/inbound.lua")),
            move_in: make(include_str!("lua/move_in.lua")),
            forget_moved_in: LuaScript::global(&[include_str!("lua/forget_moved_in.lua")]),
        };
        Self {
            store,
            scripts: Arc::new(scripts),
        }
    }

    fn root(&self, of: &SessionRef) -> String {
        self.store.keys.partition(&of.organization)
    }

    async fn run<T: redis::FromRedisValue>(
        &self,
        call: &redis::ScriptInvocation<'_>,
    ) -> Result<T, RedisFailure> {
        // An epoch, a status or an inbound message that was told must not be taken back by a
        // failover; they are few beside the sends.
        Ok(script::run_durably(&self.store.connection, call).await?)
    }
}

/// How sessions are named in the installation's own sets: `org_…/sess_…`.
#[must_use]
pub fn member(of: &SessionRef) -> String {
    format!("{}/{}", of.organization, of.session)
}

/// The session that a member of those sets names, if it names one.
#[must_use]
pub fn parse_member(text: &str) -> Option<SessionRef> {
    let (organization, session) = text.split_once('/')?;
    Some(SessionRef {
        organization: organization.parse().ok()?,
        session: session.parse().ok()?,
    })
}
