//! Posting to one's status. It is encrypted for each device by itself, as a copy that was asked for
//! again is; the people of the sandbox have no status of others to show.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Server};
use waproto::whatsapp::Message;

use super::payload;
use crate::accounts::{Account, opposite};
use crate::clock;
use crate::error::PhoneError;
use crate::faults::Action;
use crate::mailbox::Class;
use crate::world::World;

/// Brings a post to the companions of those who may see it.
pub(crate) fn post_status(
    world: &Arc<World>,
    author: &Arc<Account>,
    audience: &[Arc<Account>],
    id: &str,
    message: &Message,
) -> Result<(), PhoneError> {
    let to = Jid::new("status", Server::Broadcast);
    let fault = world.faults.strike(author.phone_number(), None, &to, id);
    if matches!(fault, Some(Action::Silence)) {
        return Ok(());
    }
    for viewer in audience {
        let namespace = viewer.namespace();
        let key = if namespace == Server::Lid {
            "participant_pn"
        } else {
            "participant_lid"
        };
        for device in viewer.devices() {
            if device.device == 0 {
                continue;
            }
            let sealed = payload::seal(author, &device, message)?;
            let node = NodeBuilder::new("message")
                .attr("id", id)
                .attr("from", to.clone())
                .attr("participant", author.jid(namespace))
                .attr(key, author.jid(opposite(namespace)))
                .attr("type", wacore::send::stanza_type_from_message(message))
                .attr("t", clock::now_secs())
                .attr("notify", &*author.name())
                .children([payload::enc(sealed, message, None)])
                .build();
            world.deliver(&device, Class::Message, id, "", node);
        }
    }
    Ok(())
}
