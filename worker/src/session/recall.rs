//! Whether a message that WhatsApp sends again was told (law 7).

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;

use super::presence::LinkPlace;
use super::{Owner, Runtime};
use crate::keystore::{Recall, Unsettled};
use crate::link::WaAddress;
use crate::link::inbound::identity;

/// Looks into the session's memory of what it told, and asks the sender for what it did not.
#[derive(Debug)]
pub(super) struct EmittedMessages {
    runtime: Arc<Runtime>,
    owner: Owner,
    place: Arc<LinkPlace>,
}

impl EmittedMessages {
    /// Senders are asked over the link of `place`.
    pub(super) fn new(runtime: &Arc<Runtime>, owner: &Owner, place: &Arc<LinkPlace>) -> Self {
        Self {
            runtime: Arc::clone(runtime),
            owner: owner.clone(),
            place: Arc::clone(place),
        }
    }

    /// Asks the sender of a message for it again, beside everything else: the caller holds what the
    /// library needs in order to send.
    fn ask(&self, identity: String, chat: &str, sender: &str, id: &str) {
        let Some(link) = self.place.link() else {
            return;
        };
        tracing::warn!(session = %self.owner.of.session, id,
            "an inbound message was decrypted and never told: asking its sender for it again");
        let (chat, sender, id) = (chat.to_owned(), sender.to_owned(), id.to_owned());
        let (runtime, owner) = (Arc::clone(&self.runtime), self.owner.clone());
        tokio::spawn(async move {
            if let Err(error) = link.ask_again(&chat, &sender, &id).await {
                tracing::warn!(%error, id, "the sender of a message could not be asked for it");
                return;
            }
            let now = runtime.now();
            let remembered = runtime
                .sessions
                .remember_asked(now, owner.fence(), &identity);
            if let Err(error) = remembered.await {
                tracing::warn!(%error, id, "the sender of a message will be asked for it once more");
            }
        });
    }
}

#[async_trait]
impl Recall for EmittedMessages {
    async fn settle(&self, chat: &str, sender: &str, id: &str) -> Result<(), Unsettled> {
        let refused = |what: &str| Unsettled(Box::<dyn Error + Send + Sync>::from(what).into());
        let address = |text| WaAddress::parse(text).ok_or_else(|| refused("it has no address"));
        let identity = identity(&address(chat)?, &address(sender)?, id);
        let settled = self.runtime.sessions.is_settled(&self.owner.of, &identity);
        if settled.await.map_err(|error| Unsettled(Arc::new(error)))? {
            return Ok(());
        }
        self.ask(identity, chat, sender, id);
        // This copy stays without an acknowledgement until it comes again. It may also be one that
        // nobody is ever told of, since it only carried keys: then it was asked for in vain, once.
        Err(refused("its sender is asked for it again"))
    }
}
