//! Copies of sent messages, written together.
//!
//! whatsapp-rust stores a copy of each message before the message leaves, and a session sends to
//! many chats at once. While one write is under way the next copies gather, and one of their
//! senders writes them all: under load a write costs Redis little more than one row does, and a
//! lone send waits for nobody.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot::{self, error::TryRecvError};

use super::timed::SENT;
use super::{KeystoreError, RedisKeystore};

/// Rows on their way to Redis.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    waiting: Mutex<Vec<Waiting>>,
    /// Held by whoever writes. Waiting for it ends in the order in which it began.
    turn: tokio::sync::Mutex<()>,
}

/// A row that somebody wants written.
#[derive(Debug)]
struct Waiting {
    field: Vec<u8>,
    payload: Vec<u8>,
    /// Dropped without a word when the write failed or was given up.
    written: oneshot::Sender<()>,
}

impl Gathering {
    fn rows(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RedisKeystore {
    /// Stores the copy of a sent message, together with those of others who ask at this time.
    /// Dropping the future may leave the row written or not.
    ///
    /// # Errors
    /// Those of a write of this row alone: a common write that fails is made again by each.
    pub(super) async fn put_sent(
        &self,
        field: Vec<u8>,
        payload: &[u8],
    ) -> Result<(), KeystoreError> {
        let gathering = &self.state.gathering;
        let (written, mut outcome) = oneshot::channel();
        gathering.rows().push(Waiting {
            field: field.clone(),
            payload: payload.to_vec(),
            written,
        });
        let turn = gathering.turn.lock().await;
        match outcome.try_recv() {
            Ok(()) => return Ok(()),
            Err(TryRecvError::Closed) => {
                drop(turn);
                return self.put_timed(&SENT, &[(field, payload)]).await;
            }
            Err(TryRecvError::Empty) => {}
        }
        let rows = std::mem::take(&mut *gathering.rows());
        let together: Vec<(Vec<u8>, &[u8])> = rows
            .iter()
            .map(|row| (row.field.clone(), row.payload.as_slice()))
            .collect();
        self.put_timed(&SENT, &together).await?;
        for row in rows {
            // Who does not wait any more does not need to know.
            let _ = row.written.send(());
        }
        Ok(())
    }
}
