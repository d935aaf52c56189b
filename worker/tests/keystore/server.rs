//! A Redis server of the test's own, and a look at all that is in it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use gateway_shared::domain::SessionId;
use gateway_shared::redis::{RedisConfig, Store};
use gateway_shared::secrets::Keyring;
use gateway_worker::keystore::RedisKeystore;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A server on a free port that keeps nothing on disk; gone when dropped.
pub(crate) struct Server {
    process: Child,
    port: u16,
    _directory: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A Cluster of one node that has all slots; it is as strict about them as any other.
    pub(crate) async fn start_cluster() -> Self {
        let server = Self::start_with(&["--cluster-enabled", "yes"]);
        let store = server.store().await;
        let _: String = command(&store, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
        loop {
            let info: String = command(&store, &["CLUSTER", "INFO"]).await;
            if info.contains("cluster_state:ok") {
                return server;
            }
            tokio::task::yield_now().await;
        }
    }

    fn start_with(settings: &[&str]) -> Self {
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .expect("a free port")
                .port();
            // A Cluster node keeps a file with its state, whatever one says.
            let directory = tempfile::tempdir().expect("a directory");
            let mut process = Command::new("redis-server")
                .current_dir(&directory)
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
                .args(["--save", "", "--appendonly", "no"])
                .args(settings)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("redis-server is installed");
            let output = process.stdout.take().expect("piped");
            let mut lines = BufReader::new(output).lines().map_while(Result::ok);
            if lines.any(|line| line.contains("Ready to accept connections")) {
                return Self {
                    process,
                    port,
                    _directory: directory,
                };
            }
            process.wait().expect("another process took the port");
        }
        panic!("no port stayed free");
    }

    pub(crate) async fn store(&self) -> Store {
        self.store_at(1).await
    }

    /// A connection that follows a Cluster's redirections.
    pub(crate) async fn cluster_store(&self) -> Store {
        self.store_at(2).await
    }

    async fn store_at(&self, seeds: usize) -> Store {
        Store::open(&RedisConfig {
            connect_timeout_ms: 5_000,
            response_timeout_ms: 30_000,
            ..RedisConfig::at(
                vec![format!("redis://127.0.0.1:{}", self.port); seeds],
                "test",
            )
        })
        .await
        .expect("the server answers")
    }

    /// A handle on a session's key material, and the token it cancels.
    pub(crate) async fn claim(
        &self,
        session: &SessionId,
        epoch: i64,
    ) -> (RedisKeystore, CancellationToken) {
        let lost = CancellationToken::new();
        let store = self.store().await;
        let keystore = RedisKeystore::claim(store, keyring(), session.clone(), epoch, lost.clone())
            .await
            .expect("nobody else has it");
        (keystore, lost)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It keeps nothing, so there is nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What seals the keys of every session in these tests.
pub(crate) fn keyring() -> &'static Keyring {
    static KEYRING: LazyLock<Keyring> =
        LazyLock::new(|| Keyring::generate().expect("random bytes"));
    &KEYRING
}

pub(crate) fn session() -> SessionId {
    SessionId::generate(1_700_000_000_000)
}

pub(crate) async fn command<T: redis::FromRedisValue>(store: &Store, parts: &[&str]) -> T {
    let mut command = redis::cmd(parts[0]);
    command.arg(&parts[1..]);
    command
        .query_async(&mut store.connection.clone())
        .await
        .expect("the command works")
}

/// Every key in the server with all that it holds.
pub(crate) async fn contents(store: &Store) -> BTreeMap<String, Vec<Vec<u8>>> {
    let keys: Vec<String> = command(store, &["KEYS", "*"]).await;
    let mut contents = BTreeMap::new();
    for key in keys {
        let kind: String = command(store, &["TYPE", &key]).await;
        let mut parts: Vec<Vec<u8>> = match kind.as_str() {
            "zset" => command(store, &["ZRANGE", &key, "0", "-1", "WITHSCORES"]).await,
            "set" => command(store, &["SMEMBERS", &key]).await,
            "hash" => {
                let pairs: Vec<(Vec<u8>, Vec<u8>)> = command(store, &["HGETALL", &key]).await;
                pairs
                    .into_iter()
                    .map(|(field, value)| [&field[..], b" = ", &value[..]].concat())
                    .collect()
            }
            other => panic!("{key} is a {other}, which no family is"),
        };
        if kind != "zset" {
            parts.sort();
        }
        let life: i64 = command(store, &["TTL", &key]).await;
        parts.push(life.to_string().into_bytes());
        contents.insert(key, parts);
    }
    contents
}

thread_local! {
    static NOW: Cell<i64> = const { Cell::new(1_700_000_000) };
}

struct TestClock;

impl wacore::time::TimeProvider for TestClock {
    fn now_millis(&self) -> i64 {
        NOW.with(Cell::get) * 1000
    }
}

/// Puts the library's clock under this thread's control, and its hand back to the beginning.
pub(crate) fn stop_the_clock() {
    // Once for the process; later calls find it installed.
    let _ = wacore::time::set_time_provider(TestClock);
    NOW.with(|now| now.set(1_700_000_000));
}

pub(crate) fn advance(seconds: i64) {
    NOW.with(|now| now.set(now.get() + seconds));
}
