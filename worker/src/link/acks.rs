//! Who waits for the acknowledgement of which message.
//!
//! A waiter is registered before its message is written, since the answer may arrive before the
//! write returns. It leaves the map when it is answered and when it is dropped, so a cancelled
//! send leaves nothing behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// What a waiter learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// WhatsApp's server has the message.
    Acked,
    /// It refused it with this code.
    Nacked(u16),
    /// The connection ended first: nobody knows.
    LinkLost,
}

/// The waiters of one link. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Acks {
    waiters: Arc<Mutex<Waiters>>,
}

#[derive(Debug, Default)]
struct Waiters {
    by_id: HashMap<String, Waiter>,
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    answer: oneshot::Sender<Answer>,
}

impl Acks {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiters> {
        // Nothing panics while it holds the lock, and the map would be whole if it did.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the acknowledgement of `id`. An older waiter for the same id is told that its
    /// link was lost: of one message there is one attempt at a time.
    #[must_use]
    pub fn expect(&self, id: &str) -> PendingAck {
        let (answer, answered) = oneshot::channel();
        let mut waiters = self.lock();
        waiters.next += 1;
        let number = waiters.next;
        let waiter = Waiter { number, answer };
        if let Some(older) = waiters.by_id.insert(id.to_owned(), waiter) {
            let _ = older.answer.send(Answer::LinkLost);
        }
        PendingAck {
            acks: self.clone(),
            id: id.to_owned(),
            number,
            answered,
        }
    }

    /// Answers whoever waits for `id`; says whether somebody did.
    pub fn answer(&self, id: &str, answer: Answer) -> bool {
        let waiter = self.lock().by_id.remove(id);
        waiter.is_some_and(|waiter| waiter.answer.send(answer).is_ok())
    }

    /// Tells everybody that the link was lost.
    pub fn lose_all(&self) {
        let waiters = std::mem::take(&mut self.lock().by_id);
        for waiter in waiters.into_values() {
            let _ = waiter.answer.send(Answer::LinkLost);
        }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A wait for one acknowledgement. Dropping it ends the wait.
#[derive(Debug)]
pub struct PendingAck {
    acks: Acks,
    id: String,
    number: u64,
    answered: oneshot::Receiver<Answer>,
}

impl PendingAck {
    /// The answer. Dropping this future loses nothing: it can be awaited again.
    pub async fn answered(&mut self) -> Answer {
        // The sender only goes away unanswered together with the link.
        (&mut self.answered).await.unwrap_or(Answer::LinkLost)
    }
}

impl Drop for PendingAck {
    fn drop(&mut self) {
        let mut waiters = self.acks.lock();
        // A newer waiter for the same id is not ours to remove.
        if waiters
            .by_id
            .get(&self.id)
            .is_some_and(|waiter| waiter.number == self.number)
        {
            waiters.by_id.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_reaches_the_one_who_waits_even_before_the_wait() {
        let acks = Acks::default();
        let mut pending = acks.expect("A");
        let mut other = acks.expect("B");
        assert!(acks.answer("A", Answer::Acked));
        assert_eq!(pending.answered().await, Answer::Acked);
        assert!(acks.answer("B", Answer::Nacked(479)));
        assert_eq!(other.answered().await, Answer::Nacked(479));
        assert!(acks.is_empty());
        assert!(!acks.answer("A", Answer::Acked), "nobody waits any more");
    }

    #[tokio::test]
    async fn a_dropped_wait_leaves_nothing_behind() {
        let acks = Acks::default();
        let pending = acks.expect("A");
        assert_eq!(acks.len(), 1);
        drop(pending);
        assert!(acks.is_empty());
    }

    #[tokio::test]
    async fn a_lost_link_answers_everybody() {
        let acks = Acks::default();
        let mut waits = [acks.expect("A"), acks.expect("B")];
        acks.lose_all();
        for pending in &mut waits {
            assert_eq!(pending.answered().await, Answer::LinkLost);
        }
        assert!(acks.is_empty());
    }

    #[tokio::test]
    async fn a_second_attempt_takes_over_the_id() {
        let acks = Acks::default();
        let mut first = acks.expect("A");
        let mut second = acks.expect("A");
        assert_eq!(first.answered().await, Answer::LinkLost);
        drop(first);
        assert_eq!(acks.len(), 1, "the first one's end is not the second one's");
        acks.answer("A", Answer::Acked);
        assert_eq!(second.answered().await, Answer::Acked);
    }
}
