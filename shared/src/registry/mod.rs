//! The registry of workers: who lives, and who must be presumed dead.
//!
//! A worker proves its life by one heartbeat, not one per session. A worker silent for longer than
//! the configured liveness is *buried* by any other: its id leaves the registry, its later
//! heartbeats are refused, and its sessions become free. Only then may a session of it be acquired
//! (see [`Sessions::acquire`](crate::session::Sessions::acquire)). The silent worker itself stops
//! acting a margin before it can be buried, by its own monotonic clock (law 3).

use std::collections::HashMap;
use std::sync::Arc;

use redis::{AsyncCommands, Value};
use serde::Serialize;

use tokio::time::Instant;

use crate::clock::{Millis, SystemClock};
use crate::domain::{OrganizationId, SessionId, WorkerId};
use crate::lane::SessionRef;
use crate::redis::keys::{GLOBAL, key};
use crate::redis::{LuaScript, RedisFailure, Store, script, unexpected};
use crate::session::parse_member;

/// The registry behind a Redis.
#[derive(Debug, Clone)]
pub struct Registry {
    store: Store,
    scripts: Arc<Scripts>,
}

#[derive(Debug)]
struct Scripts {
    heartbeat: LuaScript,
    evict: LuaScript,
}

/// What a worker says of itself with each heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerInfo {
    /// Its id.
    pub id: WorkerId,
    /// The version of the program.
    pub version: String,
    /// The machine and process it runs as, for people.
    pub host: String,
    /// How many sessions it owns.
    pub sessions: u32,
    /// How many it is willing to own.
    pub capacity: u32,
    /// What its process holds in memory, in bytes; 0 = it does not say.
    pub memory_bytes: u64,
    /// What its process used of one core since its last sign of life, in percent.
    pub cpu_percent: u32,
    /// Whether an operator drains it: it gives its sessions to others and takes none.
    pub draining: bool,
    /// When it joined.
    pub started_at: Millis,
    /// Its last sign of life.
    pub heartbeat_at: Millis,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// All is well.
    Alive {
        /// Live workers, the caller included.
        workers: u32,
        /// Sessions that should run.
        running: u32,
        /// Whether an operator drains the caller.
        draining: bool,
    },
    /// The caller was presumed dead: it owns nothing any more and must start anew.
    Buried,
}

impl Registry {
    /// The registry behind `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let clock = store.clock();
        let make = |source| LuaScript::global(&[&clock, source]);
        let scripts = Scripts {
            heartbeat: make(include_str!("lua/heartbeat.lua")),
            evict: make(include_str!("lua/evict.lua")),
        };
        Self {
            store,
            scripts: Arc::new(scripts),
        }
    }

    fn root(&self) -> String {
        self.store.keys.global()
    }

    /// Gives a sign of life, or (`join`) the first one.
    ///
    /// # Errors
    /// When Redis does not answer: the sign may or may not have been seen.
    pub async fn heartbeat(
        &self,
        info: &WorkerInfo,
        join: bool,
    ) -> Result<Heartbeat, RedisFailure> {
        let root = self.root();
        let mut call = self.scripts.heartbeat.on(&root);
        call.arg(info.heartbeat_at)
            .arg(info.id.as_str())
            .arg(u8::from(join));
        call.arg("version")
            .arg(&info.version)
            .arg("host")
            .arg(&info.host);
        call.arg("sessions")
            .arg(info.sessions)
            .arg("capacity")
            .arg(info.capacity);
        call.arg("startedAt").arg(info.started_at);
        call.arg("memoryBytes")
            .arg(info.memory_bytes)
            .arg("cpuPercent")
            .arg(info.cpu_percent);
        let reply: Vec<Value> = script::run(&self.store.connection, &call).await?;
        let number =
            |index: usize| -> Option<u32> { redis::from_redis_value_ref(reply.get(index)?).ok() };
        match (number(1), number(2)) {
            (Some(workers), Some(running)) => Ok(Heartbeat::Alive {
                workers,
                running,
                draining: number(3) == Some(1),
            }),
            _ if reply.len() == 1 => Ok(Heartbeat::Buried),
            _ => Err(unexpected("heartbeat.lua")),
        }
    }

    /// Buries the workers silent for longer than `liveness_ms`; returns them.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn evict(
        &self,
        now: Millis,
        liveness_ms: u64,
    ) -> Result<Vec<WorkerId>, RedisFailure> {
        let root = self.root();
        let mut call = self.scripts.evict.on(&root);
        call.arg(now).arg(liveness_ms).arg("");
        let buried: Vec<String> = script::run(&self.store.connection, &call).await?;
        Ok(buried.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Leaves: the worker has given its sessions up. What it still owned becomes free.
    ///
    /// # Errors
    /// When Redis does not answer; the worker is then buried in time.
    pub async fn leave(&self, worker: &WorkerId) -> Result<(), RedisFailure> {
        let root = self.root();
        let mut call = self.scripts.evict.on(&root);
        call.arg(0).arg(0).arg(worker.as_str());
        let _: Vec<String> = script::run(&self.store.connection, &call).await?;
        Ok(())
    }

    /// The registered workers, oldest first.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn workers(&self) -> Result<Vec<WorkerInfo>, RedisFailure> {
        let root = self.root();
        let mut connection = self.store.connection.clone();
        let mut ids: Vec<String> = connection
            .zrange(key(GLOBAL, &root, "workers", &[]), 0, -1)
            .await?;
        ids.sort_unstable();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut reads = redis::pipe();
        for id in &ids {
            reads.hgetall(key(GLOBAL, &root, "worker", &[id]));
        }
        let records: Vec<HashMap<String, String>> = reads.query_async(&mut connection).await?;
        Ok(ids
            .iter()
            .zip(&records)
            .filter_map(|(id, fields)| info(id, fields))
            .collect())
    }

    /// Drains a worker (its sessions go to others, a few with each heartbeat, and it takes none), or
    /// lets it take its share again; false where none of this id is registered. A worker that starts
    /// again has a new id and is not drained.
    ///
    /// # Errors
    /// When Redis does not answer; asking again is harmless.
    pub async fn drain(&self, worker: &WorkerId, drain: bool) -> Result<bool, RedisFailure> {
        if !self.is_registered(worker).await? {
            return Ok(false);
        }
        let record = key(GLOBAL, &self.root(), "worker", &[worker.as_str()]);
        let mut connection = self.store.connection.clone();
        let () = if drain {
            connection.hset(record, "drain", 1).await?
        } else {
            connection.hdel(record, "drain").await?
        };
        Ok(true)
    }

    /// Whether `worker` is to sweep on behalf of the pool: nobody has for `period_ms`.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn claim_sweep(
        &self,
        worker: &WorkerId,
        period_ms: u64,
    ) -> Result<bool, RedisFailure> {
        let mut claim = redis::cmd("SET");
        claim
            .arg(key(GLOBAL, &self.root(), "sweep", &[]))
            .arg(worker.as_str())
            .arg("NX")
            .arg("PX")
            .arg(period_ms);
        let claimed: Option<String> = claim
            .query_async(&mut self.store.connection.clone())
            .await?;
        Ok(claimed.is_some())
    }

    /// Whether a worker is registered at present.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn is_registered(&self, worker: &WorkerId) -> Result<bool, RedisFailure> {
        let workers = key(GLOBAL, &self.root(), "workers", &[]);
        let score: Option<f64> = self
            .store
            .connection
            .clone()
            .zscore(workers, worker.as_str())
            .await?;
        Ok(score.is_some())
    }

    /// Up to `most` sessions that are believed to have no owner, in no order.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn free(&self, most: usize) -> Result<Vec<SessionRef>, RedisFailure> {
        let set = key(GLOBAL, &self.root(), "free", &[]);
        let most = isize::try_from(most).unwrap_or(isize::MAX);
        let members: Vec<String> = self
            .store
            .connection
            .clone()
            .srandmember_multiple(set, most)
            .await?;
        Ok(members
            .iter()
            .filter_map(|member| parse_member(member))
            .collect())
    }

    /// All sessions that should run.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn running(&self) -> Result<Vec<SessionRef>, RedisFailure> {
        let set = key(GLOBAL, &self.root(), "running", &[]);
        let members: Vec<String> = self.store.connection.clone().smembers(set).await?;
        Ok(members
            .iter()
            .filter_map(|member| parse_member(member))
            .collect())
    }

    /// How many sessions should run.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn running_count(&self) -> Result<usize, RedisFailure> {
        let set = key(GLOBAL, &self.root(), "running", &[]);
        Ok(self.store.connection.clone().scard(set).await?)
    }

    /// All sessions there are, also the stopped ones.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn directory(&self) -> Result<Vec<SessionRef>, RedisFailure> {
        let hash = key(GLOBAL, &self.root(), "directory", &[]);
        let all: HashMap<String, String> = self.store.connection.clone().hgetall(hash).await?;
        let parse = |(session, organization): (String, String)| {
            let session = session.parse().ok()?;
            Some(SessionRef {
                organization: organization.parse().ok()?,
                session,
            })
        };
        Ok(all.into_iter().filter_map(parse).collect())
    }

    /// Whose a session is, if there is such a session anywhere.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn organization_of(
        &self,
        session: &SessionId,
    ) -> Result<Option<OrganizationId>, RedisFailure> {
        let hash = key(GLOBAL, &self.root(), "directory", &[]);
        let id: Option<String> = self
            .store
            .connection
            .clone()
            .hget(hash, session.as_str())
            .await?;
        Ok(id.and_then(|id| id.parse().ok()))
    }

    /// Sets `clock` by Redis' own, so that all processes know when something is due.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn follow_clock(&self, clock: &SystemClock) -> Result<(), RedisFailure> {
        let asked = Instant::now();
        let (seconds, micros): (i64, i64) = redis::cmd("TIME")
            .query_async(&mut self.store.connection.clone())
            .await?;
        let middle = asked + asked.elapsed() / 2;
        clock.follow(seconds * 1_000 + micros / 1_000, middle);
        Ok(())
    }
}

fn info(id: &str, fields: &HashMap<String, String>) -> Option<WorkerInfo> {
    let number = |name: &str| fields.get(name).and_then(|value| value.parse().ok());
    Some(WorkerInfo {
        id: id.parse().ok()?,
        version: fields.get("version").cloned().unwrap_or_default(),
        host: fields.get("host").cloned().unwrap_or_default(),
        sessions: number("sessions").unwrap_or(0),
        capacity: number("capacity").unwrap_or(0),
        memory_bytes: fields
            .get("memoryBytes")
            .and_then(|value| value.parse().ok())
            .unwrap_or(0),
        cpu_percent: number("cpuPercent").unwrap_or(0),
        draining: fields.contains_key("drain"),
        started_at: fields.get("startedAt")?.parse().ok()?,
        heartbeat_at: fields.get("heartbeatAt")?.parse().ok()?,
    })
}
