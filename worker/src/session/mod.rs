//! Running a session: what its owner does from acquiring it until it is released.
//!
//! One task a session ([`actor`]) ties three parts together: the *link* to WhatsApp, the *lane* in
//! the engine, and the *record* in Redis. The lane is open while the link is connected and held
//! otherwise; what the link observes is reported under the owner's epoch.

mod account;
mod actor;
mod ahead;
mod binding;
mod commands;
mod dispatch;
mod downloads;
mod facts;
mod groups;
mod identities;
mod inbound;
mod media;
mod observe;
mod passkey;
mod presence;
mod recall;
mod rest;
mod resting;
mod restrictions;
mod rests;
mod route;
mod teardown;
mod timers;
mod undecryptable;
mod upload;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use gateway_shared::clock::{Clock, SystemClock};
use gateway_shared::config::WorkerConfig;
use gateway_shared::domain::WorkerId;
use gateway_shared::egress::EgressConfig;
use gateway_shared::lane::{Epoch, Lanes, SessionRef};
use gateway_shared::messages::Messages;
use gateway_shared::redis::Store;
use gateway_shared::secrets::Keyring;
use gateway_shared::session::Sessions;
use tokio::sync::{Semaphore, mpsc};

pub(crate) use ahead::Ahead;
pub(crate) use downloads::{Downloads, FileMessage};
pub(crate) use presence::LONGEST_TYPING;
pub(crate) use upload::Uploads;
pub use versions::Versions;

use crate::engine::Engine;
use crate::link::{LinkConfig, Network, SendPolicy};
use crate::pool::{Liveness, Order};

/// A session that this worker owns.
#[derive(Debug, Clone)]
pub struct Owner {
    /// Which session.
    pub of: SessionRef,
    /// Under which fencing token.
    pub epoch: Epoch,
    /// As which worker.
    pub worker: WorkerId,
    /// Whether that worker may act.
    pub liveness: Liveness,
}

impl Owner {
    fn fence(&self) -> (&SessionRef, Epoch) {
        (&self.of, self.epoch)
    }
}

/// How a session's task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was released: stopped, handed over, logged out or deleted.
    Released,
    /// It has a new owner, or this worker may not act any more; nothing was written.
    Lost,
}

/// What every session of this worker shares.
#[derive(Debug)]
pub struct Runtime {
    /// The configuration.
    pub config: WorkerConfig,
    /// Redis.
    pub store: Store,
    /// What seals the sessions' keys.
    pub keyring: Keyring,
    /// The session records.
    pub sessions: Sessions,
    /// The message indexes.
    pub messages: Messages,
    /// The files of sends.
    pub(crate) uploads: Uploads,
    /// Sessions whose scheduled files are uploaded ahead.
    pub(crate) ahead: Arc<Ahead>,
    /// Files that are fetched by themselves.
    pub(crate) downloads: Downloads,
    /// The lanes.
    pub lanes: Lanes,
    /// Runs the lanes.
    pub engine: Engine,
    /// How links behave.
    pub link: LinkConfig,
    /// Which version of the client they announce.
    pub versions: Arc<Versions>,
    /// The way to WhatsApp.
    pub network: Arc<Network>,
    /// Where a proxy that a tenant names may be.
    pub egress: Arc<EgressConfig>,
    /// When a failed attempt is made again.
    pub policy: SendPolicy,
    /// Redis' time.
    pub clock: Arc<SystemClock>,
    /// How many sessions may be connecting at once.
    pub connecting: Arc<Semaphore>,
    /// How many sessions may be recording receipts at once; those of the others gather meanwhile.
    pub recording: Semaphore,
}

impl Runtime {
    /// Runs a session until it is released or lost.
    pub async fn run(
        self: &Arc<Self>,
        owner: Owner,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Ended {
        actor::run(Arc::clone(self), owner, orders).await
    }

    pub(crate) fn lanes(&self) -> Lanes {
        self.lanes.clone()
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.config.heartbeat_ms)
    }

    pub(crate) fn liveness_ms(&self) -> u64 {
        self.config.liveness_ms
    }

    fn now(&self) -> i64 {
        self.clock.now()
    }
}
