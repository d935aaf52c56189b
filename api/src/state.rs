//! What the handlers of this process share.

use std::sync::Arc;

use gateway_shared::answers::Answers;
use gateway_shared::apikey::ApiKeys;
use gateway_shared::clock::{Clock, Millis, SharedClock, SystemClock};
use gateway_shared::config::Config;
use gateway_shared::domain::InstanceId;
use gateway_shared::egress::Egress;
use gateway_shared::events::EventLog;
use gateway_shared::installation::Installation;
use gateway_shared::lane::Lanes;
use gateway_shared::media::{Fetcher, MediaLinks, MediaStore};
use gateway_shared::messages::Messages;
use gateway_shared::operator::Operators;
use gateway_shared::organization::Organizations;
use gateway_shared::redis::Store;
use gateway_shared::registry::Registry;
use gateway_shared::secrets::Keyring;
use gateway_shared::session::Sessions;
use gateway_shared::webhooks::Webhooks;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::access::{Authenticators, KeyCache, Logins};
use crate::connections::Connections;
use crate::control::census::Censuses;
use crate::control::{KeyUses, Suspensions};
use crate::events::Hubs;
use crate::health_monitor::HealthMonitor;
use crate::media::Fetches;
use crate::quota::Quotas;
use crate::replies::Replies;
use crate::request::Intake;
use crate::server::ServeError;

/// What the handlers of this process share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) store: Store,
    /// Whether this is the right Redis.
    pub(crate) installation: Installation,
    pub(crate) lanes: Lanes,
    pub(crate) messages: Messages,
    pub(crate) media: MediaStore,
    /// Fetches files of messages from WhatsApp, a bounded number at once, and each once.
    pub(crate) fetcher: Fetcher,
    pub(crate) fetching: Semaphore,
    /// Signed addresses of files.
    pub(crate) links: MediaLinks,
    pub(crate) fetches: Fetches,
    /// Turns for looking at files and converting them.
    pub(crate) inspecting: Semaphore,
    pub(crate) sessions: Sessions,
    pub(crate) registry: Registry,
    pub(crate) organizations: Organizations,
    /// Those who run this installation.
    pub(crate) operators: Operators,
    pub(crate) keys: ApiKeys,
    pub(crate) authenticators: Authenticators,
    pub(crate) replies: Arc<Replies>,
    pub(crate) events: EventLog,
    pub(crate) hubs: Hubs,
    pub(crate) webhooks: Webhooks,
    /// Requests to addresses that tenants name.
    pub(crate) egress: Egress,
    /// Seals what Redis keeps of secrets.
    pub(crate) keyring: Keyring,
    pub(crate) health_monitor: HealthMonitor,
    /// What organizations may take.
    pub(crate) quotas: Arc<Quotas>,
    /// What was answered under idempotency keys.
    pub(crate) answers: Answers,
    /// The installation at a moment, for operators.
    pub(crate) censuses: Censuses,
    /// Organizations whose requests are refused.
    pub(crate) suspensions: Suspensions,
    /// When keys were used that was not written down yet.
    pub(crate) key_uses: Arc<KeyUses>,
    /// The connections of clients.
    pub(crate) connections: Arc<Connections>,
    /// What the bodies of requests may take.
    pub(crate) intake: Arc<Intake>,
    /// Whether the reply channel is subscribed to.
    pub(crate) subscribed: watch::Sender<bool>,
    /// The process was told to end: streams end, nothing new begins.
    pub(crate) stopping: CancellationToken,
    /// The time for what was under way is over: who still waits is answered now.
    pub(crate) overdue: CancellationToken,
    /// Everything has ended; background tasks end.
    pub(crate) ended: CancellationToken,
}

impl App {
    /// Opens what the handlers need.
    ///
    /// # Errors
    /// When Redis' address is malformed, no node of a Cluster answers, or TLS can not be set up.
    pub(crate) async fn open(config: Config, keyring: Keyring) -> Result<Arc<Self>, ServeError> {
        let store = Store::open(&config.redis).await?;
        let clock = Arc::new(SystemClock::new());
        let shared: SharedClock = clock.clone();
        let keys = ApiKeys::new(store.clone());
        let key_uses = Arc::new(KeyUses::default());
        let cache = KeyCache::new(keys.clone(), shared.clone(), key_uses.clone());
        let logins = Logins::new(&config.auth.jwt, shared);
        let events = EventLog::new(store.clone());
        let media = MediaStore::new(&config.media, store.clone(), keyring.clone());
        Ok(Arc::new(Self {
            installation: Installation::new(store.clone(), config.redis.expected())
                .sealed_by(keyring.clone()),
            webhooks: Webhooks::new(store.clone(), keyring.clone(), &config.retention),
            egress: Egress::new(&config.egress)?,
            lanes: Lanes::new(store.clone(), config.retention),
            messages: Messages::new(store.clone(), &config.retention),
            fetcher: Fetcher::new(media.clone())?,
            fetching: Semaphore::new(config.media.fetch_concurrency),
            fetches: Fetches::default(),
            links: MediaLinks::new(
                &config.api.public_url,
                config.media.link_lifetime_ms,
                keyring.clone(),
            ),
            media,
            inspecting: Semaphore::new(config.media.inspect_concurrency),
            sessions: Sessions::new(store.clone(), &config.retention),
            registry: Registry::new(store.clone()),
            organizations: Organizations::new(store.clone()),
            operators: Operators::new(store.clone()),
            keys,
            authenticators: Authenticators::new(cache, logins),
            replies: Replies::new(InstanceId::generate(clock.now())),
            hubs: Hubs::new(events.clone(), config.redis.clone()),
            events,
            health_monitor: HealthMonitor::default(),
            quotas: Quotas::new(&config.quota),
            answers: Answers::new(
                store.clone(),
                keyring.clone(),
                config.retention.idempotency_ms,
            ),
            censuses: Censuses::default(),
            suspensions: Suspensions::default(),
            key_uses,
            connections: Connections::new(&config.api),
            intake: Intake::new(&config.api),
            subscribed: watch::Sender::new(false),
            stopping: CancellationToken::new(),
            overdue: CancellationToken::new(),
            ended: CancellationToken::new(),
            keyring,
            clock,
            store,
            config,
        }))
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }
}
