//! (h) Webhooks: deliveries a second of one worker to one endpoint against a bare reqwest loop with
//! as many requests in flight and the same bodies, to the same endpoint, in turns; and how long an
//! event of an idle organization takes to reach its endpoint.
//!
//! The events are written to the stream beforehand, so that what is measured is reading, signing,
//! posting and settling, and not what makes events.

mod endpoint;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use gateway_tests::client::{ApiClient, SendRequest, eventually};
use gateway_tests::world::World;
use serde::Serialize;
use serde_json::json;

use crate::figures::{Duel, percentile};
use crate::plan::Plan;
use crate::stage::PREFIX;
use endpoint::Endpoint;

/// Requests in flight, of either.
const IN_FLIGHT: usize = 16;
/// Chats that the events are of.
const CHATS: usize = 256;

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// Requests in flight.
    pub(crate) in_flight: usize,
    /// Deliveries of a round.
    pub(crate) deliveries: usize,
    /// Deliveries a second.
    #[serde(flatten)]
    pub(crate) rates: Duel,
    /// Worker over bare loop.
    pub(crate) ratio: f64,
    /// From an event's acceptance to its first byte at the endpoint while idle, in milliseconds.
    pub(crate) idle_p50_ms: f64,
    /// The same of all but one in a hundred.
    pub(crate) idle_p99_ms: f64,
}

/// Measures it.
///
/// # Errors
/// When a part does not start or something is not delivered.
pub(crate) async fn measure(plan: &Plan) -> Result<Measured> {
    let world = World::builder()
        .setting("GATEWAY_REDIS__PREFIX", PREFIX)
        .setting(
            "GATEWAY_WEBHOOKS__ENDPOINT_CONCURRENCY",
            &IN_FLIGHT.to_string(),
        )
        .start()
        .await?;
    let api = world.api(0);
    let endpoint = Endpoint::start()?;
    let body = json!({"url": endpoint.url(), "events": ["*"], "active": false});
    let made = api.post("/webhooks", &body).await?.expect(201)?;
    let id = made.text("id")?;
    let mut rates = Duel::default();
    for _ in 0..plan.rounds {
        write_events(&world, plan.deliveries).await?;
        let begun = Instant::now();
        let reached = endpoint.count() + plan.deliveries;
        let path = format!("/webhooks/{id}:resume");
        api.post(&path, &json!({"from": "stopped"}))
            .await?
            .expect(200)?;
        endpoint.wait_for(reached).await?;
        let took = begun.elapsed().as_secs_f64();
        rates.gateway.push(plan.deliveries as f64 / took);
        settle(&api, &id).await?;
        let patch = api.request(reqwest::Method::PATCH, &format!("/webhooks/{id}"));
        api.call(patch.json(&json!({"active": false})))
            .await?
            .expect(200)?;
        rates.plain.push(plain(&endpoint, plan.deliveries).await?);
    }
    let path = format!("/webhooks/{id}:resume");
    api.post(&path, &json!({"from": "now"}))
        .await?
        .expect(200)?;
    let latencies = idle(&api, &endpoint, plan.latency_sends.min(200)).await?;
    let ratio = rates.ratio();
    Ok(Measured {
        in_flight: IN_FLIGHT,
        deliveries: plan.deliveries,
        rates,
        ratio,
        idle_p50_ms: percentile(&latencies, 0.5),
        idle_p99_ms: percentile(&latencies, 0.99),
    })
}

/// The payload of an ordinary event.
fn payload(number: usize) -> String {
    let chat = format!("1555{:07}@s.whatsapp.net", number % CHATS);
    json!({
        "waMessageId": format!("3EB0{number:016X}"),
        "chatJid": chat,
        "senderJid": chat,
        "fromMe": false,
        "pushName": "Somebody",
        "type": "text",
        "timestamp": 1_763_700_000_000_i64,
        "text": "A message of an ordinary length, as people write them.",
    })
    .to_string()
}

async fn write_events(world: &World, events: usize) -> Result<()> {
    let stream = format!("{PREFIX}:{{{}}}:ev", world.organization());
    let mut connection = world.redis.connect().await?;
    for first in (0..events).step_by(1_000) {
        let mut writes = redis::pipe();
        for number in first..(first + 1_000).min(events) {
            writes
                .cmd("XADD")
                .arg(&stream)
                .arg("*")
                .arg(&[
                    "event",
                    "message",
                    "session",
                    "bench",
                    "timestamp",
                    "1763700000000",
                ])
                .arg("payload")
                .arg(payload(number))
                .ignore();
        }
        let () = writes.query_async(&mut connection).await?;
    }
    Ok(())
}

/// Waits until everything that was delivered is settled too.
async fn settle(api: &ApiClient, id: &str) -> Result<()> {
    let mut before = None;
    let path = format!("/webhooks/{id}");
    eventually("all is settled", async || {
        let now = api.get(&path).await?.expect(200)?.json["health"]["delivered"].as_u64();
        let same = now == before && now.is_some();
        before = now;
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(same.then_some(()))
    })
    .await
}

/// Requests a second of a bare loop.
async fn plain(endpoint: &Endpoint, requests: usize) -> Result<f64> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .tcp_nodelay(true)
        .build()?;
    let url: Arc<str> = endpoint.url().into();
    let begun = Instant::now();
    stream::iter(0..requests)
        .map(|number| {
            let request = client
                .post(&*url)
                .header("content-type", "application/json")
                .body(payload(number));
            async move {
                let answer = request.send().await?;
                ensure!(answer.status().is_success(), "{}", answer.status());
                answer.bytes().await?;
                anyhow::Ok(())
            }
        })
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(requests as f64 / begun.elapsed().as_secs_f64())
}

/// From the request that causes an event to its arrival, while nothing else happens.
async fn idle(api: &ApiClient, endpoint: &Endpoint, times: usize) -> Result<Vec<f64>> {
    let stopped = json!({"label": "bench", "start": false, "ratePerMin": 0, "ratePerHour": 0});
    let session = api
        .post("/sessions", &stopped)
        .await?
        .expect(201)?
        .text("id")?;
    let mut latencies = Vec::with_capacity(times);
    for number in 0..times {
        let reached = endpoint.count() + 1;
        let send = SendRequest::text("15550001111", &format!("text {number}")).asynchronous();
        let begun = Instant::now();
        api.send(&session, &send).await?.expect(202)?;
        endpoint.wait_for(reached).await?;
        latencies.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    latencies.first().context("no latencies")?;
    Ok(latencies)
}
