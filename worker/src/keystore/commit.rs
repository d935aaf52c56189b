//! Group commit: what is written to one session's key material at the same time goes together.
//!
//! whatsapp-rust writes in many small pieces (a copy of each message before it leaves, its secret
//! behind it, ratchets now and then), and a session sends to many chats at once. While one step is
//! under way the next writes gather, and then make one step: under load a write costs Redis little
//! more than its rows do, and a lone write waits for nobody. Steps of a handle follow each other,
//! so writes happen in the order in which they were asked for.
//!
//! A step is all or nothing, and each of its writes is told the same outcome; but if Redis refuses
//! what is asked, each is tried alone. Steps are carried out by a task of its own: who gives up
//! waiting holds up nobody, and takes nothing back.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use gateway_shared::redis::{LuaScript, RedisFailure, script};
use redis::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::with_retry::{Patience, passes};
use super::write::{Op, Outcome, Reply};
use super::{KeystoreError, RedisKeystore, keys};

static APPLY: LazyLock<LuaScript> = LazyLock::new(|| LuaScript::bare(include_str!("apply.lua")));

/// How many arguments a step of several writes may have: some milliseconds of Redis at most.
const ARGUMENTS: usize = 3_000;

/// How often a step that was overtaken by one of a later term is tried anew.
const ATTEMPTS: u32 = 8;

/// Operations whose arguments, after so many that must agree, are rows, and whose replies nobody
/// reads: several of them on the same keys are one with all their rows.
const OF_ROWS: [(&str, usize); 3] = [("put", 0), ("keep", 1), ("secret", 0)];

/// A write that waits for its step.
#[derive(Debug)]
struct Waiting {
    ops: Vec<Op>,
    since: Instant,
    answer: oneshot::Sender<Result<Reply, KeystoreError>>,
}

impl Waiting {
    fn arguments(&self) -> usize {
        self.ops.iter().map(|op| op.args.len()).sum()
    }
}

/// Writes on their way to Redis.
#[derive(Debug, Default)]
pub(super) struct CommitQueue(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// Somebody carries out the steps.
    busy: bool,
}

impl CommitQueue {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a write; whether somebody is needed who carries it out.
    fn join(&self, write: Waiting) -> bool {
        let mut queue = self.queue();
        queue.waiting.push_back(write);
        !std::mem::replace(&mut queue.busy, true)
    }

    /// What makes the next step; nothing when all is written.
    fn next(&self) -> Vec<Waiting> {
        let mut queue = self.queue();
        let mut step = Vec::new();
        let mut arguments = 0;
        while let Some(write) = queue.waiting.front() {
            arguments += write.arguments();
            if !step.is_empty() && arguments > ARGUMENTS {
                break;
            }
            step.extend(queue.waiting.pop_front());
        }
        queue.busy = !step.is_empty();
        step
    }
}

/// Somebody carries out steps. If that panics, a bug, the writes that wait fail instead of waiting
/// for ever, and the next one finds somebody new.
struct CommitGuard<'a>(&'a CommitQueue);

impl Drop for CommitGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.queue() = Queue::default();
        }
    }
}

impl RedisKeystore {
    /// Applies the operations in one step with what others write at this time.
    ///
    /// # Errors
    /// Those of [`Write::run`](super::write::Write::run).
    pub(super) async fn commit(&self, ops: Vec<Op>) -> Result<Reply, KeystoreError> {
        let ops = self.expiring(ops);
        let (answer, answered) = oneshot::channel();
        let since = Instant::now();
        let write = Waiting { ops, since, answer };
        if self.state.commit_queue.join(write) {
            let keystore = self.clone();
            tokio::spawn(async move { keystore.carry_out().await });
        }
        // Only a bug, or a runtime that ends, leaves a write without an outcome.
        answered.await.unwrap_or(Err(KeystoreError::Lost))
    }

    /// Carries out steps until all is written.
    async fn carry_out(&self) {
        let _guard = CommitGuard(&self.state.commit_queue);
        loop {
            let writes = self.state.commit_queue.next();
            if writes.is_empty() {
                return;
            }
            if let Err(writes) = self.write_together(writes).await {
                // One of them asks what Redis can not do: that is nothing to the others.
                for write in writes {
                    let outcome = self.write_together(vec![write]).await;
                    debug_assert!(outcome.is_ok(), "nobody to part it from");
                }
            }
        }
    }

    /// Makes one step of these writes and tells each how it ended.
    ///
    /// # Errors
    /// The writes, untold, where Redis refused the step of several for what it asks.
    async fn write_together(&self, writes: Vec<Waiting>) -> Result<(), Vec<Waiting>> {
        let step = Step::of(&writes);
        let since = writes.iter().map(|write| write.since).min();
        let outcome = self
            .apply(&step.ops, since.unwrap_or_else(Instant::now))
            .await;
        if let Err(KeystoreError::Redis(RedisFailure(error))) = &outcome
            && !passes(error)
            && writes.len() > 1
        {
            return Err(writes);
        }
        let places = step.places;
        let mut replies = outcome.map(|replies| replies.all().map(Some).collect::<Vec<_>>());
        for (write, places) in writes.into_iter().zip(places) {
            // Who does not wait any more does not need to know.
            let _ = write.answer.send(match &mut replies {
                Ok(replies) => Ok(Reply::new(own(replies, &places))),
                Err(error) => Err(error.clone()),
            });
        }
        Ok(())
    }

    /// Applies operations in one step, and does so again while Redis can not be reached.
    async fn apply(&self, ops: &[Joined<'_>], since: Instant) -> Result<Reply, KeystoreError> {
        let state = &self.state;
        let patience = Patience::since(&state.lost, since);
        let mut overtaken = 0;
        while overtaken < ATTEMPTS {
            // Redis refuses by itself what it has refused before, and counts it.
            if state.lost.is_cancelled() && state.stale_writes.load(Ordering::Relaxed) == 0 {
                return Err(KeystoreError::Lost);
            }
            let pending_write = state.term.begin();
            let mut call = APPLY.on(&self.key(keys::FENCE));
            call.arg(state.epoch)
                .arg(state.life)
                .arg(pending_write.term());
            // The fence is the first of KEYS, and Lua counts from one.
            let mut place = 2;
            for op in ops {
                call.arg(op.name).arg(place).arg(op.args.len());
                place += op.keys.len();
                for key in op.keys {
                    call.key(key.as_str());
                }
                for arg in &op.args {
                    call.arg(*arg);
                }
            }
            call.key(script::guard(&state.root));
            let reply = script::run_durably(&state.store.connection, &call).await;
            let reply: Vec<Value> = match reply {
                Ok(reply) => reply,
                Err(error) => {
                    // It may still be on its way: what comes next is of a later term.
                    drop(pending_write);
                    if patience.again(&error).await {
                        continue;
                    }
                    return Err(error.into());
                }
            };
            pending_write.resolve();
            match Outcome::read(reply)? {
                Outcome::Applied(replies) => return Ok(replies),
                Outcome::Late(term) => {
                    state.term.raise(term);
                    overtaken += 1;
                }
                Outcome::Erased => return Err(KeystoreError::Erased),
                Outcome::Stale => return Err(self.refused()),
            }
        }
        Err(KeystoreError::Overtaken)
    }
}

/// The replies at these places; nil where there is no place.
fn own(replies: &mut [Option<Value>], places: &[Option<usize>]) -> Vec<Value> {
    let take = |place: &Option<usize>| replies.get_mut((*place)?)?.take();
    let taken = places.iter().map(take);
    taken.map(|reply| reply.unwrap_or(Value::Nil)).collect()
}

/// One operation of a step, with the rows of all that it stands for.
#[derive(Debug)]
struct Joined<'a> {
    name: &'static str,
    keys: &'a [String],
    args: Vec<&'a [u8]>,
}

impl Joined<'_> {
    /// Whether it can take the rows of `op`, and how many arguments of that are no rows.
    fn takes(&self, op: &Op) -> Option<usize> {
        let (_, head) = OF_ROWS.iter().find(|(name, _)| *name == op.name)?;
        let agrees = self.name == op.name
            && self.keys == op.keys
            && self.args.get(..*head)? == op.args.get(..*head)?;
        agrees.then_some(*head)
    }

    fn touches(&self, op: &Op) -> bool {
        self.keys.iter().any(|key| op.keys.contains(key))
    }
}

/// What several writes are as one.
#[derive(Debug)]
struct Step<'a> {
    ops: Vec<Joined<'a>>,
    /// For each write, where the replies of its operations are; none where it shares the operation.
    places: Vec<Vec<Option<usize>>>,
}

impl<'a> Step<'a> {
    fn of(writes: &'a [Waiting]) -> Self {
        let mut step = Self {
            ops: Vec::new(),
            places: Vec::new(),
        };
        for write in writes {
            let places = write.ops.iter().map(|op| step.add(op)).collect();
            step.places.push(places);
        }
        step
    }

    /// Adds an operation: as rows of the last one on any of its keys, or behind it.
    fn add(&mut self, op: &'a Op) -> Option<usize> {
        let args = op.args.iter().map(Vec::as_slice);
        let last = self.ops.iter_mut().rev().find(|other| other.touches(op));
        if let Some(last) = last
            && let Some(head) = last.takes(op)
        {
            last.args.extend(args.skip(head));
            return None;
        }
        self.ops.push(Joined {
            name: op.name,
            keys: &op.keys,
            args: args.collect(),
        });
        Some(self.ops.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(name: &'static str, keys: &[&str], args: &[&str]) -> Op {
        Op {
            name,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            args: args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
        }
    }

    fn waiting(ops: Vec<Op>) -> Waiting {
        Waiting {
            ops,
            since: Instant::now(),
            answer: oneshot::channel().0,
        }
    }

    fn reported(step: &Step<'_>) -> Vec<String> {
        let tell = |op: &Joined<'_>| {
            let args: Vec<_> = op
                .args
                .iter()
                .map(|arg| String::from_utf8_lossy(arg))
                .collect();
            format!("{} {}", op.name, args.join(" "))
        };
        step.ops.iter().map(tell).collect()
    }

    #[test]
    fn rows_of_the_same_kind_share_an_operation() {
        let keep = |most, field| op("keep", &["sent", "at"], &[most, "1", field, "x"]);
        let writes = [
            waiting(vec![keep("9", "a")]),
            waiting(vec![op("put", &["session", "ix"], &["s", "1"])]),
            waiting(vec![keep("9", "b")]),
            waiting(vec![keep("8", "c")]),
            waiting(vec![op("put", &["session", "ix"], &["t", "2"])]),
        ];
        let step = Step::of(&writes);
        assert_eq!(
            reported(&step),
            ["keep 9 1 a x 1 b x", "put s 1 t 2", "keep 8 1 c x"]
        );
        let places = [
            vec![Some(0)],
            vec![Some(1)],
            vec![None],
            vec![Some(2)],
            vec![None],
        ];
        assert_eq!(step.places, places);
    }

    #[test]
    fn nothing_overtakes_what_touches_the_same_keys() {
        let put = |value| op("put", &["session", "ix"], &["s", value]);
        let writes = [
            waiting(vec![put("1")]),
            waiting(vec![
                op("HDEL", &["session"], &["s"]),
                op("ZREM", &["ix"], &["s"]),
            ]),
            waiting(vec![put("2")]),
            waiting(vec![op("HGET", &["session"], &["s"])]),
            waiting(vec![op("HGET", &["session"], &["s"])]),
        ];
        let step = Step::of(&writes);
        assert_eq!(
            reported(&step),
            ["put s 1", "HDEL s", "ZREM s", "put s 2", "HGET s", "HGET s"]
        );
    }

    #[test]
    fn a_panic_leaves_nobody_waiting() {
        let commit_queue = CommitQueue::default();
        let (answer, mut answered) = oneshot::channel();
        assert!(commit_queue.join(Waiting {
            answer,
            ..waiting(Vec::new())
        }));
        let carried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = CommitGuard(&commit_queue);
            panic!("a bug");
        }));
        assert!(carried.is_err());
        let gone = oneshot::error::TryRecvError::Closed;
        assert_eq!(answered.try_recv().err(), Some(gone));
        assert!(commit_queue.join(waiting(Vec::new())), "somebody new");
    }

    #[test]
    fn a_step_is_bounded_and_every_write_finds_one() {
        let commit_queue = CommitQueue::default();
        let large = || waiting(vec![op("put", &["k", "i"], &["x"; ARGUMENTS - 1])]);
        assert!(commit_queue.join(large()));
        for _ in 0..2 {
            assert!(
                !commit_queue.join(large()),
                "somebody carries it out already"
            );
        }
        assert!(!commit_queue.join(waiting(vec![op("HDEL", &["k"], &["x"])])));
        let steps: Vec<usize> = std::iter::from_fn(|| Some(commit_queue.next().len()))
            .take(4)
            .collect();
        assert_eq!(steps, [1, 1, 2, 0]);
        assert!(commit_queue.join(large()), "nobody carries it out any more");
    }
}
