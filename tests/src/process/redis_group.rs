//! Several Redis servers that stand in for each other: a Cluster, or a master under Sentinels.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;

use super::{
    GLANCE, Launch, PATIENCE, Persistence, Program, RedisServer, free_port, redis_executable,
};

/// The name under which the Sentinels of a [`RedisGroup`] know their master.
pub const SENTINEL_MASTER: &str = "gateway";

/// After which silence of a server the others act.
const SILENCE_MS: &str = "1500";
const SLOTS: usize = 16_384;
const MASTERS: usize = 3;

/// How an installation's Redis is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Topology {
    /// One server.
    #[default]
    Single,
    /// Three masters with a replica each.
    Cluster,
    /// A master with a replica, watched by three Sentinels.
    Sentinel,
}

/// The servers of one installation, on loopback ports. It can be used as its first server, which is
/// the only one of [`Topology::Single`].
#[derive(Debug)]
pub struct RedisGroup {
    /// The servers, at least one; in the beginning the first ones are the masters.
    pub servers: Vec<RedisServer>,
    sentinels: Vec<Program>,
    sentinel_ports: Vec<u16>,
}

impl RedisGroup {
    /// Starts a group with its data and output under `folder`, and waits until it takes writes and
    /// its replicas follow.
    ///
    /// # Errors
    /// When Redis is not installed or a part does not start.
    pub async fn start(
        folder: &Path,
        topology: Topology,
        persistence: Persistence,
    ) -> Result<Self> {
        match topology {
            Topology::Single => Ok(Self {
                servers: vec![RedisServer::start(folder, persistence).await?],
                sentinels: Vec::new(),
                sentinel_ports: Vec::new(),
            }),
            Topology::Cluster => Self::cluster(folder, persistence).await,
            Topology::Sentinel => Self::sentinel(folder, persistence).await,
        }
    }

    async fn cluster(folder: &Path, persistence: Persistence) -> Result<Self> {
        let mut servers = Vec::new();
        let mut buses = Vec::new();
        for number in 1..=2 * MASTERS {
            let bus = free_port()?;
            let more = [
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus.to_string(),
                "--cluster-node-timeout",
                SILENCE_MS,
                "--repl-ping-replica-period",
                "1",
            ];
            let how = (persistence, free_port()?, false);
            let name = format!("redis-{number}");
            servers.push(RedisServer::start_as(&name, folder, how, &more).await?);
            buses.push(bus);
        }
        for (place, server) in servers.iter().enumerate() {
            let epoch = place + 1;
            let _: String = server
                .ask(&format!("CLUSTER SET-CONFIG-EPOCH {epoch}"))
                .await?;
        }
        for (place, master) in servers.iter().take(MASTERS).enumerate() {
            let (first, last) = (SLOTS * place / MASTERS, SLOTS * (place + 1) / MASTERS - 1);
            let _: String = master
                .ask(&format!("CLUSTER ADDSLOTSRANGE {first} {last}"))
                .await?;
        }
        for (server, bus) in servers.iter().zip(&buses).skip(1) {
            let meet = format!("CLUSTER MEET 127.0.0.1 {} {bus}", server.port());
            let _: String = servers[0].ask(&meet).await?;
        }
        let group = Self {
            servers,
            sentinels: Vec::new(),
            sentinel_ports: Vec::new(),
        };
        for server in &group.servers {
            until("all nodes know each other", async || {
                let nodes: String = server.ask("CLUSTER NODES").await?;
                let known = nodes.lines().filter(|line| !line.contains("handshake"));
                Ok(known.count() == 2 * MASTERS)
            })
            .await?;
        }
        for place in 0..MASTERS {
            let master: String = group.servers[place].ask("CLUSTER MYID").await?;
            let replica = &group.servers[MASTERS + place];
            let follow = format!("CLUSTER REPLICATE {master}");
            until("a replica knows its master", async || {
                Ok(replica.ask::<String>(&follow).await.is_ok())
            })
            .await?;
        }
        for server in &group.servers {
            until("the Cluster is whole", async || {
                let info: String = server.ask("CLUSTER INFO").await?;
                Ok(info.contains("cluster_state:ok"))
            })
            .await?;
        }
        group.replicas_follow(MASTERS).await?;
        Ok(group)
    }

    async fn sentinel(folder: &Path, persistence: Persistence) -> Result<Self> {
        let how = || Ok::<_, anyhow::Error>((persistence, free_port()?, false));
        let master = RedisServer::start_as("redis-1", folder, how()?, &[]).await?;
        let port = master.port().to_string();
        let more = ["--replicaof", "127.0.0.1", &port];
        let replica = RedisServer::start_as("redis-2", folder, how()?, &more).await?;
        let mut group = Self {
            servers: vec![master, replica],
            sentinels: Vec::new(),
            sentinel_ports: Vec::new(),
        };
        group.replicas_follow(1).await?;
        for number in 1..=3 {
            group.add_sentinel(folder, number, &port)?;
        }
        let ports = group.sentinel_ports.clone();
        for port in ports {
            until(
                "the Sentinels know each other and the replica",
                async || {
                    let master = sentinel_ask(port, "MASTER").await?;
                    let field = |name: &str| {
                        let place = master.iter().position(|word| word == name);
                        place.and_then(|place| master.get(place + 1)).cloned()
                    };
                    let others = field("num-other-sentinels");
                    Ok(others.as_deref() == Some("2")
                        && field("num-slaves").as_deref() == Some("1"))
                },
            )
            .await?;
        }
        Ok(group)
    }

    fn add_sentinel(&mut self, folder: &Path, number: usize, master: &str) -> Result<()> {
        let port = free_port()?;
        let name = format!("sentinel-{number}");
        let data = folder.join(&name);
        std::fs::create_dir_all(&data)?;
        // A Sentinel writes what it learns into its configuration.
        let file = data.join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\n\
             sentinel monitor {SENTINEL_MASTER} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {SENTINEL_MASTER} {SILENCE_MS}\n\
             sentinel failover-timeout {SENTINEL_MASTER} 5000\n",
            data.display()
        );
        std::fs::write(&file, text)?;
        let launch = Launch::new(&name, redis_executable()?, &folder.join("logs"))
            .args([file.as_os_str()])
            .args(["--sentinel"]);
        self.sentinels.push(Program::start(launch)?);
        self.sentinel_ports.push(port);
        Ok(())
    }

    /// Waits until so many of its servers are replicas that have caught up.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn replicas_follow(&self, count: usize) -> Result<()> {
        until("the replicas follow", async || {
            let mut following = 0;
            for server in &self.servers {
                // One that was killed answers nothing.
                let info: String = server.ask("INFO replication").await.unwrap_or_default();
                following += usize::from(info.contains("master_link_status:up"));
            }
            Ok(following >= count)
        })
        .await
    }

    /// The addresses for `redis.urls`.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        if self.sentinel_ports.is_empty() {
            return self.servers.iter().map(RedisServer::url).collect();
        }
        let ports = self.sentinel_ports.iter();
        ports
            .map(|port| format!("redis://127.0.0.1:{port}"))
            .collect()
    }

    /// The place of the master that has a key.
    ///
    /// # Errors
    /// When none has it.
    pub async fn master_of(&self, key: &str) -> Result<usize> {
        for (place, server) in self.servers.iter().enumerate() {
            // Who does not have the key's slot answers with an error.
            let has: Result<u8> = server.ask(&format!("EXISTS {key}")).await;
            if has.is_ok_and(|has| has == 1) && server.is_master().await {
                return Ok(place);
            }
        }
        anyhow::bail!("no master has {key}")
    }

    /// Moves the slot of a key that exists to another master of the Cluster, as `redis-cli --cluster
    /// reshard` does.
    ///
    /// # Errors
    /// When one of the two does not do its part.
    pub async fn move_slot(&self, key: &str) -> Result<()> {
        let from_place = self.master_of(key).await?;
        let from = &self.servers[from_place];
        let mut to = None;
        for (place, server) in self.servers.iter().enumerate() {
            if place != from_place && server.is_master().await {
                to = Some(server);
            }
        }
        let to = to.context("there is no other master")?;
        let slot: u16 = from.ask(&format!("CLUSTER KEYSLOT {key}")).await?;
        let from_id: String = from.ask("CLUSTER MYID").await?;
        let to_id: String = to.ask("CLUSTER MYID").await?;
        let order = async |server: &RedisServer, what: String| -> Result<()> {
            let _: String = server
                .ask(&format!("CLUSTER SETSLOT {slot} {what}"))
                .await?;
            Ok(())
        };
        order(to, format!("IMPORTING {from_id}")).await?;
        order(from, format!("MIGRATING {to_id}")).await?;
        loop {
            let keys: Vec<String> = from
                .ask(&format!("CLUSTER GETKEYSINSLOT {slot} 64"))
                .await?;
            if keys.is_empty() {
                break;
            }
            for key in keys {
                let migrate = format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port());
                let _: String = from.ask(&migrate).await?;
            }
        }
        order(to, format!("NODE {to_id}")).await?;
        order(from, format!("NODE {to_id}")).await?;
        Ok(())
    }

    /// Waits until another master than this one has a key.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn fail_over(&self, key: &str, from: usize) -> Result<usize> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(place) = self.master_of(key).await
                && place != from
            {
                return Ok(place);
            }
            ensure!(Instant::now() < deadline, "no other server took {key} over");
            tokio::time::sleep(GLANCE).await;
        }
    }
}

impl Deref for RedisGroup {
    type Target = RedisServer;

    fn deref(&self) -> &RedisServer {
        &self.servers[0]
    }
}

impl DerefMut for RedisGroup {
    fn deref_mut(&mut self) -> &mut RedisServer {
        &mut self.servers[0]
    }
}

async fn sentinel_ask(port: u16, what: &str) -> Result<Vec<String>> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut asked = redis::cmd("SENTINEL");
    asked.arg(what).arg(SENTINEL_MASTER);
    let answer = asked.query_async(&mut connection).await;
    answer.context("ask a Sentinel")
}

async fn until(what: &str, mut look: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look().await;
        if matches!(seen, Ok(true)) {
            return Ok(());
        }
        if Instant::now() > deadline {
            seen.with_context(|| format!("never: {what}"))?;
            anyhow::bail!("never: {what}");
        }
        tokio::time::sleep(GLANCE).await;
    }
}
