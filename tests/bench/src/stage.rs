//! What several parts of the bench stand on: one worker and the plain clients at one sandbox.

use std::time::Duration;

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt};
use gateway_shared::config::Config;
use gateway_shared::domain::{OrganizationId, SessionId};
use gateway_shared::lane::SessionRef;
use gateway_shared::redis::keys::{PARTITION, key};
use gateway_shared::redis::{RedisConfig, Store};
use gateway_tests::process::Persistence;
use gateway_tests::world::{World, WorldBuilder, pair};

use crate::plain::PlainProcess;

/// How many sessions are paired at a time.
const PAIRING_AT_ONCE: usize = 8;
/// Numbers of the sessions' phones begin with this and end in four digits.
const PHONE: &str = "1555000";
/// The prefix of a test world's keys.
pub(crate) const PREFIX: &str = "world";
/// Without an event for so long, nothing is under way any more.
const CALM: Duration = Duration::from_millis(400);

/// A world with one API and one worker, and plain clients at the same sandbox.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) plain: PlainProcess,
    pub(crate) store: Store,
    sessions: Vec<SessionRef>,
}

impl Stage {
    /// Starts all of it, without sessions.
    ///
    /// # Errors
    /// When a part does not start.
    pub(crate) async fn start() -> Result<Self> {
        Self::start_in(Self::world()).await
    }

    /// The world of a stage. Its Redis syncs once a second, as in the headline of (a): the plain
    /// side keeps nothing on a disk, and what `always` costs (a) shows by itself.
    pub(crate) fn world() -> WorldBuilder {
        // One organization takes all there is.
        World::builder()
            .persistence(Persistence::EverySecond)
            .api_env("GATEWAY_QUOTA__REQUESTS_PER_MIN", "0")
            .api_env("GATEWAY_QUOTA__BYTES_PER_MIN", "0")
            .api_env("GATEWAY_QUOTA__WAITING", "0")
    }

    /// The same in a world that is made otherwise.
    ///
    /// # Errors
    /// When a part does not start.
    pub(crate) async fn start_in(world: WorldBuilder) -> Result<Self> {
        let world = world.start().await?;
        let plain = PlainProcess::start(&world.sandbox, &world.folder().join("logs")).await?;
        let redis = RedisConfig {
            urls: vec![world.redis.url()],
            prefix: PREFIX.to_owned(),
            ..Config::defaults()?.redis
        };
        let store = Store::open(&redis).await?;
        // Redis may not compact its file in the middle of a round.
        let mut quiet = redis::cmd("CONFIG");
        quiet.arg("SET").arg("auto-aof-rewrite-percentage").arg(0);
        let () = quiet.query_async(&mut store.connection.clone()).await?;
        Ok(Self {
            world,
            plain,
            store,
            sessions: Vec::new(),
        })
    }

    /// The gateway's sessions, all connected.
    pub(crate) fn sessions(&self) -> &[SessionRef] {
        &self.sessions
    }

    /// Pairs sessions and plain clients until there are `count` of each.
    ///
    /// # Errors
    /// When one of them can not be paired.
    pub(crate) async fn grow(&mut self, count: usize) -> Result<()> {
        self.plain.grow(count).await?;
        self.pair(count).await
    }

    /// Pairs sessions until there are `count` of them.
    ///
    /// # Errors
    /// When one of them can not be paired.
    pub(crate) async fn pair(&mut self, count: usize) -> Result<()> {
        let (api, sandbox) = (self.world.api(0), self.world.sandbox());
        let organization: OrganizationId = self.world.organization().parse()?;
        let new: Vec<SessionId> = futures_util::stream::iter(self.sessions.len()..count)
            .map(async |number| {
                let id = api.create_session(&format!("bench {number}"), 0, 0).await?;
                pair(&api, &sandbox, &id, &format!("{PHONE}{number:04}")).await?;
                anyhow::Ok(id.parse()?)
            })
            .buffer_unordered(PAIRING_AT_ONCE)
            .try_collect()
            .await?;
        self.sessions
            .extend(new.into_iter().map(|session| SessionRef {
                organization: organization.clone(),
                session,
            }));
        Ok(())
    }

    /// People to write to; their JIDs.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub(crate) async fn peers(&mut self, count: usize) -> Result<Vec<String>> {
        let mut peers = Vec::new();
        for _ in 0..count {
            peers.push(self.world.create_peer().await?.jid);
        }
        Ok(peers)
    }

    /// Waits until nothing is written any more: receipts of what was measured have come in.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub(crate) async fn calm(&self) -> Result<()> {
        let organization: OrganizationId = self.world.organization().parse()?;
        let root = self.store.keys.partition(&organization);
        let mut size = redis::cmd("XLEN");
        size.arg(key(PARTITION, &root, "events", &[]));
        let mut before = None;
        loop {
            let now: u64 = size.query_async(&mut self.store.connection.clone()).await?;
            if before.replace(now) == Some(now) {
                return Ok(());
            }
            tokio::time::sleep(CALM).await;
        }
    }

    /// Ends it and removes its files.
    pub(crate) fn end(self) {
        drop(self.plain);
        remove(self.world);
    }
}

/// Ends a world and removes its files.
pub(crate) fn remove(world: World) {
    let folder = world.folder().to_owned();
    drop(world);
    // What can not be removed is in the system's folder for such things.
    let _ = std::fs::remove_dir_all(folder);
}
