//! (b) Completed sends: one worker against a plain loop of sends, at the same sandbox.
//!
//! The plain side: as many whatsapp-rust clients as there are sessions, in a process of their own,
//! each sending one message after the other and awaiting the server's acknowledgement of each; all
//! clients at once. The gateway's side: the same number of messages from as many sessions waits in
//! the lanes, which are paused until a moment; from that moment until the last `sent` event is
//! written, the worker claims, encrypts, sends, awaits the acknowledgement and settles, with all
//! that goes through Redis. The receipts that the peers send in between are part of both sides.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt};
use gateway_shared::clock::{Millis, SystemClock};
use gateway_shared::config::Config;
use gateway_shared::domain::{Content, Jid, MessageContext, OutboxId, new_message_id};
use gateway_shared::lane::{EnqueueOutcome, EnqueueRequest, Lanes, Mode, SessionRef};
use gateway_shared::redis::keys::{PARTITION, key};
use serde::Serialize;

use crate::figures::Duel;
use crate::plain::TEXT;
use crate::plan::Plan;
use crate::process::cpu_time;
use crate::stage::Stage;

/// People written to; every session writes to all of them in turn.
const PEERS: usize = 16;
/// Acceptances under way while the lanes are filled.
const FILLING_AT_ONCE: usize = 64;
/// How often the lanes are looked at while they empty.
const GLANCE: Duration = Duration::from_millis(100);
/// How long a round may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Completed sends a second, for one number of sessions.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// Sessions of the worker, and plain clients.
    pub(crate) sessions: usize,
    /// Messages of a round, over all sessions.
    pub(crate) messages: usize,
    /// Sends a second.
    #[serde(flatten)]
    pub(crate) rates: Duel,
    /// Gateway over plain loop.
    pub(crate) ratio: f64,
    /// What the gateway's sends took of the processors, round by round.
    pub(crate) gateway_micros: Vec<Micros>,
    /// What the plain loop's sends took; its clients stand in the place of the worker.
    pub(crate) plain_micros: Vec<Micros>,
}

/// Microseconds of processor a send, while all of them left. Two cores have two million a second.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Micros {
    /// In Redis.
    pub(crate) redis: f64,
    /// In the worker, or in the plain clients.
    pub(crate) client: f64,
    /// In the sandbox.
    pub(crate) sandbox: f64,
}

/// One round of the gateway.
pub(crate) struct Round {
    /// Sends a second.
    pub(crate) rate: f64,
    micros: Micros,
}

/// The time that Redis, the worker, the plain clients and the sandbox have had so far.
struct Spent([Duration; 4]);

impl Spent {
    fn so_far(stage: &Stage) -> Result<Self> {
        let world = &stage.world;
        Ok(Self([
            cpu_time(world.redis.program())?,
            cpu_time(&world.workers[0].program)?,
            stage.plain.cpu_time()?,
            cpu_time(&world.sandbox.program)?,
        ]))
    }

    /// What each of `sends` took since `before`; the worker and the clients take turns.
    fn since(&self, before: &Self, sends: usize) -> Micros {
        let mut each = [0.0; 4];
        for (each, (now, then)) in each.iter_mut().zip(self.0.iter().zip(before.0)) {
            *each = now.saturating_sub(then).as_secs_f64() * 1_000_000.0 / sends as f64;
        }
        let [redis, worker, clients, sandbox] = each;
        Micros {
            redis,
            client: worker + clients,
            sandbox,
        }
    }
}

/// Measures all of it.
///
/// # Errors
/// When a part does not start or a send fails.
pub(crate) async fn measure(plan: &Plan) -> Result<Vec<Measured>> {
    let mut stage = Stage::start().await?;
    let peers = stage.peers(PEERS).await?;
    let lanes = Lanes::new(stage.store.clone(), Config::defaults()?.retention);
    let mut all = Vec::new();
    for &(sessions, messages) in &plan.sending {
        stage.grow(sessions).await?;
        let each = messages / sessions;
        // The first message to a person costs a handshake; both sides have made it before.
        stage.plain.send(sessions, PEERS, &peers).await?;
        gateway_round(&stage, &lanes, sessions, PEERS, &peers).await?;
        let mut rates = Duel::default();
        let (mut gateway_micros, mut plain_micros) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            stage.calm().await?;
            let round = gateway_round(&stage, &lanes, sessions, each, &peers).await?;
            rates.gateway.push(round.rate);
            gateway_micros.push(round.micros);
            stage.calm().await?;
            let before = Spent::so_far(&stage)?;
            let (rate, _) = stage.plain.send(sessions, each, &peers).await?;
            rates.plain.push(rate);
            plain_micros.push(Spent::so_far(&stage)?.since(&before, each * sessions));
        }
        let ratio = rates.ratio();
        all.push(Measured {
            sessions,
            messages: each * sessions,
            rates,
            ratio,
            gateway_micros,
            plain_micros,
        });
    }
    stage.end();
    Ok(all)
}

/// Fills the lanes of the first `sessions` sessions with `each` messages and lets the worker
/// empty them.
pub(crate) async fn gateway_round(
    stage: &Stage,
    lanes: &Lanes,
    sessions: usize,
    each: usize,
    peers: &[String],
) -> Result<Round> {
    let sessions = &stage.sessions()[..sessions];
    let total = sessions.len() * each;
    // Longer than the filling takes, also on a slow machine.
    let begin = SystemClock::local() + 500 + i64::try_from(total / 3)?;
    for session in sessions {
        let now = SystemClock::local();
        lanes.pause(now, session, Some(begin), "bench").await?;
    }
    let chats: Vec<Jid> = peers
        .iter()
        .map(|peer| peer.parse())
        .collect::<Result<_, _>>()?;
    let sends = (0..each).flat_map(|number| {
        let chats = &chats;
        sessions.iter().enumerate().map(move |(place, session)| {
            acceptance(session, &chats[(place + number) % chats.len()])
        })
    });
    futures_util::stream::iter(sends)
        .map(|send| async move {
            let accepted = lanes.accept(SystemClock::local(), &send).await?;
            ensure!(
                matches!(accepted, EnqueueOutcome::New { .. }),
                "not accepted: {accepted:?}"
            );
            Ok(())
        })
        .buffer_unordered(FILLING_AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    let left = begin - SystemClock::local();
    let left = u64::try_from(left).context("the lanes could not be filled in time")?;
    tokio::time::sleep(Duration::from_millis(left)).await;
    let before = Spent::so_far(stage)?;
    wait_until_empty(stage, sessions).await?;
    let micros = Spent::so_far(stage)?.since(&before, total);
    let end = last_sent(stage, sessions, begin, total).await?;
    let rate = total as f64 / ((end - begin) as f64 / 1_000.0);
    Ok(Round { rate, micros })
}

fn acceptance(from: &SessionRef, to: &Jid) -> EnqueueRequest {
    let now = SystemClock::local();
    EnqueueRequest {
        from: from.clone(),
        id: OutboxId::generate(now),
        wa_message_id: new_message_id(),
        to: to.clone(),
        content: Content::Text {
            text: TEXT.to_owned(),
            context: MessageContext::default(),
        },
        mode: Mode::Async,
        expires_at: None,
        time_to_live_ms: 3_600_000,
        send_at: 0,
        request_id: "bench".to_owned(),
        idempotency: None,
        waiter: None,
        max_depth: u32::MAX,
    }
}

async fn wait_until_empty(stage: &Stage, sessions: &[SessionRef]) -> Result<()> {
    let mut look = redis::pipe();
    for SessionRef {
        organization,
        session,
    } in sessions
    {
        let root = stage.store.keys.partition(organization);
        let name = |family| key(PARTITION, &root, family, &[session.as_str()]);
        look.hget(name("lane"), "depth").hlen(name("flying"));
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left: Vec<Option<u64>> = look
            .query_async(&mut stage.store.connection.clone())
            .await?;
        if left.iter().all(|count| count.unwrap_or(0) == 0) {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "the lanes do not become empty: {left:?}"
        );
        tokio::time::sleep(GLANCE).await;
    }
}

/// When the last of `total` sends since `begin` was told to be sent, by Redis' clock.
async fn last_sent(
    stage: &Stage,
    sessions: &[SessionRef],
    begin: Millis,
    total: usize,
) -> Result<Millis> {
    let organization = &sessions.first().context("no sessions")?.organization;
    let root = stage.store.keys.partition(organization);
    let mut range = redis::cmd("XRANGE");
    range
        .arg(key(PARTITION, &root, "events", &[]))
        .arg(begin)
        .arg("+");
    let events: Vec<(String, Vec<String>)> = range
        .query_async(&mut stage.store.connection.clone())
        .await?;
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    let mut last = begin;
    for (id, fields) in &events {
        let payload = fields.iter().find(|field| field.starts_with('{'));
        let Some(payload) = payload else { continue };
        let payload: serde_json::Value = serde_json::from_str(payload)?;
        let status = payload["status"].as_str().unwrap_or_default();
        *tally.entry(status.to_owned()).or_default() += 1;
        if status == "sent" {
            last = id.split('-').next().unwrap_or_default().parse()?;
        }
    }
    ensure!(
        tally.get("sent") == Some(&total),
        "{total} sends, and these statuses since they may leave: {tally:?}"
    );
    Ok(last)
}
