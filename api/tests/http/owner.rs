//! The owner of a session, as a worker would be: it runs the real scripts.

use futures_util::StreamExt;
use gateway_shared::domain::{KnownMessage, OutboxId, SendFailure, SessionStatus, WorkerId};
use gateway_shared::lane::{Attempt, Claim, ClaimedSend, Epoch, Lanes, SessionRef, Settlement};
use gateway_shared::redis::Connection;
use gateway_shared::registry::{Registry, WorkerInfo};
use gateway_shared::session::{Acquired, InboundEvent, Report};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::world::{World, eventually, now};

/// The owner of one session.
#[derive(Clone)]
pub(crate) struct Owner {
    lanes: Lanes,
    pub(crate) worker: WorkerId,
    of: SessionRef,
    epoch: Epoch,
}

impl Owner {
    /// Takes a session and says that it works.
    pub(crate) async fn take(world: &World, of: &SessionRef) -> Self {
        let owner = Self::acquire(world, of).await;
        owner.report(world, SessionStatus::Working, &[]).await;
        owner
    }

    /// Takes a session and says nothing of it.
    pub(crate) async fn acquire(world: &World, of: &SessionRef) -> Self {
        let worker = WorkerId::generate(now());
        let info = WorkerInfo {
            id: worker.clone(),
            version: "test".to_owned(),
            host: "test".to_owned(),
            sessions: 0,
            capacity: 10,
            memory_bytes: 0,
            cpu_percent: 0,
            draining: false,
            started_at: now(),
            heartbeat_at: now(),
        };
        let registry = Registry::new(world.store.clone());
        registry.heartbeat(&info, true).await.unwrap();
        let acquired = world.sessions.acquire(now(), of, &worker, None).await;
        let Ok(Acquired::Owned(epoch)) = acquired else {
            panic!("the session is free: {acquired:?}");
        };
        Self {
            lanes: world.lanes.clone(),
            worker,
            of: of.clone(),
            epoch,
        }
    }

    /// Reports a status and fields of the session.
    pub(crate) async fn report(
        &self,
        world: &World,
        status: SessionStatus,
        fields: &[(&'static str, &str)],
    ) {
        let report = Report {
            status: Some((status, String::new())),
            fields: fields
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            event: None,
        };
        let owner = (&self.of, self.epoch);
        world.sessions.report(now(), owner, &report).await.unwrap();
    }

    /// Has the session hear a message, told by an event with this payload.
    pub(crate) async fn hears(&self, world: &World, id: &str, known: KnownMessage, payload: Value) {
        let event = InboundEvent {
            identity: format!("{}|{:?}|{id}", known.chat, known.sender),
            kind: "message",
            payload: payload.to_string(),
            id: id.to_owned(),
            known: Some(known),
            amends: None,
            ..InboundEvent::default()
        };
        let owner = (&self.of, self.epoch);
        let emitted = world.sessions.emit_inbound(now(), owner, &[event]).await;
        assert_eq!(emitted.unwrap(), 1);
    }

    /// Claims what may be sent within the session's limits.
    pub(crate) async fn claim(&self) -> Vec<ClaimedSend> {
        let claim = Claim { most: 100 };
        let turn = self
            .lanes
            .turn(now(), (&self.of, self.epoch), 8, &[], Some(claim))
            .await
            .unwrap();
        turn.sends
    }

    /// Waits until there is something to claim, and claims it.
    pub(crate) async fn claim_some(&self) -> Vec<ClaimedSend> {
        eventually("something can be claimed", async || {
            let sends = self.claim().await;
            (!sends.is_empty()).then_some(sends)
        })
        .await
    }

    /// Settles a send.
    pub(crate) async fn settle(&self, id: &OutboxId, attempt: Attempt) {
        let settlement = Settlement {
            id: id.clone(),
            attempt,
        };
        self.lanes
            .settle(now(), (&self.of, self.epoch), 8, &[settlement])
            .await
            .unwrap();
    }

    pub(crate) async fn sent(&self, id: &OutboxId) {
        self.settle(id, Attempt::Sent(now())).await;
    }

    pub(crate) async fn refused(&self, id: &OutboxId, code: u16) {
        self.settle(id, Attempt::Dead(SendFailure::refused(code)))
            .await;
    }

    /// Sends whatever comes, at once, as it is woken. The task returns what it sent once it is
    /// told to stop by an aborted wake-up, that is never: abort it.
    pub(crate) async fn serve(
        &self,
        world: &World,
    ) -> (
        JoinHandle<()>,
        std::sync::Arc<std::sync::Mutex<Vec<OutboxId>>>,
    ) {
        let sent = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut wakes = Connection::open_subscriber(&world.config.redis)
            .await
            .unwrap();
        let channel = world.store.keys.wake_channel(self.worker.as_str());
        wakes.subscribe(channel).await.unwrap();
        let (owner, record) = (self.clone(), sent.clone());
        let task = tokio::spawn(async move {
            let mut wakes = wakes.into_on_message();
            loop {
                let sends = owner.claim().await;
                if sends.is_empty() {
                    wakes.next().await;
                }
                for send in sends {
                    owner.sent(&send.id).await;
                    record.lock().unwrap().push(send.id);
                }
            }
        });
        (task, sent)
    }
}
