//! (a) Asynchronous acceptance: a `gateway-api` process against a bare axum handler in a process of
//! its own, which reads the same body and runs the same `accept.lua` on the same Redis.
//!
//! Both get the same requests from the same load generator, over as many connections, in turns.
//! After each round Redis is put back to what it held before, so that neither works in the other's
//! leavings. There is no worker: what is measured is acceptance alone.

mod bare;
mod snapshot;

use std::path::Path;

use anyhow::{Context, Result};
use gateway_tests::process::{Launch, Persistence, Program};
use gateway_tests::world::World;
use serde::Serialize;
use serde_json::json;

use crate::figures::Duel;
use crate::http::Requests;
use crate::plan::Plan;
use crate::process::own_binary;
use crate::stage::{PREFIX, remove};

pub(crate) use bare::{BareArguments, serve as serve_bare};
use snapshot::Snapshot;

/// More than a round can accept.
const LANE_DEPTH: u32 = 10_000_000;
/// Chats that the messages go to.
const CHATS: usize = 512;

/// Acceptances a second, for one persistence and number of connections.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// `appendfsync` of Redis.
    pub(crate) appendfsync: &'static str,
    /// HTTP connections, each with one request at a time.
    pub(crate) connections: usize,
    /// Answers a second.
    #[serde(flatten)]
    pub(crate) rates: Duel,
    /// Gateway over bare handler.
    pub(crate) ratio: f64,
}

/// Measures all of it.
///
/// # Errors
/// When a part does not start or an answer is not 202.
pub(crate) async fn measure(plan: &Plan) -> Result<Vec<Measured>> {
    let mut all = Vec::new();
    for persistence in [Persistence::EverySecond, Persistence::Always] {
        all.extend(measure_with(plan, persistence).await?);
    }
    Ok(all)
}

async fn measure_with(plan: &Plan, persistence: Persistence) -> Result<Vec<Measured>> {
    let world = World::builder()
        .workers(0)
        .persistence(persistence)
        .api_env("GATEWAY_SEND__MAX_LANE_DEPTH", &LANE_DEPTH.to_string())
        .start()
        .await?;
    let stopped = json!({ "label": "bench", "start": false, "ratePerMin": 0, "ratePerHour": 0 });
    let api = world.api(0);
    let session = api
        .post("/sessions", &stopped)
        .await?
        .expect(201)?
        .text("id")?;
    // As if it had been paired: nothing is accepted for a session without a number.
    let record = format!("{PREFIX}:{{{}}}:s:{session}", world.organization());
    let pair = format!("HSET {record} waJid 15550001111@s.whatsapp.net");
    let _: i64 = world.redis.ask(&pair).await?;
    let bare = start_bare(&world, &session, world.folder()).await?;

    let bodies: Vec<String> = (0..CHATS)
        .map(|chat| {
            let to = format!("1555{:07}", 2_000_000 + chat);
            json!({ "type": "text", "to": to, "text": "A message of an ordinary length." })
                .to_string()
        })
        .collect();
    let path = format!("/api/v1/sessions/{session}/messages?async=true");
    let gateway = Requests::post(api.address(), &path, api.key(), &bodies, 202)?;
    let plain = Requests::post(&bare.1, "/", "", &bodies, 202)?;

    let mut redis = world.redis.connect().await?;
    // Both sides, once: scripts are loaded, keys are cached.
    gateway.ask(&mut gateway.connect().await?, 0).await?;
    plain.ask(&mut plain.connect().await?, 0).await?;
    let before = Snapshot::take(&mut redis).await?;

    let mut all = Vec::new();
    for &connections in &plan.connections {
        let mut rates = Duel::default();
        for _ in 0..plan.rounds {
            rates
                .gateway
                .push(gateway.rate(connections, plan.accepting).await?);
            before.restore(&mut redis).await?;
            rates
                .plain
                .push(plain.rate(connections, plan.accepting).await?);
            before.restore(&mut redis).await?;
        }
        let ratio = rates.ratio();
        all.push(Measured {
            appendfsync: persistence.as_str(),
            connections,
            rates,
            ratio,
        });
    }
    drop(bare);
    remove(world);
    Ok(all)
}

/// Starts the bare handler for a session: the process and its address.
async fn start_bare(world: &World, session: &str, folder: &Path) -> Result<(Program, String)> {
    let launch = Launch::new("bare-handler", own_binary()?, &folder.join("logs")).args([
        "bare-handler",
        "--redis",
        &world.redis.url(),
        "--prefix",
        PREFIX,
        "--organization",
        world.organization(),
        "--session",
        session,
        "--max-depth",
        &LANE_DEPTH.to_string(),
    ]);
    let mut program = Program::start(launch)?;
    let line = program.wait_for_json("listen").await?;
    let address = line["listen"].as_str().context("`listen` is no text")?;
    Ok((program, format!("http://{address}")))
}
