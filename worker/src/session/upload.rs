//! Files of sends: uploaded once, before the first attempt, and kept with the send.

use std::sync::Arc;

use gateway_shared::clock::{Clock, Millis, SystemClock};
use gateway_shared::domain::{Content, SendFailure};
use gateway_shared::lane::{Attempt, ClaimedSend, Epoch};
use gateway_shared::media::{MediaError, MediaStore, Uploaded};
use tokio::sync::Semaphore;

use crate::Backoff;
use crate::engine::Verdict;
use crate::link::{Link, UploadFailed};

/// Uploads files for the sends of a worker, a bounded number at once: they hold a thread each, and
/// their texts do not wait for them.
#[derive(Debug, Clone)]
pub(crate) struct Uploads {
    store: MediaStore,
    turns: Arc<Semaphore>,
    clock: Arc<SystemClock>,
    backoff: Backoff,
}

impl Uploads {
    pub(crate) fn new(store: MediaStore, clock: Arc<SystemClock>, backoff: Backoff) -> Self {
        let turns = Arc::new(Semaphore::new(store.config().upload_concurrency));
        Self {
            store,
            turns,
            clock,
            backoff,
        }
    }

    /// What WhatsApp has of the files of a send: of an earlier attempt, or uploaded now and recorded.
    ///
    /// # Errors
    /// How the attempt ends when that can not be had.
    pub(super) async fn of(
        &self,
        link: &Link,
        epoch: Epoch,
        send: &ClaimedSend,
    ) -> Result<Vec<Uploaded>, Verdict> {
        let media = send.content.as_ref().map(Content::files);
        let media = media.unwrap_or_default();
        let mut all = Vec::with_capacity(media.len());
        for (item, media) in media.into_iter().enumerate() {
            let known = self.store.upload_of(&send.from, &send.id, item).await;
            let known = known.map_err(|error| self.again(send, &error))?;
            let lifetime = self.store.config().upload_lifetime_ms;
            let fresh = |uploaded: &Uploaded| {
                let age = self.clock.now().saturating_sub(uploaded.at);
                age < Millis::try_from(lifetime).unwrap_or(Millis::MAX)
            };
            if let Some(known) = known.clone().filter(fresh) {
                all.push(known);
                continue;
            }
            // A file that is forwarded is at WhatsApp already.
            if let Some(reference) = &media.reference
                && let Ok(there) = self
                    .store
                    .open_reference(&send.from.organization, reference)
            {
                all.push(there);
                continue;
            }
            // Closed never: it lives as long as this does.
            let _turn = self.turns.acquire().await;
            let organization = &send.from.organization;
            let file = self
                .store
                .hold(organization, &media.sha256, 0, 0)
                .await
                .map_err(|error| self.again(send, &error))?;
            let Some(file) = file else {
                return Err(gone());
            };
            let content = match self.store.read(organization, &file, 0..file.size).await {
                Ok(content) => content,
                Err(MediaError::Damaged) => return Err(gone()),
                Err(error) => return Err(self.again(send, &error)),
            };
            let key = known.as_ref().map(|known| &known.media_key);
            let uploaded = match link.upload(media.kind, content, key).await {
                Ok(uploaded) => uploaded,
                Err(UploadFailed::NotConnected) => return Err(Verdict::released()),
                Err(UploadFailed::Store(MediaError::Damaged)) => return Err(gone()),
                Err(error) => return Err(self.retry(send, &error.to_string())),
            };
            let owner = (&send.from, epoch);
            match self
                .store
                .keep_upload(owner, &send.id, item, &uploaded)
                .await
            {
                Ok(true) => all.push(uploaded),
                // Somebody else's send by now.
                Ok(false) => return Err(Verdict::released()),
                Err(error) => return Err(self.again(send, &error)),
            }
        }
        Ok(all)
    }

    /// Law 5: that Redis is away costs no attempt.
    fn again(&self, send: &ClaimedSend, error: &MediaError) -> Verdict {
        match error {
            MediaError::Redis(_) => Verdict::released(),
            error => self.retry(send, &error.to_string()),
        }
    }

    fn retry(&self, send: &ClaimedSend, problem: &str) -> Verdict {
        tracing::warn!(session = %send.from.session, outbox_id = %send.id, problem,
            "a file could not be uploaded");
        let wait = self.backoff.wait(send.attempt, rand::random());
        let wait = Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX);
        let failure = SendFailure::new("attempts_exhausted", "the file could not be uploaded");
        Attempt::Retry(self.clock.now().saturating_add(wait), failure).into()
    }
}

fn gone() -> Verdict {
    let failure = SendFailure::new("media_gone", "the file is not in the store any more");
    Attempt::Dead(failure).into()
}
