//! Redis over TLS with an ACL user, as one server and as a Cluster.
//!
//! The certificates beside this file are for tests alone (openssl, 127.0.0.1, for a hundred years);
//! their authority's key was thrown away.

use std::path::Path;

use gateway_shared::redis::{Connection, RedisConfig, Store};
use gateway_tests::process::{Launch, Program, free_port, redis_executable};

/// What the ACL of the README allows, under the prefix of the test.
const ACL: &str = "user gateway on >secret ~t:* &t:* +@all -@admin -@dangerous +info +cluster|slots \
                   +cluster|shards +cluster|nodes +wait +config|get";

struct Server {
    _program: Program,
    port: u16,
    _folder: tempfile::TempDir,
}

fn certificate(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/redis")
        .join(name)
        .display()
        .to_string()
}

impl Server {
    async fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, bus) = (free_port().unwrap(), free_port().unwrap());
        let launch = Launch::new("redis", redis_executable().unwrap(), folder.path())
            .args(["--bind", "127.0.0.1", "--port", "0", "--save", ""])
            .args(["--tls-port", &port.to_string()])
            .args(["--tls-cert-file", &certificate("node.pem")])
            .args(["--tls-key-file", &certificate("node.key")])
            .args(["--tls-ca-cert-file", &certificate("ca.pem")])
            .args(["--cluster-port", &bus.to_string()])
            .args(["--dir", &folder.path().display().to_string()])
            .args(["--user"])
            .args(ACL.split_whitespace().skip(1))
            .args(more.iter().copied());
        let mut program = Program::start(launch).unwrap();
        let ready = |line: &str| line.contains("Ready to accept connections").then_some(());
        program.wait_for_line(ready).await.unwrap();
        Self {
            _program: program,
            port,
            _folder: folder,
        }
    }

    fn config(&self, login: &str) -> RedisConfig {
        let url = format!("rediss://{login}127.0.0.1:{}", self.port);
        RedisConfig {
            tls_ca_file: certificate("ca.pem"),
            tls_cert_file: certificate("node.pem"),
            tls_key_file: certificate("node.key"),
            ..RedisConfig::at([url], "t")
        }
    }
}

#[tokio::test]
async fn an_acl_user_over_tls_reads_writes_and_listens() {
    let server = Server::start(&[]).await;
    let config = server.config("gateway:secret@");
    let store = Store::open(&config).await.unwrap();
    store.ping().await.unwrap();
    let mut connection = store.connection.clone();
    let () = redis::cmd("SET")
        .arg("t:{global}:x")
        .arg(1)
        .query_async(&mut connection)
        .await
        .unwrap();
    Connection::open_subscriber(&config).await.unwrap();
    let elsewhere = redis::cmd("GET")
        .arg("other:x")
        .query_async::<Option<String>>(&mut connection)
        .await;
    assert!(elsewhere.unwrap_err().to_string().contains("permission"));
}

#[tokio::test]
async fn who_is_not_trusted_is_not_spoken_to() {
    let server = Server::start(&[]).await;
    let mut config = server.config("gateway:secret@");
    config.connect_timeout_ms = 1_000;
    config.tls_ca_file = certificate("other-ca.pem");
    let store = Store::open(&config).await.unwrap();
    assert!(
        store.ping().await.is_err(),
        "its certificate is none of ours"
    );
    let mut nobody = server.config("gateway:wrong@");
    nobody.connect_timeout_ms = 1_000;
    let store = Store::open(&nobody).await.unwrap();
    assert!(store.ping().await.is_err(), "the password is wrong");
}

#[tokio::test]
async fn a_cluster_over_tls_is_followed() {
    let settings = ["--cluster-enabled", "yes", "--tls-cluster", "yes"];
    let server = Server::start(&settings).await;
    let admin = Store::open(&server.config("")).await.unwrap();
    let mut connection = admin.connection.clone();
    let () = redis::cmd("CLUSTER")
        .arg(&["ADDSLOTSRANGE", "0", "16383"])
        .query_async(&mut connection)
        .await
        .unwrap();
    let mut config = server.config("gateway:secret@");
    config.urls = vec![config.urls[0].clone(); 2];
    let store = loop {
        match Store::open(&config).await {
            Ok(store) if store.ping().await.is_ok() => break store,
            _ => tokio::task::yield_now().await,
        }
    };
    let () = redis::cmd("SET")
        .arg("t:{org}:x")
        .arg(1)
        .query_async(&mut store.connection.clone())
        .await
        .unwrap();
    Connection::open_subscriber(&config).await.unwrap();
}
