//! `autoDownload`: files of messages that came in, fetched before anybody asks.
//!
//! It has bounds of its own and never runs in the receive path. What it does not get to, or what a crash
//! takes with it, is not lost: whoever follows the signed address has it fetched then.

use std::sync::{Arc, Weak};
use std::time::Duration;

use gateway_shared::clock::Millis;
use gateway_shared::domain::Download;
use gateway_shared::events::inbound::Content;
use gateway_shared::lane::SessionRef;
use gateway_shared::media::{FetchError, Fetcher, MediaError, MediaLinks, MediaStore, Reference};
use gateway_shared::messages::{Located, Messages, Wanted};
use tokio::sync::Semaphore;

use crate::link::Link;

/// Files that may wait to be fetched in one worker; what comes on top is fetched when it is asked for.
const MOST_WAITING: usize = 1_000;
/// Pauses before a file is tried again that no host gave.
const AGAIN: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
];

/// Fetches files by itself. Cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Downloads(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: MediaStore,
    fetcher: Fetcher,
    links: MediaLinks,
    messages: Messages,
    turns: Semaphore,
    waiting: Arc<Semaphore>,
}

/// A message with a file.
#[derive(Debug)]
pub(crate) struct FileMessage {
    pub(crate) of: SessionRef,
    pub(crate) id: String,
    pub(crate) chat: String,
    /// Absent where this account wrote it.
    pub(crate) sender: Option<String>,
}

impl Downloads {
    /// Downloads into this store.
    ///
    /// # Errors
    /// When TLS can not be set up.
    pub(crate) fn new(
        store: MediaStore,
        links: MediaLinks,
        messages: Messages,
    ) -> Result<Self, MediaError> {
        Ok(Self(Arc::new(Inner {
            fetcher: Fetcher::new(store.clone())?,
            turns: Semaphore::new(store.config().auto_download_concurrency),
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
            store,
            links,
            messages,
        })))
    }

    /// Says in the content of a message where its file will be, or that it is too large to be fetched
    /// by itself. Whether it is to be fetched.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(crate) fn announce(
        &self,
        now: Millis,
        message: &FileMessage,
        content: &mut Content,
    ) -> Result<bool, MediaError> {
        let Some(file) = content.file_mut() else {
            return Ok(false);
        };
        if file.size.unwrap_or_default() > self.0.store.config().auto_download_bytes {
            file.too_large = true;
            return Ok(false);
        }
        let links = &self.0.links;
        file.url = Some(links.address(now, &message.of, &message.id, &message.chat)?);
        Ok(true)
    }

    /// Fetches a file. A reference that has expired is renewed over the link, where there is one.
    pub(crate) fn fetch(&self, message: FileMessage, download: Download, link: Weak<Link>) {
        let inner = Arc::clone(&self.0);
        let Ok(place) = Arc::clone(&inner.waiting).try_acquire_owned() else {
            tracing::debug!(session = %message.of.session, id = message.id,
                "too many files wait to be fetched; this one is when it is asked for");
            return;
        };
        tokio::spawn(async move {
            inner.get(&message, &download, &link).await;
            drop(place);
        });
    }

    /// The same, for a message that the index knows.
    pub(crate) fn fetch_known(&self, message: FileMessage) {
        let inner = Arc::clone(&self.0);
        let Ok(place) = Arc::clone(&inner.waiting).try_acquire_owned() else {
            return;
        };
        tokio::spawn(async move {
            let chat = message.chat.parse().ok();
            let wanted = Wanted {
                id: &message.id,
                chat: chat.as_ref(),
                idempotency: None,
                whole: false,
            };
            if let Ok(Located::Found(found)) = inner.messages.locate(&message.of, wanted).await
                && let Ok(Some(download)) =
                    inner
                        .store
                        .download_of(&message.of, &message.id, &found.message)
            {
                inner.get(&message, &download, &Weak::new()).await;
            }
            drop(place);
        });
    }
}

impl Inner {
    async fn get(&self, message: &FileMessage, download: &Download, link: &Weak<Link>) {
        let Some(mut reference) = Reference::of(download) else {
            return;
        };
        let organization = &message.of.organization;
        let mut renewed = false;
        let mut pauses = AGAIN.into_iter();
        loop {
            let keep = self.store.config().keep_ms;
            if let Some(sha256) = reference.name()
                && let Ok(Some(_)) = self.store.hold(organization, &sha256, 0, keep).await
            {
                return;
            }
            let fetched = {
                // Closed never.
                let _turn = self.turns.acquire().await;
                self.fetcher.fetch(organization, &reference).await
            };
            let problem = match fetched {
                Ok(_) => return,
                Err(FetchError::Expired(_)) if !renewed => {
                    renewed = true;
                    let Some(direct_path) = renew(message, &reference, link).await else {
                        return;
                    };
                    reference.direct_path = direct_path;
                    continue;
                }
                Err(
                    error @ (FetchError::Expired(_)
                    | FetchError::NoReference
                    | FetchError::TooLarge(_)
                    | FetchError::Store(MediaError::Full { .. })),
                ) => {
                    tracing::debug!(session = %message.of.session, id = message.id, %error,
                        "a file was not fetched by itself");
                    return;
                }
                Err(error) => error,
            };
            let Some(pause) = pauses.next() else {
                tracing::info!(session = %message.of.session, id = message.id, error = %problem,
                    "a file could not be fetched by itself");
                return;
            };
            tokio::time::sleep(pause).await;
        }
    }
}

async fn renew(message: &FileMessage, reference: &Reference, link: &Weak<Link>) -> Option<String> {
    let link = link.upgrade()?;
    let key = reference.media_key.as_ref()?;
    let sender = message.sender.as_deref();
    let renewed = link.upload_again(&message.id, &message.chat, sender, key);
    renewed.await.ok()
}
