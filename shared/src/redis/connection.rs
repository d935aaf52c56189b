//! How a process reaches Redis: one server, a Cluster, or through Sentinels.

use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{Client, Cmd, IntoConnectionInfo, Pipeline, RedisFuture, RedisResult, Value};
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::InstallationId;

use super::sentinel::{self, SentinelConnection};
use super::tls;

/// Where Redis is and how patient to be with it (`[redis]` of the configuration).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://` or `rediss://` addresses. One is a single server; several are the seeds of a Cluster, or the
    /// Sentinels where `sentinel_master` is set.
    #[serde(deserialize_with = "addresses")]
    pub urls: Vec<String>,
    /// The name under which the Sentinels know the master; empty = no Sentinels.
    pub sentinel_master: String,
    /// PEM file of the authorities trusted for `rediss://`; empty = the public ones.
    pub tls_ca_file: String,
    /// PEM file of the certificate shown to Redis; empty = none.
    pub tls_cert_file: String,
    /// PEM file of its key.
    pub tls_key_file: String,
    /// What every key of this installation begins with; two installations may share a Redis.
    pub prefix: String,
    /// How long a connection attempt may take, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long a command may take before it counts as failed, in milliseconds.
    pub response_timeout_ms: u64,
    /// How many replicas must have a write before it counts as done (`WAIT`); 0 = none.
    pub wait_replicas: u32,
    /// How long to wait for them, in milliseconds.
    pub wait_timeout_ms: u64,
    /// The installation that must be in this Redis; empty = whichever is there.
    pub installation: String,
}

impl RedisConfig {
    /// The installation that must be in this Redis, if that was said.
    #[must_use]
    pub fn expected(&self) -> Option<InstallationId> {
        // The configuration has been validated.
        self.installation.parse().ok()
    }

    /// How to reach the Redis at `urls` with the default patience; keys begin with `prefix`.
    #[must_use]
    pub fn at(urls: impl IntoIterator<Item = impl Into<String>>, prefix: &str) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            sentinel_master: String::new(),
            tls_ca_file: String::new(),
            tls_cert_file: String::new(),
            tls_key_file: String::new(),
            prefix: prefix.to_owned(),
            connect_timeout_ms: 2_000,
            response_timeout_ms: 5_000,
            wait_replicas: 0,
            wait_timeout_ms: 1_000,
            installation: String::new(),
        }
    }
}

/// Reads a list of addresses, or one text with commas between them (as the environment gives it).
fn addresses<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "a list of addresses, or one text with commas between them"
    )]
    enum Addresses {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Addresses::deserialize(input)? {
        Addresses::List(list) => list,
        Addresses::Text(text) => text
            .split(',')
            .map(|address| address.trim().to_owned())
            .filter(|address| !address.is_empty())
            .collect(),
    })
}

/// Commands are small and their answers wanted at once: without this, one waits in the kernel until
/// the one before it is acknowledged.
pub(super) fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn client(config: &RedisConfig, url: &str) -> RedisResult<Client> {
    let info = url.into_connection_info()?.set_tcp_settings(tcp());
    match tls::certificates(config)? {
        Some(certificates) => Client::build_with_tls(info, certificates),
        None => Client::open(info),
    }
}

/// A way to reach Redis that many tasks share; cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Connection {
    link: Link,
    replicas: Replicas,
}

/// How many replicas must have what [`script::run_durably`](super::script::run_durably) wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replicas {
    pub(super) count: u32,
    pub(super) timeout_ms: u64,
}

#[derive(Clone)]
enum Link {
    /// One server, reconnecting by itself.
    Single(ConnectionManager),
    /// A Cluster, which follows redirections by itself.
    Cluster(ClusterConnection),
    /// The master that the Sentinels name.
    Sentinel(SentinelConnection),
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Single(_) => "Single",
            Self::Cluster(_) => "Cluster",
            Self::Sentinel(_) => "Sentinel",
        })
    }
}

impl Connection {
    /// Opens a connection. To one server, or through Sentinels, it is made with the first command
    /// and again whenever it was lost, so a process may start before its Redis; a Cluster must
    /// answer now.
    ///
    /// # Errors
    /// When an address is malformed, or no node of a Cluster answers.
    pub async fn open(config: &RedisConfig) -> RedisResult<Self> {
        Ok(Self {
            link: Link::open(config).await?,
            replicas: Replicas {
                count: config.wait_replicas,
                timeout_ms: config.wait_timeout_ms,
            },
        })
    }

    pub(super) fn replicas(&self) -> Replicas {
        self.replicas
    }

    /// How many scripts are worth having under way at once. One server carries out one at a time:
    /// beyond a few, more of them would only wait there, while what waits here gathers into fewer
    /// and larger ones. The masters of a Cluster must not wait for each other.
    #[must_use]
    pub fn worth_at_once(&self) -> usize {
        match self.link {
            Link::Single(_) | Link::Sentinel(_) => 4,
            Link::Cluster(_) => 256,
        }
    }

    /// How many keys reach every master of a usual Cluster.
    pub(super) fn probes(&self) -> usize {
        match self.link {
            Link::Single(_) | Link::Sentinel(_) => 1,
            Link::Cluster(_) => 16,
        }
    }

    /// A connection of one's own for blocking reads (`XREAD BLOCK`), which would hold up every
    /// other user of a shared one. It has no response time-out.
    ///
    /// # Errors
    /// When nothing answers.
    pub async fn open_blocking(config: &RedisConfig) -> RedisResult<Self> {
        let patient = RedisConfig {
            response_timeout_ms: 3_600_000,
            ..config.clone()
        };
        Self::open(&patient).await
    }

    /// A subscriber connection. A message published anywhere in a Cluster reaches every node, so
    /// the first address that answers will do.
    ///
    /// # Errors
    /// When no address answers.
    pub async fn open_subscriber(config: &RedisConfig) -> RedisResult<PubSub> {
        if !config.sentinel_master.is_empty() {
            return sentinel::open_subscriber(config).await;
        }
        let limit = Duration::from_millis(config.connect_timeout_ms);
        let mut last = None;
        for url in &config.urls {
            let client = client(config, url)?;
            match tokio::time::timeout(limit, client.get_async_pubsub()).await {
                Ok(Ok(subscriber)) => return Ok(subscriber),
                Ok(Err(error)) => last = Some(error),
                Err(_) => {}
            }
        }
        Err(last.unwrap_or_else(|| {
            redis::RedisError::from((redis::ErrorKind::Io, "no Redis address answered in time"))
        }))
    }
}

impl Link {
    async fn open(config: &RedisConfig) -> RedisResult<Self> {
        if !config.sentinel_master.is_empty() {
            return Ok(Self::Sentinel(SentinelConnection::new(config)?));
        }
        let connect = Duration::from_millis(config.connect_timeout_ms);
        let response = Duration::from_millis(config.response_timeout_ms);
        if let [url] = config.urls.as_slice() {
            let settings = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(connect))
                .set_response_timeout(Some(response))
                .set_number_of_retries(1)
                .set_max_delay(Duration::from_millis(200));
            let client = client(config, url)?;
            let manager = ConnectionManager::new_lazy_with_config(client, settings)?;
            return Ok(Self::Single(manager));
        }
        let mut builder = ClusterClientBuilder::new(config.urls.iter().map(String::as_str))
            .connection_timeout(connect)
            .response_timeout(response)
            .tcp_settings(tcp())
            .retries(3);
        if let Some(certificates) = tls::certificates(config)? {
            builder = builder.certs(certificates);
        }
        let client = builder.build()?;
        Ok(Self::Cluster(client.get_async_connection().await?))
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match &mut self.link {
            Link::Single(connection) => connection.req_packed_command(cmd),
            Link::Cluster(connection) => connection.req_packed_command(cmd),
            Link::Sentinel(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match &mut self.link {
            Link::Single(connection) => connection.req_packed_commands(cmd, offset, count),
            Link::Cluster(connection) => connection.req_packed_commands(cmd, offset, count),
            Link::Sentinel(connection) => connection.req_packed_commands(cmd, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match &self.link {
            Link::Single(connection) => connection.get_db(),
            Link::Cluster(connection) => connection.get_db(),
            Link::Sentinel(connection) => connection.get_db(),
        }
    }
}
