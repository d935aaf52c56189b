//! What the parts of one link share: who waits, who is told, whether it is up.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use gateway_shared::clock::{Millis, SharedClock};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use whatsapp_rust::Client;
use whatsapp_rust::transport::Transport;

use super::ack_gate::ReceivedFacts;
use super::acks::Acks;
use super::arrivals::Arrivals;
use super::channels::{ChannelPlaces, Late};
use super::inbound::InboundSink;
use super::reach::Directory;
use super::transport::DialObserver;
use super::visibility::Visibility;
use super::{Fact, LinkEnd};

/// What the parts of one link share.
pub(super) struct Core {
    pub(super) clock: SharedClock,
    pub(super) acks: Acks,
    pub(super) received: Arc<ReceivedFacts>,
    pub(super) arrivals: Arrivals,
    /// Where the places in channels are kept.
    pub(super) channels: Arc<dyn ChannelPlaces>,
    /// What is committed apart from the receive pipeline.
    late: mpsc::UnboundedSender<Late>,
    late_queue: Mutex<Option<mpsc::UnboundedReceiver<Late>>>,
    facts: mpsc::UnboundedSender<Fact>,
    pub(super) inbound: Arc<dyn InboundSink>,
    client: OnceLock<Weak<Client>>,
    /// The newest connection, also before the library has taken it over.
    transport: Mutex<Option<Weak<dyn Transport>>>,
    pub(super) connected: watch::Sender<bool>,
    ended: watch::Sender<bool>,
    end: Mutex<Option<LinkEnd>>,
    /// Ack timeouts since an answer was last heard.
    silent: AtomicU32,
    silent_limit: u32,
    dial_failed: AtomicBool,
    /// Dials that failed since the link was last connected.
    pub(super) failed_dials: AtomicU32,
    /// The link is to be dropped and dialed again at once.
    pub(super) dead: Notify,
    /// Inbound messages wait for a sink that failed; a fresh connection brings them again.
    pub(super) uncommitted: Notify,
    /// Set from then until the fresh connection: what came behind them must not be committed first.
    pub(super) gap: AtomicBool,
    /// Something was decrypted since the ratchets were last written.
    pub(super) ratchets_stepped: AtomicBool,
    pub(super) closing: CancellationToken,
    pub(super) visibility: Visibility,
    pub(super) directory: Directory,
    /// When WhatsApp last acknowledged a message; 0 = not yet.
    pub(super) last_ack: AtomicI64,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("connected", &*self.connected.borrow())
            .field("waiting", &self.acks.len())
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(super) fn new(
        clock: SharedClock,
        facts: mpsc::UnboundedSender<Fact>,
        inbound: Arc<dyn InboundSink>,
        channels: Arc<dyn ChannelPlaces>,
        silent_limit: u32,
    ) -> Self {
        let received = Arc::new(ReceivedFacts::new());
        let (late, late_queue) = mpsc::unbounded_channel();
        Self {
            clock,
            acks: Acks::default(),
            arrivals: Arrivals::new(&received),
            received,
            channels,
            late,
            late_queue: Mutex::new(Some(late_queue)),
            facts,
            inbound,
            client: OnceLock::new(),
            transport: Mutex::new(None),
            connected: watch::Sender::new(false),
            ended: watch::Sender::new(false),
            end: Mutex::new(None),
            silent: AtomicU32::new(0),
            silent_limit,
            ratchets_stepped: AtomicBool::new(false),
            dial_failed: AtomicBool::new(false),
            failed_dials: AtomicU32::new(0),
            dead: Notify::new(),
            uncommitted: Notify::new(),
            gap: AtomicBool::new(false),
            closing: CancellationToken::new(),
            visibility: Visibility::default(),
            directory: Directory::default(),
            last_ack: AtomicI64::new(0),
        }
    }

    pub(super) fn attach(&self, client: &Arc<Client>) {
        // A second client would be a second link.
        let _ = self.client.set(Arc::downgrade(client));
    }

    /// Commits this apart from the receive pipeline, after what was given before it.
    pub(super) fn commit_later(&self, late: Late) {
        // Nobody takes it any more once the link is being taken down.
        let _ = self.late.send(late);
    }

    /// What [`Self::commit_later`] was given; there is one taker.
    pub(super) fn take_late(&self) -> Option<mpsc::UnboundedReceiver<Late>> {
        let mut queue = self
            .late_queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        queue.take()
    }

    /// The newest connection, for who wants to close it whatever it is busy with.
    pub(super) fn transport(&self) -> Option<Arc<dyn Transport>> {
        let newest = self
            .transport
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        newest.as_ref().and_then(Weak::upgrade)
    }

    pub(super) fn client(&self) -> Option<Arc<Client>> {
        self.client.get().and_then(Weak::upgrade)
    }

    /// Tells a fact. Nobody listening any more is no error: the link is being taken down.
    pub(super) fn tell(&self, fact: Fact) {
        if fact.is_acknowledged() {
            self.received.frame_received();
        }
        let _ = self.facts.send(fact);
    }

    pub(super) fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    pub(super) fn connection(&self) -> watch::Receiver<bool> {
        self.connected.subscribe()
    }

    pub(super) async fn ended(&self) {
        // The sender lives in `self`, so waiting can not fail.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// An answer was heard: the link lives.
    pub(super) fn received(&self) {
        self.silent.store(0, Ordering::Relaxed);
    }

    /// An ack did not come in time. Enough of these in a row and the link counts as dead.
    pub(super) fn unanswered(&self) {
        let silent = self.silent.fetch_add(1, Ordering::Relaxed) + 1;
        if silent >= self.silent_limit && self.is_connected() {
            self.received();
            tracing::warn!(silent, "no acknowledgements: dropping the link");
            self.dead.notify_one();
        }
    }

    /// The connection, if there was one, is gone.
    pub(super) fn lost(&self) -> bool {
        // Before the waiters are told, so that none of them tries again on this connection.
        let was = self.connected.send_replace(false);
        self.acks.lose_all();
        was
    }

    /// Whether the client stopped because a dial failed: then how many did in a row.
    pub(super) fn take_dial_failed(&self) -> Option<u32> {
        let failed = self.dial_failed.swap(false, Ordering::Relaxed);
        failed.then(|| self.failed_dials.load(Ordering::Relaxed))
    }

    /// Ends the link, for the reason first noted, else for this one.
    pub(super) fn end(&self, fallback: LinkEnd) {
        if self.lost() {
            self.tell(Fact::Disconnected {
                reason: "the link was closed".into(),
            });
        }
        let noted = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(Fact::Ended(noted.unwrap_or(fallback)));
        self.ended.send_replace(true);
    }

    pub(super) fn note_end(&self, end: LinkEnd) {
        let mut noted = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        noted.get_or_insert(end);
    }

    pub(super) fn after(&self, duration: Duration) -> Millis {
        let millis = Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX);
        self.clock.now().saturating_add(millis)
    }
}

#[async_trait]
impl DialObserver for Core {
    fn dialing(&self) {
        // Nothing can be written to the connection before this one any more.
        self.arrivals.clear();
        // What was not committed on it comes again on the next one, in its order.
        self.gap.store(false, Ordering::Release);
        // The library tells of a lost connection only where it did not expect it.
        if self.lost() {
            self.tell(Fact::Disconnected {
                reason: "the connection is being renewed".into(),
            });
        }
    }

    fn dialed(&self, transport: &Arc<dyn Transport>) {
        let newest = Some(Arc::downgrade(transport));
        *self
            .transport
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = newest;
    }

    async fn unwanted(&self) {
        self.closing.cancelled().await;
    }

    fn dial_failed(&self, error: &anyhow::Error) {
        if self.closing.is_cancelled() {
            return;
        }
        self.dial_failed.store(true, Ordering::Relaxed);
        self.failed_dials.fetch_add(1, Ordering::Relaxed);
        if let Some(client) = self.client() {
            // Ends the library's loop, so that the next dial is ours to time.
            client.enable_auto_reconnect.store(false, Ordering::Relaxed);
        }
        self.tell(Fact::DialFailed {
            reason: format!("{error:#}"),
        });
    }
}
