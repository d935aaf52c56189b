//! Which version of WhatsApp Web this worker's links announce.
//!
//! A pinned version is announced and nothing is fetched. Otherwise the newest is: fetched by one
//! worker for all, remembered in Redis, and fetched again when it is some hours old, when WhatsApp
//! rejects it, or when WhatsApp announces its end. While the page can not be reached, the last good
//! version stays; before there was any, it is the one that the library was written against.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway_shared::client_version::{ClientVersions, KnownVersion};
use gateway_shared::clock::{Clock, Millis, SystemClock};
use gateway_shared::config::WhatsAppConfig;
use gateway_shared::redis::Store;
use rand::RngExt;
use tokio::time::sleep;

use crate::link::{ClientVersion, Network, SERVICE_WORKER};

/// How often it is looked whether the version is to be fetched again, and the most by which that is
/// put off so that workers do not look together.
const LOOK: Duration = Duration::from_secs(60);
const LOOK_JITTER_MS: u64 = 30_000;

/// The versions, for all sessions of this worker.
#[derive(Debug)]
pub struct Versions {
    pinned: Option<ClientVersion>,
    /// The page that names the newest version; none = nothing is fetched.
    page: Option<String>,
    refresh_ms: u64,
    pause_ms: u64,
    shared: ClientVersions,
    network: Arc<Network>,
    clock: Arc<SystemClock>,
    /// The last good one, for when Redis does not answer.
    last: Mutex<ClientVersion>,
}

impl Versions {
    /// As configured. A build for the sandbox fetches from the page it is told, or not at all.
    #[must_use]
    pub fn new(
        config: &WhatsAppConfig,
        store: Store,
        network: &Arc<Network>,
        clock: &Arc<SystemClock>,
    ) -> Self {
        // The configuration has been validated: no version, or three numbers.
        let pinned = match config.version[..] {
            [primary, secondary, build] => Some(ClientVersion(primary, secondary, build)),
            _ => None,
        };
        let page = match config.version_url.as_str() {
            "" if cfg!(feature = "sandbox") => None,
            "" => Some(SERVICE_WORKER.to_owned()),
            url => Some(url.to_owned()),
        };
        Self {
            pinned,
            page: page.filter(|_| pinned.is_none()),
            refresh_ms: config.version_refresh_ms,
            pause_ms: config.version_pause_ms,
            shared: ClientVersions::new(store),
            network: Arc::clone(network),
            clock: Arc::clone(clock),
            last: Mutex::new(pinned.unwrap_or_default()),
        }
    }

    /// The version to announce now.
    pub async fn current(&self) -> ClientVersion {
        if let Some(pinned) = self.pinned {
            return pinned;
        }
        match self.shared.known().await {
            Ok(known) => {
                if known.version.is_none() {
                    self.fetch().await;
                }
                self.adopt(&known)
            }
            Err(error) => {
                tracing::debug!(%error, "Redis does not say which version to announce");
                self.last()
            }
        }
    }

    /// WhatsApp rejected `version`. Looks for another one, and gives what is to be announced from
    /// now on: the same if there is none yet.
    pub(super) async fn rejected(&self, version: ClientVersion) -> ClientVersion {
        let noted = self
            .shared
            .rejected(self.clock.now(), &version.to_string())
            .await;
        if let Err(error) = noted {
            tracing::warn!(%error, %version, "a rejected version could not be noted");
        }
        if self.current().await == version {
            self.fetch().await;
        }
        self.current().await
    }

    /// WhatsApp let a session in.
    pub(super) async fn accepted(&self) {
        // Told by every session that connects, so it is written only where it says something new.
        let rejected = self.shared.known().await;
        if rejected.is_ok_and(|known| known.rejected_at.is_some()) {
            let _ = self.shared.accepted().await;
        }
    }

    /// WhatsApp announced when it stops serving the present version.
    pub(super) async fn expires(&self, at: Millis) {
        tracing::warn!(at, "WhatsApp announced the end of this client version");
        if let Err(error) = self.shared.expires(at).await {
            tracing::warn!(%error, "the end of a client version could not be noted");
        }
        self.fetch().await;
    }

    /// Keeps the version fresh; never ends.
    pub async fn keep_fresh(&self) {
        loop {
            if self.pinned.is_none()
                && let Ok(known) = self.shared.known().await
                && self.is_due(&known)
            {
                self.fetch().await;
            }
            let jitter = rand::rng().random_range(0..LOOK_JITTER_MS);
            sleep(LOOK + Duration::from_millis(jitter)).await;
        }
    }

    fn is_due(&self, known: &KnownVersion) -> bool {
        let now = self.clock.now();
        let old = |at: Millis| {
            let age = u64::try_from(now.saturating_sub(at)).unwrap_or(0);
            age >= self.refresh_ms
        };
        known.fetched_at.is_none_or(old) || known.expires_at.is_some() || known.is_outdated()
    }

    /// Fetches the newest version, unless somebody did so a moment ago.
    async fn fetch(&self) {
        let Some(page) = &self.page else { return };
        if !self.shared.may_fetch(self.pause_ms).await.unwrap_or(false) {
            return;
        }
        let noted = match self.network.newest_version(page).await {
            Ok(version) => {
                let before = self.last();
                if version != before {
                    tracing::info!(%version, %before, "another client version is announced now");
                }
                self.set_last(version);
                let version = version.to_string();
                self.shared.fetched(self.clock.now(), &version).await
            }
            Err(error) => {
                tracing::warn!(%error, "the newest client version is not known");
                self.shared.fetch_failed(&error.to_string()).await
            }
        };
        if let Err(error) = noted {
            tracing::warn!(%error, "the newest client version could not be noted");
        }
    }

    /// The version of a record; the last good one where it holds none.
    fn adopt(&self, known: &KnownVersion) -> ClientVersion {
        let version = known.version.as_ref().and_then(|text| text.parse().ok());
        if let Some(version) = version {
            self.set_last(version);
        }
        self.last()
    }

    fn last(&self) -> ClientVersion {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_last(&self, version: ClientVersion) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = version;
    }
}
