//! The keys of the frontend: cached, and fetched again when one is missing, within limits.
//!
//! - A key that is not known makes the set be fetched again, but not more often than once in
//!   `refetch_pause_ms`: a flood of made-up key ids costs the frontend one request.
//! - By and by the set is fetched anyway (`refresh_ms`), so that a key taken out of it ends.
//! - While the frontend does not answer, the keys already known stay good.
//! - At most one fetch is under way. Callers that need its result wait for it together, and only for a
//!   moment: a frontend that hangs holds up nobody for longer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use gateway_shared::config::JwtConfig;
use jsonwebtoken::Algorithm;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::jwk::{Key, keys_of};

/// Greatest size of a set, in bytes.
const LARGEST: u64 = 1 << 20;
/// The pause between attempts for as long as no set was ever fetched.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long a caller waits for a fetch that is under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// The keys of the frontend.
#[derive(Debug)]
pub(super) struct Jwks {
    url: String,
    pause: Duration,
    refresh: Duration,
    agent: ureq::Agent,
    /// `None` until a set was fetched.
    known: RwLock<Option<Vec<Arc<Key>>>>,
    fetching: Mutex<Fetching>,
    /// Whether the last try failed, which is told once for each outage.
    failing: AtomicBool,
}

/// How fetching stands.
#[derive(Debug, Default)]
struct Fetching {
    /// When it was last tried.
    tried: Option<Instant>,
    /// Closed when the fetch that is under way ends.
    running: Option<watch::Receiver<()>>,
}

/// What there is of a key.
#[derive(Debug)]
pub(super) enum Lookup {
    /// The key.
    Found(Arc<Key>),
    /// There is no such key, as far as can be told now.
    Unknown,
    /// It can not be told at the moment: no set was ever fetched, or the fetch that would tell has
    /// not ended yet.
    Unreachable,
}

/// Why a set could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Http(#[from] ureq::Error),
    #[error("it is no JSON Web Key Set")]
    NoSet,
    #[error("it was given up")]
    GivenUp,
}

impl Jwks {
    pub(super) fn new(config: &JwtConfig) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_millis(config.fetch_timeout_ms)))
            .max_redirects(0)
            .build();
        Self {
            url: config.jwks_url.clone(),
            pause: Duration::from_millis(config.refetch_pause_ms),
            refresh: Duration::from_millis(config.refresh_ms),
            agent: agent.into(),
            known: RwLock::default(),
            fetching: Mutex::default(),
            failing: AtomicBool::new(false),
        }
    }

    /// The key of this id for this algorithm.
    pub(super) async fn find(self: &Arc<Self>, id: Option<&str>, algorithm: Algorithm) -> Lookup {
        if let Lookup::Found(key) = self.look(id, algorithm) {
            return Lookup::Found(key);
        }
        let Some(mut running) = self.fetch(self.pause) else {
            return self.look(id, algorithm);
        };
        let ended = timeout(PATIENCE, running.changed()).await.is_ok();
        match self.look(id, algorithm) {
            Lookup::Unknown if !ended => Lookup::Unreachable,
            found => found,
        }
    }

    fn look(&self, id: Option<&str>, algorithm: Algorithm) -> Lookup {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let Some(keys) = known.as_ref() else {
            return Lookup::Unreachable;
        };
        let mut fitting = keys.iter().filter(|key| key.algorithm == algorithm);
        let found = match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)),
            // A token may leave out which key it is when there is only one.
            None => fitting.next().filter(|_| keys.len() == 1),
        };
        found.map_or(Lookup::Unknown, |key| Lookup::Found(key.clone()))
    }

    /// Begins to fetch the set, unless a fetch is under way or the last one began less than `pause`
    /// ago. What is returned closes when the fetch that is under way ends.
    fn fetch(self: &Arc<Self>, pause: Duration) -> Option<watch::Receiver<()>> {
        let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        let running = fetching.running.take();
        fetching.running = running.filter(|running| running.has_changed().is_ok());
        if fetching.running.is_some() {
            return fetching.running.clone();
        }
        let pause = if self.is_empty() { FIRST_PAUSE } else { pause };
        if fetching.tried.is_some_and(|tried| tried.elapsed() < pause) {
            return None;
        }
        fetching.tried = Some(Instant::now());
        let (running, ended) = watch::channel(());
        fetching.running = Some(ended.clone());
        let this = self.clone();
        tokio::spawn(async move {
            this.fetch_now().await;
            drop(running);
        });
        Some(ended)
    }

    async fn fetch_now(&self) {
        let (agent, url) = (self.agent.clone(), self.url.clone());
        let fetched = tokio::task::spawn_blocking(move || get(&agent, &url)).await;
        let fetched = fetched.unwrap_or(Err(FetchError::GivenUp));
        let failed_before = self.failing.swap(fetched.is_err(), Ordering::Relaxed);
        match fetched {
            Ok(keys) => {
                if failed_before {
                    tracing::info!(keys = keys.len(), "the login keys are fetched again");
                }
                let keys = keys.into_iter().map(Arc::new).collect();
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
            }
            Err(error) if !failed_before => {
                tracing::warn!(%error, url = self.url, "the login keys can not be fetched");
            }
            Err(_) => {}
        }
    }

    fn is_empty(&self) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.is_none()
    }

    /// Fetches the set by and by, for as long as it is polled.
    pub(super) async fn refresh(self: &Arc<Self>) {
        loop {
            if let Some(mut running) = self.fetch(Duration::ZERO) {
                // It never changes: this waits for its end.
                let _ = running.changed().await;
            }
            let pause = if self.is_empty() {
                FIRST_PAUSE
            } else {
                self.refresh
            };
            sleep(pause).await;
        }
    }
}

fn get(agent: &ureq::Agent, url: &str) -> Result<Vec<Key>, FetchError> {
    let mut answer = agent.get(url).call()?;
    let text = answer
        .body_mut()
        .with_config()
        .limit(LARGEST)
        .read_to_string()?;
    keys_of(&text).ok_or(FetchError::NoSet)
}
