//! Files of sends: uploaded once, before the first attempt, and kept with the send.

use std::sync::Arc;

use gateway_shared::clock::{Clock, Millis, SystemClock};
use gateway_shared::domain::{Content, Media, OutboxId, SendFailure};
use gateway_shared::lane::{Attempt, ClaimedSend, Epoch, Lanes, SessionRef};
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

    /// The store that they are in.
    pub(crate) fn store(&self) -> &MediaStore {
        &self.store
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
            let place = Place {
                from: &send.from,
                epoch,
                id: &send.id,
                item,
            };
            let uploaded = self.one(link, place, media).await;
            all.push(uploaded.map_err(|failed| match failed {
                Failed::Gone => gone(),
                Failed::Later => Verdict::released(),
                Failed::Problem(problem) => self.retry(send, &problem),
            })?);
        }
        Ok(all)
    }

    /// What is scheduled for soon and has files.
    pub(super) async fn scheduled(
        &self,
        lanes: &Lanes,
        from: &SessionRef,
    ) -> Vec<(OutboxId, Content)> {
        let ahead = Millis::try_from(self.store.config().upload_ahead_ms).unwrap_or(0);
        let until = self.clock.now().saturating_add(ahead);
        match lanes.scheduled_before(from, until).await {
            Ok(mut soon) => {
                soon.retain(|(_, content)| !content.files().is_empty());
                soon
            }
            Err(error) => {
                tracing::debug!(session = %from.session, %error, "what is scheduled was not read");
                Vec::new()
            }
        }
    }

    /// Uploads the files of what is scheduled, so that it leaves at its time. What fails is uploaded
    /// when its time has come.
    pub(super) async fn ahead(
        &self,
        link: &Link,
        owner: (&SessionRef, Epoch),
        soon: Vec<(OutboxId, Content)>,
    ) {
        let (from, epoch) = owner;
        for (id, content) in soon {
            for (item, media) in content.files().into_iter().enumerate() {
                let place = Place {
                    from,
                    epoch,
                    id: &id,
                    item,
                };
                if let Err(failed) = self.one(link, place, media).await {
                    tracing::debug!(session = %from.session, outbox_id = %id, ?failed,
                        "a file was not uploaded ahead of its time");
                    break;
                }
            }
        }
    }

    /// One file of a send.
    async fn one(&self, link: &Link, place: Place<'_>, media: &Media) -> Result<Uploaded, Failed> {
        let Place {
            from,
            epoch,
            id,
            item,
        } = place;
        let organization = &from.organization;
        let known = self.store.upload_of(from, id, item).await?;
        let lifetime = self.store.config().upload_lifetime_ms;
        let fresh = |uploaded: &Uploaded| {
            let age = self.clock.now().saturating_sub(uploaded.at);
            age < Millis::try_from(lifetime).unwrap_or(Millis::MAX)
        };
        if let Some(known) = known.clone().filter(fresh) {
            return Ok(known);
        }
        // A file that is forwarded is at WhatsApp already.
        if let Some(reference) = &media.reference
            && let Ok(there) = self.store.open_reference(organization, reference)
        {
            return Ok(there);
        }
        // Closed never: it lives as long as this does.
        let _turn = self.turns.acquire().await;
        let file = self.store.hold(organization, &media.sha256, 0, 0).await?;
        let file = file.ok_or(Failed::Gone)?;
        let content = self.store.read(organization, &file, 0..file.size).await?;
        let key = known.as_ref().map(|known| &known.media_key);
        let uploaded = match link.upload(media.kind, content, key).await {
            Ok(uploaded) => uploaded,
            Err(UploadFailed::NotConnected) => return Err(Failed::Later),
            Err(UploadFailed::Store(error)) => return Err(error.into()),
            Err(error) => return Err(Failed::Problem(error.to_string())),
        };
        let kept = self.store.keep_upload((from, epoch), id, item, &uploaded);
        // Otherwise it is somebody else's send by now.
        if kept.await? {
            Ok(uploaded)
        } else {
            Err(Failed::Later)
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

/// Which file of which send.
#[derive(Clone, Copy)]
struct Place<'a> {
    from: &'a SessionRef,
    epoch: Epoch,
    id: &'a OutboxId,
    item: usize,
}

/// Why a file is not at WhatsApp.
#[derive(Debug)]
enum Failed {
    /// It is in the store no more.
    Gone,
    /// Nothing is wrong with it: there is no connection, no Redis, or another owner.
    Later,
    /// It was tried.
    Problem(String),
}

impl From<MediaError> for Failed {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::Damaged => Self::Gone,
            // Law 5: that Redis is away costs no attempt.
            MediaError::Redis(_) => Self::Later,
            error => Self::Problem(error.to_string()),
        }
    }
}

fn gone() -> Verdict {
    let failure = SendFailure::new("media_gone", "the file is not in the store any more");
    Attempt::Dead(failure).into()
}
