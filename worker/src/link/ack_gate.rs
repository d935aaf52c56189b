//! Nothing is written to WhatsApp before what was heard earlier is recorded (law 6).
//!
//! The library acknowledges a receipt, or a change to a group, as soon as it has told of it, and
//! WhatsApp forgets what is acknowledged: a worker that dies before it has recorded it would lose
//! it. Frames are encrypted when they reach us, so an acknowledgement can not be told from a
//! message; but every frame that is written after something was heard can wait until that is
//! recorded. Frames wait in their order and none waits for what came after it, so a crowd of
//! receipts that is recorded in one step delays a crowd of frames once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use wacore::stats::TransportResourceReport;
use whatsapp_rust::transport::Transport;

use super::transport::MayAct;

/// How many frames may wait; then the library waits as well.
const WAITING: usize = 1_024;
/// How long a connection that is closed in order may still write what waits.
const FLUSH: Duration = Duration::from_secs(3);

/// How much was heard on a link, and how much of it is recorded.
#[derive(Debug)]
pub(super) struct ReceivedFacts {
    received: AtomicU64,
    recorded: watch::Sender<u64>,
    /// Numbers of tickets, in their order.
    tickets: AtomicU64,
    /// The tickets that are held.
    held: watch::Sender<BTreeSet<u64>>,
}

/// Holds all frames that are written after it was taken, until it is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// What a frame waits for.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// So many facts must be recorded.
    facts: u64,
    /// No ticket before this one may be held.
    tickets: u64,
}

fn none_before(held: &BTreeSet<u64>, ticket: u64) -> bool {
    held.first().is_none_or(|first| *first >= ticket)
}

impl ReceivedFacts {
    pub(super) fn new() -> Self {
        Self {
            received: AtomicU64::new(0),
            recorded: watch::Sender::new(0),
            tickets: AtomicU64::new(0),
            held: watch::Sender::new(BTreeSet::new()),
        }
    }

    /// Something that must be recorded was heard.
    pub(super) fn frame_received(&self) {
        self.received.fetch_add(1, Ordering::AcqRel);
    }

    /// So much more of what was heard is recorded, in its order.
    pub(super) fn record(&self, count: u64) {
        self.recorded.send_modify(|recorded| *recorded += count);
    }

    /// Something arrived that must be committed, apart from the facts and in no order with them.
    pub(super) fn hold(&self) -> Ticket {
        let mut ticket = 0;
        self.held.send_modify(|held| {
            ticket = self.tickets.fetch_add(1, Ordering::AcqRel);
            held.insert(ticket);
        });
        Ticket(ticket)
    }

    /// It is committed, or comes again. A ticket may be given back more than once.
    pub(super) fn release(&self, ticket: Ticket) {
        self.held.send_modify(|held| {
            held.remove(&ticket.0);
        });
    }

    /// What was heard up to now.
    fn mark(&self) -> Mark {
        Mark {
            facts: self.received.load(Ordering::Acquire),
            tickets: self.tickets.load(Ordering::Acquire),
        }
    }

    fn is_recorded(&self, mark: Mark) -> bool {
        *self.recorded.borrow() >= mark.facts && none_before(&self.held.borrow(), mark.tickets)
    }

    async fn recorded(&self, mark: Mark) {
        // The senders live in `self`, so waiting can not fail.
        let _ = self
            .recorded
            .subscribe()
            .wait_for(|recorded| *recorded >= mark.facts)
            .await;
        let _ = self
            .held
            .subscribe()
            .wait_for(|held| none_before(held, mark.tickets))
            .await;
    }
}

/// A connection on which a frame waits for what was heard before it, and on which nothing is
/// written once the worker may no longer act: the last look before the wire. What a frozen worker
/// was about to write when it froze ends here.
pub(super) struct Guarded {
    line: Arc<Line>,
    waiting: mpsc::Sender<(Mark, Bytes)>,
}

/// What the connection and its writer share.
struct Line {
    inner: Arc<dyn Transport>,
    may_act: MayAct,
    received: Arc<ReceivedFacts>,
    /// Frames that wait or are being written by the writer.
    ahead: AtomicUsize,
    /// A write failed: the order of frames is broken, and none may follow.
    broken: AtomicBool,
    /// Nothing that waits is written any more.
    cut: CancellationToken,
    idle: watch::Sender<bool>,
}

impl Line {
    async fn write(&self, frame: Bytes) -> Result<(), anyhow::Error> {
        anyhow::ensure!(
            (self.may_act)(),
            "this worker may no longer act for the session"
        );
        self.inner.send(frame).await
    }

    /// Tells whether frames wait.
    fn look(&self) {
        self.idle
            .send_modify(|idle| *idle = self.ahead.load(Ordering::Acquire) == 0);
    }

    /// Writes what waits, in its order.
    async fn run(&self, mut waiting: mpsc::Receiver<(Mark, Bytes)>) {
        while let Some((mark, frame)) = waiting.recv().await {
            let written = async {
                self.received.recorded(mark).await;
                self.write(frame).await
            };
            let written = self.cut.run_until_cancelled(written).await;
            if !matches!(written, Some(Ok(()))) {
                self.broken.store(true, Ordering::Release);
                self.idle.send_replace(true);
                // How the library learns of it: the connection ends.
                return self.inner.disconnect().await;
            }
            self.ahead.fetch_sub(1, Ordering::AcqRel);
            self.look();
        }
    }
}

impl Guarded {
    pub(super) fn new(
        inner: Arc<dyn Transport>,
        may_act: MayAct,
        received: Arc<ReceivedFacts>,
    ) -> Self {
        let line = Arc::new(Line {
            inner,
            may_act,
            received,
            ahead: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            cut: CancellationToken::new(),
            idle: watch::Sender::new(true),
        });
        let (waiting, frames) = mpsc::channel(WAITING);
        let writer = Arc::clone(&line);
        tokio::spawn(async move { writer.run(frames).await });
        Self { line, waiting }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.line.cut.cancel();
    }
}

#[async_trait]
impl Transport for Guarded {
    /// Writes a frame, or has it wait. The library writes from one task, one frame after the other.
    async fn send(&self, frame: Bytes) -> Result<(), anyhow::Error> {
        let line = &self.line;
        anyhow::ensure!(
            !line.broken.load(Ordering::Acquire),
            "the connection is closed"
        );
        let mark = line.received.mark();
        if line.ahead.load(Ordering::Acquire) == 0 && line.received.is_recorded(mark) {
            return line.write(frame).await;
        }
        line.ahead.fetch_add(1, Ordering::AcqRel);
        line.look();
        self.waiting.send((mark, frame)).await?;
        Ok(())
    }

    async fn disconnect(&self) {
        let line = &self.line;
        if (line.may_act)() {
            let mut idle = line.idle.subscribe();
            let _ = tokio::time::timeout(FLUSH, idle.wait_for(|idle| *idle)).await;
        }
        line.cut.cancel();
        line.inner.disconnect().await;
    }

    fn resource_report(&self) -> Option<TransportResourceReport> {
        self.line.inner.resource_report()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Notes what is written.
    #[derive(Default)]
    struct Wire {
        written: Mutex<Vec<Bytes>>,
        closed: AtomicBool,
    }

    #[async_trait]
    impl Transport for Wire {
        async fn send(&self, data: Bytes) -> Result<(), anyhow::Error> {
            self.written.lock().unwrap().push(data);
            Ok(())
        }

        async fn disconnect(&self) {
            self.closed.store(true, Ordering::Release);
        }
    }

    struct World {
        wire: Arc<Wire>,
        received: Arc<ReceivedFacts>,
        right: Arc<AtomicBool>,
        guarded: Guarded,
    }

    impl World {
        fn new() -> Self {
            let (wire, received) = (Arc::new(Wire::default()), Arc::new(ReceivedFacts::new()));
            let right = Arc::new(AtomicBool::new(true));
            let asked = Arc::clone(&right);
            let may_act: MayAct = Arc::new(move || asked.load(Ordering::Relaxed));
            let inner = Arc::clone(&wire) as _;
            let guarded = Guarded::new(inner, may_act, Arc::clone(&received));
            Self {
                wire,
                received,
                right,
                guarded,
            }
        }

        async fn send(&self, frame: &'static [u8]) {
            self.guarded.send(Bytes::from_static(frame)).await.unwrap();
        }

        fn written(&self) -> Vec<Bytes> {
            self.wire.written.lock().unwrap().clone()
        }

        async fn idle(&self) {
            let mut idle = self.guarded.line.idle.subscribe();
            idle.wait_for(|idle| *idle).await.unwrap();
        }
    }

    #[tokio::test]
    async fn nothing_is_written_by_a_worker_that_may_not_act() {
        let world = World::new();
        world.send(b"a").await;
        world.right.store(false, Ordering::Relaxed);
        let refused = world.guarded.send(Bytes::from_static(b"b")).await;
        assert!(refused.is_err());
        assert_eq!(world.written(), ["a"]);
    }

    #[tokio::test]
    async fn a_frame_waits_for_what_was_heard_before_it_and_for_nothing_else() {
        let world = World::new();
        world.send(b"a").await;
        world.received.frame_received();
        world.send(b"b").await;
        world.received.frame_received();
        world.send(b"c").await;
        assert_eq!(world.written(), ["a"]);
        world.received.record(1);
        while world.written().len() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.written(), ["a", "b"], "the other was heard later");
        world.received.record(1);
        world.idle().await;
        world.send(b"d").await;
        assert_eq!(world.written(), ["a", "b", "c", "d"]);
    }

    #[tokio::test]
    async fn a_frame_waits_for_the_tickets_taken_before_it() {
        let world = World::new();
        let first = world.received.hold();
        world.send(b"a").await;
        let second = world.received.hold();
        world.send(b"b").await;
        world.received.release(second);
        assert!(world.written().is_empty(), "the first is still held");
        world.received.release(first);
        world.idle().await;
        assert_eq!(world.written(), ["a", "b"]);
        world.received.release(first);
        let third = world.received.hold();
        world.send(b"c").await;
        assert_eq!(world.written(), ["a", "b"]);
        world.received.release(third);
        world.idle().await;
        assert_eq!(world.written(), ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn what_waits_is_not_written_once_the_worker_may_not_act() {
        let world = World::new();
        world.received.frame_received();
        world.send(b"a").await;
        world.right.store(false, Ordering::Relaxed);
        world.received.record(1);
        world.idle().await;
        assert!(world.written().is_empty());
        assert!(world.guarded.send(Bytes::from_static(b"b")).await.is_err());
    }

    #[tokio::test]
    async fn closing_writes_what_waits_and_cutting_does_not() {
        let world = World::new();
        world.received.frame_received();
        world.send(b"a").await;
        let (received, closing) = (Arc::clone(&world.received), world.guarded.disconnect());
        tokio::join!(closing, async { received.record(1) });
        assert_eq!(world.written(), ["a"]);

        let world = World::new();
        world.received.frame_received();
        world.send(b"a").await;
        world.right.store(false, Ordering::Relaxed);
        world.guarded.disconnect().await;
        assert!(world.wire.closed.load(Ordering::Acquire));
        assert!(world.written().is_empty());
    }
}
