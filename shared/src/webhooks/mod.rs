//! Webhooks: an organization's events, posted to URLs that it names.
//!
//! **A webhook is a durable cursor over the organization's event stream.** Events are written once,
//! in the step whose change they tell of, whether anybody listens or not; nothing is copied into a
//! queue. So a webhook costs an event nothing until it is delivered, an endpoint that is down for a
//! day costs one field that does not move, and no event can be lost between its step and a queue.
//!
//! ```text
//!  stream   … e4 e5 e6 e7 e8 e9 …            every event up to the cursor is settled:
//!                ▲ cursor     ▲ read          delivered │ held │ dead letter │ not wanted
//!  in flight     e5(A) e6(B) e9(C)            one of a chat at a time
//!  held          A: e2 e7      due 12:00:30   refused; its chat waits behind it, others go on
//! ```
//!
//! - *Order*: one delivery of a chat is in flight at a time, and what is refused is tried again
//!   before anything behind it.
//! - *At least once*: a delivery is settled after its answer. A worker that dies in between
//!   delivers it again, under the same `webhook-id`; what was settled beyond the cursor is known by
//!   its record and not repeated.
//! - *One owner*: a worker owns a webhook under an epoch that only grows, and every write carries it
//!   (as with sessions). Whose it is follows from the live workers ([`ownership`]).
//! - *Retention* may outrun the cursor of an endpoint that is down for too long. The webhook is then
//!   told of the gap by a `stream.gap` event, as every other listener is.
//!
//! Every step is one Lua script over the organization's partition; their heads in `lua/` list
//! arguments and replies.

mod config;
mod deliveries;
mod directory;
mod format;
mod ownership;
mod post;
mod record;
mod secret;
mod sign;

use std::sync::Arc;

use crate::domain::{OrganizationId, WebhookId};
use crate::lane::Retention;
use crate::redis::keys::{PARTITION, key};
use crate::redis::{LuaScript, RedisFailure, Store, settings};
use crate::secrets::{Keyring, OpenError, SealError};

pub use config::WebhookConfig;
pub(crate) use config::problems;
pub use deliveries::{AttemptRecord, Delivery, DeliveryIds, DeliveryStatus, Replayed};
pub use directory::{CreateWebhook, Created, Resume, Updated};
pub use format::{Body, chat_of, render};
pub use ownership::{Acquired, Kept, OwnedWebhook, Progress, StaleWebhook, Step, webhook_member};
pub use post::{Answer, Post, post};
pub use record::{
    CustomHeaders, EventFilter, Format, Health, HealthState, MAX_HEADERS, RetryKind, RetryPolicy,
    Webhook, reserved_header,
};
pub use secret::{Secrets, WebhookSecret};
pub use sign::{SignedHeaders, sign};

/// The kind of what `:test` posts. It is in no stream.
pub const TEST_KIND: &str = "webhook.test";

/// One webhook of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebhookRef {
    /// Whose it is.
    pub organization: OrganizationId,
    /// Which.
    pub webhook: WebhookId,
}

/// Why a step of webhooks did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Redis did not do it.
    #[error(transparent)]
    Redis(#[from] RedisFailure),
    /// Its secrets can not be opened.
    #[error("the secrets of a webhook can not be opened: {0}")]
    Sealed(#[from] OpenError),
    /// Its secrets can not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The webhooks behind a Redis.
#[derive(Debug, Clone)]
pub struct Webhooks {
    store: Store,
    keyring: Keyring,
    scripts: Arc<Scripts>,
}

#[derive(Debug)]
struct Scripts {
    create: LuaScript,
    update: LuaScript,
    delete: LuaScript,
    resume: LuaScript,
    acquire: LuaScript,
    release: LuaScript,
    settle: LuaScript,
    wait: LuaScript,
    replay: LuaScript,
}

impl Webhooks {
    /// The webhooks behind `store`, whose secrets `keyring` seals.
    #[must_use]
    pub fn new(store: Store, keyring: Keyring, retention: &Retention) -> Self {
        let settings = settings(&store, retention);
        let make = |source: &str| {
            LuaScript::partition(&[
                &settings,
                include_str!("../session/lua/status.lua"),
                include_str!("lua/webhook.lua"),
                source,
            ])
        };
        let scripts = Scripts {
            create: make(include_str!("lua/create.lua")),
            update: make(include_str!("lua/update.lua")),
            delete: make(include_str!("lua/delete.lua")),
            resume: make(include_str!("lua/resume.lua")),
            acquire: make(include_str!("lua/acquire.lua")),
            release: make(include_str!("lua/release.lua")),
            settle: make(include_str!("lua/settle.lua")),
            wait: make(include_str!("lua/wait.lua")),
            replay: make(include_str!("lua/replay.lua")),
        };
        Self {
            store,
            keyring,
            scripts: Arc::new(scripts),
        }
    }

    fn root(&self, organization: &OrganizationId) -> String {
        self.store.keys.partition(organization)
    }

    fn key(&self, organization: &OrganizationId, name: &str, args: &[&str]) -> String {
        key(PARTITION, &self.root(organization), name, args)
    }
}
