//! Requests that wait for an answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gateway_shared::domain::InstanceId;
use serde::Deserialize;
use tokio::sync::{oneshot, watch};

/// The requests of this process that wait for an answer.
#[derive(Debug)]
pub(crate) struct Replies {
    instance: InstanceId,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<String>>>,
    renewed: watch::Sender<u64>,
}

impl Replies {
    pub(crate) fn new(instance: InstanceId) -> Arc<Self> {
        Arc::new(Self {
            instance,
            next: AtomicU64::new(1),
            waiting: Mutex::default(),
            renewed: watch::Sender::new(0),
        })
    }

    /// The id of this run of the process, which names its reply channel.
    pub(crate) fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// A place to wait in. It is left when it is dropped.
    pub(crate) fn ticket(self: &Arc<Self>) -> Ticket {
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting().insert(token, sender);
        Ticket {
            replies: self.clone(),
            token,
            answer,
            renewed: self.renewed.subscribe(),
        }
    }

    /// Hands a message of the reply channel to the request it is for, if it still waits.
    pub(super) fn deliver(&self, message: &str) {
        #[derive(Deserialize)]
        struct Addressed<'a> {
            token: &'a str,
        }
        let token = serde_json::from_str::<Addressed<'_>>(message)
            .ok()
            .and_then(|addressed| addressed.token.parse().ok());
        let waiting = token.and_then(|token: u64| self.waiting().remove(&token));
        if let Some(waiting) = waiting {
            // Whoever waited may have just given up.
            let _ = waiting.send(message.to_owned());
        }
    }

    /// The subscription was renewed: what was published in between is lost.
    pub(super) fn renewed(&self) {
        self.renewed.send_modify(|count| *count += 1);
    }

    /// How many requests wait.
    pub(crate) fn count(&self) -> usize {
        self.waiting().len()
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<String>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one waiting request.
#[derive(Debug)]
pub(crate) struct Ticket {
    replies: Arc<Replies>,
    token: u64,
    answer: oneshot::Receiver<String>,
    renewed: watch::Receiver<u64>,
}

impl Ticket {
    /// What names this request on the reply channel.
    pub(crate) fn token(&self) -> String {
        self.token.to_string()
    }

    /// Waits for the answer, or (`None`) for a reason to look by oneself: the subscription was
    /// renewed, and messages may have been lost.
    pub(crate) async fn answer(&mut self) -> Option<String> {
        tokio::select! {
            biased;
            answer = &mut self.answer => match answer {
                Ok(message) => Some(message),
                // Answered before; nothing more will come.
                Err(_) => std::future::pending().await,
            },
            _ = self.renewed.changed() => None,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.replies.waiting().remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_reaches_the_one_who_waits_for_it() {
        let replies = Replies::new(InstanceId::generate(1));
        let mut first = replies.ticket();
        let mut second = replies.ticket();
        replies.deliver(&format!(r#"{{"token":"{}","x":2}}"#, second.token()));
        replies.deliver(r#"{"token":"999"}"#);
        replies.deliver("nonsense");
        assert!(second.answer().await.unwrap().contains(r#""x":2"#));
        replies.renewed();
        assert_eq!(first.answer().await, None);
        drop((first, second));
        assert_eq!(replies.count(), 0);
    }
}
