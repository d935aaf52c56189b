//! An installation for one test: a Redis, some API processes, an organization with a key.

use std::future::Future;
use std::time::Duration;

use gateway_shared::apikey::{ApiKey, ApiKeys, Capabilities, NewApiKey};
use gateway_shared::clock::{Millis, SystemClock};
use gateway_shared::config::Config;
use gateway_shared::domain::{Limits, OrganizationId, SessionId};
use gateway_shared::lane::{Lanes, SessionRef};
use gateway_shared::organization::Organizations;
use gateway_shared::redis::keys::{PARTITION, key};
use gateway_shared::redis::{RedisConfig, Store};
use gateway_shared::session::{NewSession, Sessions};
use redis::AsyncCommands;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use gateway_tests::process::{Persistence, RedisServer};

/// An installation.
pub(crate) struct World {
    pub(crate) redis: RedisServer,
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) lanes: Lanes,
    pub(crate) sessions: Sessions,
    pub(crate) keys: ApiKeys,
    pub(crate) organization: OrganizationId,
    pub(crate) key: String,
    pub(crate) apis: Vec<Api>,
    pub(crate) client: Client,
    /// Where its files are, until it ends.
    _media: tempfile::TempDir,
}

/// One API "process".
pub(crate) struct Api {
    pub(crate) base: String,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or("-")
    }

    pub(crate) fn reason(&self) -> &str {
        self.body["error"]["details"]["reason"]
            .as_str()
            .unwrap_or("-")
    }

    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or("-").to_owned()
    }
}

impl World {
    /// One API process with the default configuration.
    pub(crate) async fn start() -> Self {
        Self::with(1, |_| {}).await
    }

    /// So many API processes with a changed configuration.
    pub(crate) async fn with(apis: usize, change: impl FnOnce(&mut Config)) -> Self {
        let redis = RedisServer::temporary(Persistence::Unsynced).await.unwrap();
        let mut config = Config::defaults().unwrap();
        config.redis = RedisConfig {
            connect_timeout_ms: 1_000,
            response_timeout_ms: 2_000,
            ..RedisConfig::at([redis.url()], "test")
        };
        config.secrets.keys = gateway_tests::world::SECRETS.to_owned().into();
        let media = tempfile::tempdir().unwrap();
        config.media.folder = media.path().join("files").display().to_string();
        // Owners in these tests give one sign of life.
        config.worker.liveness_ms = 300_000;
        change(&mut config);
        let store = Store::open(&config.redis).await.unwrap();
        let organizations = Organizations::new(store.clone());
        let organization = organizations.named_or_new(now(), "acme").await.unwrap().id;
        let mut world = Self {
            lanes: Lanes::new(store.clone(), config.retention),
            sessions: Sessions::new(store.clone(), &config.retention),
            keys: ApiKeys::new(store.clone()),
            redis,
            store,
            organization,
            key: String::new(),
            apis: Vec::new(),
            client: Client::new(),
            _media: media,
            config,
        };
        let organization = world.organization.clone();
        (world.key, _) = world
            .key_for(&organization, Capabilities::all(), None)
            .await;
        for _ in 0..apis {
            let api = Api::start(&world.config).await;
            world.apis.push(api);
        }
        world.ready().await;
        world
    }

    /// Waits until every API process says that it is ready.
    pub(crate) async fn ready(&self) {
        for api in 0..self.apis.len() {
            eventually("the API is ready", async || {
                let answer = self.api(api, Method::GET, "/readyz").send().await;
                answer
                    .is_ok_and(|answer| answer.status() == 200)
                    .then_some(())
            })
            .await;
        }
    }

    /// A key, and what is known of it.
    pub(crate) async fn key_for(
        &self,
        organization: &OrganizationId,
        capabilities: Capabilities,
        sessions: Option<Vec<SessionId>>,
    ) -> (String, ApiKey) {
        let new = NewApiKey {
            organization: organization.clone(),
            name: String::new(),
            capabilities,
            sessions,
            expires_at: None,
        };
        let (secret, key) = self.keys.create(now(), new).await.unwrap();
        (secret.reveal().to_owned(), key)
    }

    /// Another organization, with a key that may do everything.
    pub(crate) async fn stranger(&self, name: &str) -> (OrganizationId, String) {
        let organizations = Organizations::new(self.store.clone());
        let organization = organizations.named_or_new(now(), name).await.unwrap().id;
        let (key, _) = self.key_for(&organization, Capabilities::all(), None).await;
        (organization, key)
    }

    /// A session without limits that should run.
    pub(crate) async fn session(&self) -> SessionRef {
        self.session_of(
            &self.organization,
            Limits {
                rate_per_min: 0,
                rate_per_hour: 0,
            },
        )
        .await
    }

    pub(crate) async fn session_of(
        &self,
        organization: &OrganizationId,
        limits: Limits,
    ) -> SessionRef {
        let new = NewSession {
            label: "test".to_owned(),
            start: true,
            limits,
            auto_read: false,
            auto_download: false,
            presence_typing: false,
            proxy: None,
            device_name: String::new(),
            platform: String::new(),
        };
        let session = self
            .sessions
            .create(now(), organization, &new)
            .await
            .unwrap();
        let of = SessionRef {
            organization: organization.clone(),
            session: session.id,
        };
        // As if a phone had scanned its code: what is accepted belongs to this number.
        let root = self.store.keys.partition(organization);
        let record = key(PARTITION, &root, "session", &[of.session.as_str()]);
        let () = self
            .store
            .connection
            .clone()
            .hset(record, "waJid", "15550001111@s.whatsapp.net")
            .await
            .unwrap();
        of
    }

    /// As if no phone had ever scanned its code.
    pub(crate) async fn unpair(&self, of: &SessionRef) {
        let root = self.store.keys.partition(&of.organization);
        let record = key(PARTITION, &root, "session", &[of.session.as_str()]);
        let mut connection = self.store.connection.clone();
        let () = connection.hdel(record, "waJid").await.unwrap();
    }

    /// A request to the first API process, with the key that may do everything.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_to(0, method, path)
    }

    pub(crate) fn request_to(&self, api: usize, method: Method, path: &str) -> RequestBuilder {
        self.api(api, method, &format!("/api/v1{path}"))
            .header("x-api-key", &self.key)
    }

    /// A bare request.
    pub(crate) fn api(&self, api: usize, method: Method, path: &str) -> RequestBuilder {
        let base = &self.apis[api].base;
        self.client.request(method, format!("{base}{path}"))
    }

    /// A text that is to be sent from `from`.
    pub(crate) fn send(&self, from: &SessionRef, query: &str, text: &str) -> RequestBuilder {
        self.send_to(0, from, query, text)
    }

    pub(crate) fn send_to(
        &self,
        api: usize,
        from: &SessionRef,
        query: &str,
        text: &str,
    ) -> RequestBuilder {
        let path = format!("/sessions/{}/messages{query}", from.session);
        self.request_to(api, Method::POST, &path)
            .json(&serde_json::json!({"type": "text", "to": "6281234567890", "text": text}))
    }
}

/// Sends a request and reads the answer.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let retry_after = answer
        .headers()
        .get("retry-after")
        .map(|value| value.to_str().unwrap().parse().unwrap());
    let bytes = answer.bytes().await.unwrap();
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).unwrap()
    };
    Answer {
        status,
        retry_after,
        body,
    }
}

impl Api {
    async fn start(config: &Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let config = config.clone();
        let task = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            let listeners = gateway_api::Listeners {
                api: listener,
                ops: None,
                metrics: None,
            };
            gateway_api::run(listeners, config, shutdown).await.unwrap();
        });
        Self {
            base,
            stop: Some(stop),
            task: Some(task),
        }
    }

    /// Tells it to end; the returned future is done when it has.
    pub(crate) fn stop(&mut self) -> impl Future<Output = ()> + use<> {
        let stop = self.stop.take().unwrap();
        let task = self.task.take().unwrap();
        let _ = stop.send(());
        async move { task.await.unwrap() }
    }
}

/// The present moment.
pub(crate) fn now() -> Millis {
    SystemClock::local()
}

/// Waits for a fact that nothing tells of.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..2_000 {
        if let Some(fact) = look().await {
            return fact;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came true: {what}");
}
