//! Clients as they are: they send, give up waiting, and repeat what they are not sure about.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway_tests::client::{Answer, ApiClient, SandboxAdmin, SendRequest};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::inject::now;
use crate::lives::Life;
use crate::stage::{LIMIT, Session, Stage};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often it tries before it lets a send be.
const TRIES: u32 = 12;
/// How many of a limited session's sends come at once in the beginning, so that its limit is felt.
const RUSH: u32 = LIMIT / 2;

/// What a client knows of one send that it wanted. One without an Idempotency-Key is another send
/// with each try.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The organization: its place on the stage.
    pub tenant: usize,
    /// The session.
    pub session: String,
    /// What it says; no other send says the same.
    pub text: String,
    /// Outbox id and WhatsApp message id of each acknowledgement: 200, 202, or 502 after it was
    /// accepted. More than one where a client repeated itself under a key.
    pub acknowledged: Vec<(String, String)>,
}

/// What a peer wrote to a session.
#[derive(Debug, Clone)]
pub struct Written {
    /// To which session.
    pub session: String,
    /// The phone number of the peer.
    pub peer: String,
    /// The WhatsApp id of the message.
    pub id: String,
}

/// What all clients know in the end.
#[derive(Debug, Default)]
pub struct Journal {
    /// All sends that were acknowledged.
    pub sent: Vec<Sent>,
    /// What peers wrote, in each chat in its order.
    pub received: Vec<Written>,
    /// Outbox ids of sends that a client asked to cancel, whatever it was answered.
    pub cancelled: HashSet<String>,
    /// Sessions that came and went.
    pub lived: Vec<Life>,
    /// Answers that the contract does not allow.
    pub unexpected: Vec<String>,
    /// Answers that show another organization's session.
    pub leaks: Vec<String>,
    /// Requests that were made.
    pub requests: u64,
    /// Requests without an answer in time, and answers 503.
    pub repeated: u64,
}

type Shared = Arc<Mutex<Journal>>;

/// Clients at work.
#[derive(Debug)]
pub struct Clients {
    journal: Shared,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// One of the two ways in which a request can end.
enum Outcome {
    Accepted(String, String),
    Refused,
    /// Try again after this time.
    Again(Duration),
    Wrong(String),
}

impl Clients {
    /// Starts a client for each chat (for every fourth chat two), a peer for each session that
    /// writes to it, and one that looks into the other organizations' things.
    ///
    /// # Errors
    /// When an HTTP client can not be set up.
    pub fn start(stage: &Stage, seed: u64) -> Result<Self> {
        let journal = Shared::default();
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut number = 0;
        let mut random = || {
            number += 1;
            StdRng::seed_from_u64(seed ^ (number << 20))
        };
        for (place, tenant) in stage.tenants.iter().enumerate() {
            let apis: Result<Vec<_>> = stage
                .callers(tenant)
                .iter()
                .map(|api| api.within(PATIENCE))
                .collect();
            let apis = apis?;
            for session in &tenant.sessions {
                for (nth, peer) in tenant.peers.iter().enumerate() {
                    let clients = if nth == 0 { 2 } else { 1 };
                    for client in 0..clients {
                        let client = Client {
                            name: format!("{}|{}|{client}", session.paired.id, peer.phone),
                            tenant: place,
                            session: session.clone(),
                            chats: tenant.peers.len() + 1,
                            to: peer.phone.clone(),
                            apis: apis.clone(),
                            random: random(),
                            journal: Arc::clone(&journal),
                            stopped: stopped.clone(),
                        };
                        tasks.spawn(client.work());
                    }
                }
                for peer in &tenant.peers {
                    tasks.spawn(write_to(
                        session.clone(),
                        peer.phone.clone(),
                        stage.admin(),
                        random(),
                        Arc::clone(&journal),
                        stopped.clone(),
                    ));
                }
            }
            let others: Vec<String> = stage
                .tenants
                .iter()
                .filter(|other| other.key.organization != tenant.key.organization)
                .flat_map(|other| other.sessions.iter().map(|s| s.paired.id.clone()))
                .collect();
            let (spied, stopped) = (Arc::clone(&journal), stopped.clone());
            tasks.spawn(spy(apis, others, random(), spied, stopped));
        }
        Ok(Self {
            journal,
            stop,
            tasks,
        })
    }

    /// Lets each finish the send it is at, and gives what they know.
    pub async fn finish(mut self) -> Journal {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        std::mem::take(&mut lock(&self.journal))
    }
}

fn lock(journal: &Shared) -> std::sync::MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits, unless it is time to stop; then false.
async fn rest(pause: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        _ = stopped.wait_for(|stopped| *stopped) => false,
    }
}

/// A client of one chat, which wants one thing after the other.
struct Client {
    name: String,
    tenant: usize,
    session: Session,
    /// Clients of the session.
    chats: usize,
    to: String,
    apis: Vec<ApiClient>,
    random: StdRng,
    journal: Shared,
    stopped: watch::Receiver<bool>,
}

impl Client {
    async fn work(mut self) {
        let clients = u32::try_from(self.chats).unwrap_or(u32::MAX);
        let mut number = 0;
        loop {
            number += 1;
            self.want(number).await;
            let pause = match self.session.rate_per_min {
                0 => self.random.random_range(50..900),
                _ if number * clients < RUSH + LIMIT => 0,
                limit => {
                    // A little less than the limit allows.
                    let even = u64::from(60_000 * clients / limit);
                    self.random.random_range(even..even * 3 / 2)
                }
            };
            if !rest(Duration::from_millis(pause), &mut self.stopped).await {
                return;
            }
        }
    }

    /// Wants one message sent, and tries until it knows that it is.
    async fn want(&mut self, number: u32) {
        let synchronous = self.random.random_range(0..100) < 30;
        let keyed = self.random.random_range(0..100) < 60;
        let twice = keyed && self.random.random_range(0..100) < 10;
        let later = self.random.random_range(0..100) < 5;
        let send_at = now() + self.random.random_range(200..3_000);
        let regrets = self.random.random_range(0..100) < 3;
        let file = self.random.random_range(0..100) < 10;
        let name = format!("{}|{number}", self.name);
        let mut acknowledged = Vec::new();
        for attempt in 1..=TRIES {
            let text = if keyed {
                name.clone()
            } else {
                format!("{name}|{attempt}")
            };
            let send = if file {
                document(&self.to, &text)
            } else {
                SendRequest::text(&self.to, &text)
            };
            let mut send = send.request_id(&name);
            if !synchronous {
                send = send.asynchronous();
                if later {
                    send = send.with("sendAt", send_at);
                }
            }
            if keyed {
                send = send.key(&name);
            }
            let at = self.random.random_range(0..self.apis.len().max(1));
            let backoff = self.random.random_range(100..(200 << attempt.min(5)));
            let answer = self.apis[at].send(&self.session.paired.id, &send).await;
            let outcome = judge(answer, Duration::from_millis(backoff));
            lock(&self.journal).requests += 1;
            match outcome {
                Outcome::Accepted(outbox, message) => {
                    acknowledged.push((outbox, message));
                    if twice && acknowledged.len() < 2 {
                        continue;
                    }
                    if regrets {
                        self.cancel(&acknowledged).await;
                    }
                    self.note(text, acknowledged);
                    return;
                }
                Outcome::Refused => break,
                Outcome::Again(pause) => {
                    lock(&self.journal).repeated += 1;
                    if !rest(pause, &mut self.stopped).await {
                        break;
                    }
                }
                Outcome::Wrong(problem) => {
                    let problem = format!("{name}: {problem}");
                    lock(&self.journal).unexpected.push(problem);
                    break;
                }
            }
        }
        if !acknowledged.is_empty() {
            self.note(name, acknowledged);
        }
    }

    /// Asks once to cancel what was accepted; perhaps it is too late.
    async fn cancel(&mut self, acknowledged: &[(String, String)]) {
        let Some((outbox, _)) = acknowledged.last() else {
            return;
        };
        lock(&self.journal).cancelled.insert(outbox.clone());
        let at = self.random.random_range(0..self.apis.len().max(1));
        let path = format!("/sessions/{}/outbox/{outbox}", self.session.paired.id);
        if let Ok(answer) = self.apis[at].delete(&path).await
            && !matches!(answer.status, 200 | 409 | 503)
        {
            let problem = format!("cancel {outbox}: {} {}", answer.status, answer.json);
            lock(&self.journal).unexpected.push(problem);
        }
    }

    fn note(&self, text: String, acknowledged: Vec<(String, String)>) {
        lock(&self.journal).sent.push(Sent {
            tenant: self.tenant,
            session: self.session.paired.id.clone(),
            text,
            acknowledged,
        });
    }
}

/// A file of its own, with the text below it.
fn document(to: &str, text: &str) -> SendRequest {
    let file = STANDARD.encode(text.repeat(500));
    SendRequest::body(json!({
        "type": "document",
        "to": to,
        "media": { "data": file, "caption": text, "mimetype": "text/plain" },
    }))
}

/// What a client makes of an answer, or of none.
fn judge(answer: Result<Answer>, backoff: Duration) -> Outcome {
    // Nothing came in time, or the connection broke: a client can not know.
    let Ok(answer) = answer else {
        return Outcome::Again(backoff);
    };
    let after = answer.header("retry-after").and_then(|s| s.parse().ok());
    match (answer.status, answer.error_code()) {
        (200 | 202, _) => match (answer.text("outboxId"), answer.text("waMessageId")) {
            (Ok(outbox), Ok(message)) => Outcome::Accepted(outbox, message),
            _ => Outcome::Wrong(format!("{} without ids", answer.status)),
        },
        (502, "send_failed") => {
            let detail = |name: &str| answer.text(&format!("error/details/{name}"));
            match (detail("outboxId"), detail("waMessageId")) {
                (Ok(outbox), Ok(message)) => Outcome::Accepted(outbox, message),
                _ => Outcome::Wrong("502 without ids".to_owned()),
            }
        }
        // A repeat of a send that was cancelled meanwhile; only its first answer counts.
        (409, _) if answer.error_reason() == "cancelled" => Outcome::Refused,
        (429, "rate_limited") => match after {
            // A client that would wait for long wants something else instead.
            Some(seconds) if seconds <= 5 => Outcome::Again(Duration::from_secs(seconds)),
            Some(_) => Outcome::Refused,
            None => Outcome::Wrong("429 without Retry-After".to_owned()),
        },
        (503, "gateway_unavailable") => match after {
            Some(_) => Outcome::Again(backoff),
            None => Outcome::Wrong("503 without Retry-After".to_owned()),
        },
        (status, _) => Outcome::Wrong(format!("{status}: {}", answer.json)),
    }
}

/// A peer writes to a session, now and then in a rush.
async fn write_to(
    session: Session,
    peer: String,
    admin: SandboxAdmin,
    mut random: StdRng,
    journal: Shared,
    mut stopped: watch::Receiver<bool>,
) {
    for number in 1.. {
        let pause = match random.random_range(0..10) {
            0..3 => 0,
            _ => random.random_range(200..1_400),
        };
        if !rest(Duration::from_millis(pause), &mut stopped).await {
            return;
        }
        let text = format!("to {} {number}", session.paired.id);
        let message = match random.random_range(0..4) {
            0 => json!({"type": "image", "caption": text}),
            1 => json!({"type": "words", "text": text, "secret": true, "expires": 86_400}),
            _ => json!({"type": "text", "text": text}),
        };
        let message = with_recipient(message, &session.paired.phone);
        match admin.send(&peer, &message).await {
            Ok(id) => lock(&journal).received.push(Written {
                session: session.paired.id.clone(),
                peer: peer.clone(),
                id,
            }),
            Err(error) => {
                let problem = format!("sandbox: {error:#}");
                lock(&journal).unexpected.push(problem);
            }
        }
    }
}

fn with_recipient(mut message: Value, phone: &str) -> Value {
    message["to"] = phone.into();
    message
}

/// Tries to see what is not its own.
async fn spy(
    apis: Vec<ApiClient>,
    others: Vec<String>,
    mut random: StdRng,
    journal: Shared,
    mut stopped: watch::Receiver<bool>,
) {
    while !others.is_empty() && rest(Duration::from_millis(700), &mut stopped).await {
        let api = &apis[random.random_range(0..apis.len().max(1))];
        let session = &others[random.random_range(0..others.len())];
        let answer = if random.random_range(0..2) == 0 {
            api.get(&format!("/sessions/{session}")).await
        } else {
            let send = SendRequest::text("15551110001", "not mine").asynchronous();
            api.send(session, &send).await
        };
        // Without an answer, or with 503, nothing was seen either.
        if let Ok(answer) = answer
            && !matches!(answer.status, 404 | 503)
        {
            let leak = format!("{session}: {} {}", answer.status, answer.json);
            lock(&journal).leaks.push(leak);
        }
    }
}
