//! One organization with one session on a private Redis, and a clock that stands still.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use gateway_shared::clock::Millis;
use gateway_shared::domain::{
    Content, Limits, MessageContext, OrganizationId, OutboxId, SendFailure, SessionId,
    new_message_id,
};
use gateway_shared::lane::{
    Attempt, Budget, Cancelled, Claim, ClaimedSend, CrashPolicy, EnqueueOutcome, EnqueueRequest,
    Epoch, IdempotencyKey, LaneError, Lanes, Mode, OutboxEntry, Recovered, Retention, Retried,
    SessionRef, Settled, Settlement, Turn,
};
use gateway_shared::redis::keys::{PARTITION, key};
use gateway_shared::redis::{RedisConfig, Store};
use redis::AsyncCommands;
use serde_json::Value;

use gateway_tests::process::{Persistence, RedisServer};

/// The number that the session has.
pub(crate) const ACCOUNT: &str = "15550001111@s.whatsapp.net";
pub(crate) const DAY: Millis = 86_400_000;
pub(crate) const START: Millis = 1_763_700_000_000;
pub(crate) const RETENTION: Retention = Retention {
    events_ms: 7 * 86_400_000,
    events_bytes: 1 << 30,
    outbox_ms: 2 * 86_400_000,
    idempotency_ms: 86_400_000,
    messages_ms: 30 * 86_400_000,
    messages: 3_200,
};

/// Rests of nothing, so that nothing is left to chance.
pub(crate) const CRASHES: CrashPolicy = CrashPolicy {
    most: 3,
    first_rest_ms: 0,
    longest_rest_ms: 0,
};

/// How to reach a server.
pub(crate) fn config(server: &RedisServer) -> RedisConfig {
    RedisConfig {
        // A busy machine's disk may hold up a write for seconds; that is no finding.
        response_timeout_ms: 20_000,
        ..RedisConfig::at([server.url()], "t")
    }
}

pub(crate) struct World {
    pub(crate) server: RedisServer,
    pub(crate) store: Store,
    pub(crate) lanes: Lanes,
    pub(crate) from: SessionRef,
    pub(crate) epoch: Epoch,
    now: AtomicI64,
}

impl World {
    /// A working session without limits, owned at epoch 1.
    pub(crate) async fn new() -> Self {
        Self::limited(Limits {
            rate_per_min: 0,
            rate_per_hour: 0,
        })
        .await
    }

    pub(crate) async fn limited(limits: Limits) -> Self {
        let server = RedisServer::temporary(Persistence::Unsynced).await.unwrap();
        let store = Store::open(&config(&server)).await.unwrap();
        let store = store.at_the_callers_time();
        let world = Self {
            lanes: Lanes::new(store.clone(), RETENTION),
            store,
            server,
            from: SessionRef {
                organization: OrganizationId::generate(START),
                session: SessionId::generate(START),
            },
            epoch: Epoch(1),
            now: AtomicI64::new(START),
        };
        world.set("status", "working").await;
        world.set("waJid", ACCOUNT).await;
        world.set("epoch", "1").await;
        world.set("ratePerMin", limits.rate_per_min).await;
        world.set("ratePerHour", limits.rate_per_hour).await;
        world
    }

    /// Another session with these limits, on an empty Redis at the first moment.
    pub(crate) async fn reset(&mut self, limits: Limits) {
        let _: () = redis::cmd("FLUSHDB")
            .query_async(&mut self.connection())
            .await
            .unwrap();
        self.from.session = SessionId::generate(START);
        self.epoch = Epoch(1);
        self.now.store(START, Ordering::Relaxed);
        let fields = [
            ("status", "working".to_owned()),
            ("epoch", "1".to_owned()),
            ("worker", "w".to_owned()),
            ("waJid", ACCOUNT.to_owned()),
            ("ratePerMin", limits.rate_per_min.to_string()),
            ("ratePerHour", limits.rate_per_hour.to_string()),
        ];
        let key = self.key("session", &[]);
        let _: () = self.connection().hset_multiple(key, &fields).await.unwrap();
    }

    /// Sets a field of the session's record.
    pub(crate) async fn set(&self, field: &str, value: impl ToString) {
        let value = value.to_string();
        let _: () = self
            .connection()
            .hset(self.key("session", &[]), field, value)
            .await
            .unwrap();
    }

    /// Gives the session to a new owner.
    pub(crate) async fn take_over(&mut self) {
        self.epoch = Epoch(self.epoch.0 + 1);
        self.set("epoch", self.epoch.0).await;
    }

    /// A new owner takes over and takes back what the one before had in flight.
    pub(crate) async fn recover(&mut self) -> Recovered {
        self.take_over().await;
        let recovered = self.lanes.recover(self.now(), self.owner(), CRASHES, &[]);
        recovered.await.unwrap()
    }

    pub(crate) fn connection(&self) -> gateway_shared::redis::Connection {
        self.store.connection.clone()
    }

    pub(crate) fn root(&self) -> String {
        self.store.keys.partition(&self.from.organization)
    }

    /// A key of the session's lane.
    pub(crate) fn key(&self, name: &str, more: &[&str]) -> String {
        let mut args = vec![self.from.session.as_str()];
        args.extend(more);
        key(PARTITION, &self.root(), name, &args)
    }

    pub(crate) fn now(&self) -> Millis {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn advance(&self, millis: Millis) {
        self.now.fetch_add(millis, Ordering::Relaxed);
    }

    pub(crate) fn owner(&self) -> (&SessionRef, Epoch) {
        (&self.from, self.epoch)
    }

    /// An async send to a chat, for the rest of a day.
    pub(crate) fn send(&self, chat: &str) -> EnqueueRequest {
        EnqueueRequest {
            from: self.from.clone(),
            id: OutboxId::generate(self.now()),
            wa_message_id: new_message_id(),
            to: jid(chat).parse().unwrap(),
            content: Content::Text {
                text: "hello".to_owned(),
                context: MessageContext::default(),
            },
            mode: Mode::Async,
            expires_at: None,
            time_to_live_ms: 86_400_000,
            send_at: 0,
            request_id: "req-1".to_owned(),
            idempotency: None,
            waiter: None,
            max_depth: 10_000,
        }
    }

    pub(crate) fn sync(&self, chat: &str) -> EnqueueRequest {
        EnqueueRequest {
            mode: Mode::Sync,
            ..self.send(chat)
        }
    }

    pub(crate) async fn try_accept(&self, send: &EnqueueRequest) -> EnqueueOutcome {
        self.lanes.accept(self.now(), send).await.unwrap()
    }

    pub(crate) async fn accept(&self, send: EnqueueRequest) -> OutboxId {
        match self.try_accept(&send).await {
            EnqueueOutcome::New { .. } => send.id,
            other => panic!("not accepted: {other:?}"),
        }
    }

    pub(crate) async fn queue(&self, chat: &str) -> OutboxId {
        self.accept(self.send(chat)).await
    }

    /// A claim that no budget limits.
    pub(crate) async fn turn(&self, most: u32) -> Turn {
        let claim = Claim { most };
        self.lanes
            .claim(self.now(), self.owner(), claim)
            .await
            .unwrap()
    }

    pub(crate) async fn claim(&self, most: u32) -> Vec<ClaimedSend> {
        self.turn(most).await.sends
    }

    /// Claims, and these must come of it.
    pub(crate) async fn claims(&self, most: u32, expected: &[&OutboxId]) {
        let sends = self.claim(most).await;
        let ids: Vec<_> = sends.iter().map(|send| &send.id).collect();
        assert_eq!(ids, expected);
    }

    /// A claim as the engine makes it: what the budget allows.
    pub(crate) async fn claim_within(&self, budget: &mut Budget, want: u32) -> Vec<ClaimedSend> {
        let now = self.now();
        let Ok(most) = budget.available(now, want) else {
            return Vec::new();
        };
        let claim = Claim { most };
        let turn = self.lanes.claim(now, self.owner(), claim).await.unwrap();
        budget.spend(now, u32::try_from(turn.sends.len()).unwrap());
        turn.sends
    }

    pub(crate) async fn settle(&self, id: &OutboxId, attempt: Attempt) -> Settled {
        self.try_settle(id, attempt).await.unwrap()
    }

    pub(crate) async fn try_settle(
        &self,
        id: &OutboxId,
        attempt: Attempt,
    ) -> Result<Settled, LaneError> {
        let id = id.clone();
        let settled = self
            .lanes
            .settle(self.now(), self.owner(), 3, &[Settlement { id, attempt }])
            .await?;
        Ok(settled[0])
    }

    pub(crate) async fn sent(&self, id: &OutboxId) {
        assert_eq!(
            self.settle(id, Attempt::Sent(self.now())).await,
            Settled::Done
        );
    }

    /// What becomes of a wish to cancel.
    pub(crate) async fn cancel(&self, id: &OutboxId) -> Cancelled {
        let cancelled = self.lanes.cancel(self.now(), &self.from, id, None);
        cancelled.await.unwrap()
    }

    /// What becomes of a wish to try a failed send once more, for the rest of a day.
    pub(crate) async fn retry(&self, id: &OutboxId) -> Retried {
        let retried = self
            .lanes
            .retry(self.now(), &self.from, id, 86_400_000, 10_000);
        retried.await.unwrap()
    }

    pub(crate) async fn entry(&self, id: &OutboxId) -> OutboxEntry {
        self.lanes.entry(&self.from, id).await.unwrap().unwrap()
    }

    /// The statuses an entry had, in order.
    pub(crate) async fn history(&self, id: &OutboxId) -> Vec<&'static str> {
        let entry = self.entry(id).await;
        entry.history.iter().map(|s| s.status.as_str()).collect()
    }

    /// The payloads of all `message.status` events, in order.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let stream = key(PARTITION, &self.root(), "events", &[]);
        let reply: Vec<(String, BTreeMap<String, String>)> = redis::cmd("XRANGE")
            .arg(stream)
            .arg("-")
            .arg("+")
            .query_async(&mut self.connection())
            .await
            .unwrap();
        reply
            .into_iter()
            .filter(|(_, fields)| fields["event"] == "message.status")
            .map(|(_, fields)| serde_json::from_str(&fields["payload"]).unwrap())
            .collect()
    }

    /// A field of the lane's record as a number; absent = 0.
    pub(crate) async fn lane(&self, field: &str) -> i64 {
        let value: Option<i64> = self
            .connection()
            .hget(self.key("lane", &[]), field)
            .await
            .unwrap();
        value.unwrap_or(0)
    }

    /// Everything in Redis, as `DUMP` shows it.
    pub(crate) async fn dump(&self) -> BTreeMap<String, Vec<u8>> {
        let mut connection = self.connection();
        let names: Vec<String> = connection.keys("*").await.unwrap();
        let mut all = BTreeMap::new();
        for name in names {
            let kind: String = connection.key_type(&name).await.unwrap();
            let dumped: Vec<u8> = if kind == "hash" {
                // A larger one is in no order that would last.
                let fields: BTreeMap<Vec<u8>, Vec<u8>> = connection.hgetall(&name).await.unwrap();
                let bytes = |(name, value): (Vec<u8>, Vec<u8>)| [name, value].join(&b'=');
                fields
                    .into_iter()
                    .map(bytes)
                    .collect::<Vec<_>>()
                    .join(&b'\n')
            } else {
                redis::cmd("DUMP")
                    .arg(&name)
                    .query_async(&mut connection)
                    .await
                    .unwrap()
            };
            all.insert(name, dumped);
        }
        all
    }
}

/// The address of a chat: with one person where its name begins with `p`, of a group otherwise.
pub(crate) fn jid(chat: &str) -> String {
    let digits: String = chat.bytes().map(|b| u32::from(b).to_string()).collect();
    if chat.starts_with('p') {
        return format!("1555{digits}@s.whatsapp.net");
    }
    format!("{digits}@g.us")
}

pub(crate) fn key_of(hash: &str, fingerprint: &str) -> Option<IdempotencyKey> {
    Some(IdempotencyKey {
        hash: hash.to_owned(),
        fingerprint: fingerprint.to_owned(),
    })
}

pub(crate) fn failure() -> SendFailure {
    SendFailure::new("refused", "no")
}

/// The same random numbers in every run.
pub(crate) fn rng() -> proptest::test_runner::TestRng {
    proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha)
}
