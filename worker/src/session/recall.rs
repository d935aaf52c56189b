//! Whether a message that WhatsApp sends again was told (law 7).

use std::sync::Arc;

use async_trait::async_trait;

use super::inbound::identity;
use super::manners::LinkPlace;
use super::{Owner, Runtime};
use crate::keystore::{Recall, Unsettled};
use crate::link::WaAddress;

/// Looks into the session's memory of what it told, and asks the sender for what it did not.
#[derive(Debug)]
pub(super) struct Told {
    runtime: Arc<Runtime>,
    owner: Owner,
    place: Arc<LinkPlace>,
}

impl Told {
    /// Senders are asked over the link of `place`.
    pub(super) fn new(runtime: &Arc<Runtime>, owner: &Owner, place: &Arc<LinkPlace>) -> Self {
        Self {
            runtime: Arc::clone(runtime),
            owner: owner.clone(),
            place: Arc::clone(place),
        }
    }
}

#[async_trait]
impl Recall for Told {
    async fn settle(&self, chat: &str, sender: &str, id: &str) -> Result<(), Unsettled> {
        let refused = |what: &str| Unsettled(what.to_owned().into());
        let address = |text| WaAddress::parse(text).ok_or_else(|| refused("it has no address"));
        let identity = identity(&address(chat)?, &address(sender)?, id);
        let told = self.runtime.sessions.has_told(&self.owner.of, &identity);
        if told.await.map_err(|error| Unsettled(Box::new(error)))? {
            return Ok(());
        }
        let link = self.place.link();
        let link = link.ok_or_else(|| refused("there is no link to ask its sender through"))?;
        tracing::warn!(session = %self.owner.of.session, id,
            "an inbound message was decrypted and never told: asking its sender for it again");
        let asked = link.ask_again(chat, sender, id).await;
        asked.map_err(|error| Unsettled(Box::new(error)))
    }
}
