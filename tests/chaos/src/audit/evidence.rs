//! What the sandbox, the event log and the outboxes say.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gateway_tests::client::{ApiClient, Event, EventStream, LedgerEntry, PeerMessage};
use gateway_tests::receiver::Posted;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::endings::{Remains, may_stay};
use crate::hooks::Hooks;
use crate::lives::Life;
use crate::stage::{PREFIX, Stage};

/// Statuses of a send that is not settled.
const OPEN: [&str; 3] = ["scheduled", "queued", "sending"];

/// All that can be known from the outside.
#[derive(Debug)]
pub struct Evidence {
    /// By organization, in the order of the stage.
    pub tenants: Vec<TenantEvidence>,
    /// What the server accepted of each session's phone, in order.
    pub ledger: HashMap<String, Vec<LedgerEntry>>,
    /// What each peer's phone shows, in order.
    pub shown: HashMap<String, Vec<PeerMessage>>,
    /// What the webhook of each organization accepted, every event once, in order.
    pub delivered: Vec<Vec<Posted>>,
    /// Messages of peers that a session could not read at first, or asked for again, by their
    /// WhatsApp ids.
    pub asked_again: HashSet<String>,
    /// What is left of each session that was ended.
    pub remains: HashMap<String, Remains>,
    /// Writes of former owners that Redis refused.
    pub refused: u64,
}

/// What one organization can see.
#[derive(Debug)]
pub struct TenantEvidence {
    /// Its event log.
    pub events: Vec<Event>,
    /// What somebody saw who followed its events through all that happened.
    pub followed: Vec<Event>,
    /// The outboxes of its sessions.
    pub outbox: HashMap<String, Vec<Value>>,
}

impl Evidence {
    /// Gathers it, from everything as it is now.
    ///
    /// # Errors
    /// When a part does not answer.
    pub async fn gather(
        stage: &Stage,
        followers: &[EventStream],
        hooks: Option<&Hooks>,
        lived: &[Life],
    ) -> Result<Self> {
        let (mut tenants, mut ledger, mut shown) = (Vec::new(), HashMap::new(), HashMap::new());
        let admin = stage.admin();
        let mut asked_again = HashSet::new();
        for (tenant, follower) in stage.tenants.iter().zip(followers) {
            let api = api(stage, &tenant.key.secret)?;
            let mut outbox = HashMap::new();
            for session in &tenant.sessions {
                let (id, phone) = (&session.paired.id, &session.paired.phone);
                outbox.insert(id.clone(), api.whole_outbox(id).await?);
                ledger.insert(phone.clone(), admin.ledger(phone).await?);
            }
            for peer in &tenant.peers {
                shown.insert(peer.phone.clone(), admin.messages(&peer.phone).await?);
                let wrote = admin.ledger(&peer.phone).await?.into_iter();
                asked_again.extend(
                    wrote
                        .filter(|entry| entry.attempt > 1)
                        .map(|entry| entry.id),
                );
            }
            let events = api.event_log(follower.began()).await?;
            // Asked for from its sender, or given by our own phone.
            let unread = events
                .iter()
                .filter(|event| event.kind() == "message.undecryptable");
            asked_again.extend(unread.map(|event| event.text("waMessageId").to_owned()));
            tenants.push(TenantEvidence {
                events,
                followed: follower.seen(),
                outbox,
            });
        }
        Ok(Self {
            tenants,
            ledger,
            shown,
            delivered: hooks.map(Hooks::delivered).unwrap_or_default(),
            asked_again,
            remains: remains(stage, lived).await?,
            refused: refused(stage).await?,
        })
    }

    /// Stanzas that the server accepted.
    #[must_use]
    pub fn copies(&self) -> usize {
        self.ledger.values().map(Vec::len).sum()
    }

    /// Sends that were accepted and not called back: those that are to leave.
    #[must_use]
    pub fn accepted(&self) -> usize {
        let outboxes = self
            .tenants
            .iter()
            .flat_map(|tenant| tenant.outbox.values());
        let cancelled = |entry: &&Value| entry["status"] == "cancelled";
        outboxes.flatten().filter(|entry| !cancelled(entry)).count()
    }
}

fn api(stage: &Stage, key: &str) -> Result<ApiClient> {
    let api = stage.apis.first().context("no API")?;
    Ok(api.process.client(key))
}

/// Waits until nothing waits any more; says how many sends still do at the end of `limit`.
///
/// # Errors
/// When a part does not answer.
pub async fn drain(stage: &Stage, limit: Duration) -> Result<usize> {
    let deadline = Instant::now() + limit;
    loop {
        let mut waiting = 0;
        for tenant in &stage.tenants {
            let api = api(stage, &tenant.key.secret)?;
            for session in &tenant.sessions {
                for status in OPEN {
                    let path = format!(
                        "/sessions/{}/outbox?status={status}&limit=200",
                        session.paired.id
                    );
                    let page = api.get(&path).await?.expect(200)?;
                    waiting += page.at("data").as_array().map_or(0, Vec::len);
                }
            }
        }
        if waiting == 0 || Instant::now() > deadline {
            return Ok(waiting);
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// The product's own count of refusals: in the partitions, and in the fences of the key material.
async fn refused(stage: &Stage) -> Result<u64> {
    let mut refused = 0;
    let mut count = async |command: String| -> Result<Option<u64>> {
        let answer = read(stage, &command).await?;
        let number = answer.and_then(|text| text.parse().ok());
        refused += number.unwrap_or(0);
        Ok(number)
    };
    for tenant in &stage.tenants {
        let partition = format!("{PREFIX}:{{{}}}", tenant.key.organization);
        count(format!("GET {partition}:refused")).await?;
        for session in &tenant.sessions {
            let fence = format!("{PREFIX}:{{{}}}:fence", session.paired.id);
            count(format!("HGET {fence} refused")).await?;
            if read(stage, &format!("HGET {fence} epoch")).await?.is_none() {
                bail!("{fence} has no epoch: the names of the keys have changed");
            }
        }
    }
    Ok(refused)
}

/// What the API and Redis still have of sessions that were ended.
async fn remains(stage: &Stage, lived: &[Life]) -> Result<HashMap<String, Remains>> {
    let mut all = HashMap::new();
    for life in lived {
        let tenant = stage.tenants.get(life.tenant).context("no tenant")?;
        let path = format!("/sessions/{}", life.session);
        let known = api(stage, &tenant.key.secret)?.get(&path).await?;
        let mut left = Remains {
            status: known.at("status").as_str().unwrap_or_default().to_owned(),
            paired: known.at("waJid").is_string(),
            keys: Vec::new(),
        };
        for server in &stage.redis.servers {
            if server.is_master().await {
                let keys: Vec<String> = server.ask(&format!("KEYS *{}*", life.session)).await?;
                let stays = |key: &String| !may_stay(key, life);
                left.keys.extend(keys.into_iter().filter(stays));
            }
        }
        all.insert(life.session.clone(), left);
    }
    Ok(all)
}

/// The answer of the master that has the key of this command.
async fn read(stage: &Stage, command: &str) -> Result<Option<String>> {
    for server in &stage.redis.servers {
        // Who does not have the key's slot answers with an error, and a replica may be behind.
        if server.is_master().await
            && let Ok(answer) = server.ask(command).await
        {
            return Ok(answer);
        }
    }
    bail!("no master answers {command}")
}

/// The number in a JID (`1555:3@s.whatsapp.net`).
pub(super) fn number(jid: &str) -> &str {
    jid.split([':', '@']).next().unwrap_or_default()
}
