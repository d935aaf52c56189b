//! How a session behaves towards people, as its owner wishes: whether it shows that it reads and
//! that it types.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use gateway_shared::domain::{Content, Session};
use gateway_shared::lane::ClaimedSend;
use tokio::time::sleep;

use crate::link::{InboundMessage, Link, WaAddress};

/// How long typing is shown: for each letter, at least and at most. Nobody waits longer for a
/// message because of it.
const A_LETTER: Duration = Duration::from_millis(20);
const SHORTEST_TYPING: Duration = Duration::from_millis(400);
pub(crate) const LONGEST_TYPING: Duration = Duration::from_secs(3);

/// The link of a stint, for those that are made before it.
#[derive(Debug, Default)]
pub(super) struct LinkPlace(OnceLock<Weak<Link>>);

impl LinkPlace {
    /// This is the link. There is one at most.
    pub(super) fn fill(&self, link: &Arc<Link>) {
        let _ = self.0.set(Arc::downgrade(link));
    }

    /// The link, if it is open.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.0.get().and_then(Weak::upgrade)
    }
}

/// What the owner wishes at present.
#[derive(Debug)]
pub(super) struct PresenceSettings {
    reads: AtomicBool,
    downloads: AtomicBool,
    types: AtomicBool,
    place: Arc<LinkPlace>,
}

impl PresenceSettings {
    /// Those of a session, shown over the link of `place`.
    pub(super) fn of(session: &Session, place: &Arc<LinkPlace>) -> Self {
        Self {
            reads: AtomicBool::new(session.auto_read),
            downloads: AtomicBool::new(session.auto_download),
            types: AtomicBool::new(session.presence_typing),
            place: Arc::clone(place),
        }
    }

    /// The session may have been changed.
    pub(super) fn follow(&self, session: &Session) {
        self.reads.store(session.auto_read, Ordering::Relaxed);
        self.downloads
            .store(session.auto_download, Ordering::Relaxed);
        self.types.store(session.presence_typing, Ordering::Relaxed);
    }

    /// Whether files are fetched by themselves.
    pub(super) fn downloads(&self) -> bool {
        self.downloads.load(Ordering::Relaxed)
    }

    /// The link, if it is open.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.place.link()
    }

    /// Messages were told: shows their authors that they were read, if that is wished. It goes its
    /// own way, since the pipeline that receives must not wait for what is sent.
    pub(super) fn read(&self, messages: &[InboundMessage]) {
        if !self.reads.load(Ordering::Relaxed) {
            return;
        }
        let Some(link) = self.place.link() else {
            return;
        };
        let mut unread: HashMap<(WaAddress, WaAddress), Vec<String>> = HashMap::new();
        // What waited while the session was away was read by nobody; stories and channels are no chat.
        let read = |message: &&InboundMessage| {
            let theirs = !message.from_me && !message.payload.offline;
            theirs && !message.story && message.server_id.is_none()
        };
        for message in messages.iter().filter(read) {
            let place = (message.chat.clone(), message.sender.clone());
            unread.entry(place).or_default().push(message.id.clone());
        }
        tokio::spawn(async move {
            for ((chat, author), ids) in unread {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                if let Err(error) = link.mark_read(&chat, &author, &ids).await {
                    tracing::debug!(%error, ?ids, "messages were not marked as read");
                }
            }
        });
    }

    /// A text is about to be sent for the first time: shows for a moment that somebody types it,
    /// if that is wished.
    pub(super) async fn type_before(&self, link: &Link, send: &ClaimedSend) {
        let Ok(Content::Text { text, .. }) = &send.content else {
            return;
        };
        if send.attempt > 1 || !self.types.load(Ordering::Relaxed) {
            return;
        }
        match link.show_typing(&send.to).await {
            Ok(()) => sleep(typing(text)).await,
            Err(error) => tracing::debug!(%error, "typing was not shown"),
        }
    }
}

/// How long it takes to type a text.
fn typing(text: &str) -> Duration {
    let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    A_LETTER
        .saturating_mul(letters)
        .clamp(SHORTEST_TYPING, LONGEST_TYPING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_takes_a_moment_and_never_long() {
        assert_eq!(typing("hi"), SHORTEST_TYPING);
        assert_eq!(typing(&"x".repeat(50)), Duration::from_secs(1));
        assert_eq!(typing(&"x".repeat(60_000)), LONGEST_TYPING);
    }
}
