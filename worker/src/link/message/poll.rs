//! Polls and votes.

use buffa::MessageField;
use gateway_shared::domain::{Poll, PollKey, Target};
use waproto::whatsapp as wa;
use waproto::whatsapp::message::poll_creation_message::Option as PollOption;
use waproto::whatsapp::message::{PollCreationMessage, PollEncValue, PollUpdateMessage};

use super::super::vote::{self, Names};
use super::{Frame, Unbuildable, target};

/// A poll. One with a single choice is of version 3, any other of version 1, as WhatsApp Web makes
/// them.
pub(super) fn created(poll: &Poll, context: MessageField<wa::ContextInfo>) -> wa::Message {
    let creation = MessageField::some(PollCreationMessage {
        name: Some(poll.name.clone()),
        options: options(&poll.options),
        selectable_options_count: Some(poll.selectable_count),
        context_info: context,
        ..Default::default()
    });
    let mut message = wa::Message {
        message_context_info: MessageField::some(wa::MessageContextInfo {
            message_secret: poll.secret.as_ref().map(|secret| secret.bytes()),
            ..Default::default()
        }),
        ..Default::default()
    };
    if poll.selectable_count == 1 {
        message.poll_creation_message_v3 = creation;
    } else {
        message.poll_creation_message = creation;
    }
    message
}

pub(super) fn options(texts: &[String]) -> Vec<PollOption> {
    texts
        .iter()
        .map(|text| PollOption {
            option_name: Some(text.clone()),
            ..Default::default()
        })
        .collect()
}

/// A vote, encrypted for those who have the poll. Both names are of one name space, that of the
/// poll's author.
pub(super) fn vote(
    target: &Target,
    key: &PollKey,
    options: &[String],
    frame: Frame<'_>,
) -> Result<wa::Message, Unbuildable> {
    let own = match &target.sender {
        Some(creator) => frame.own.name_beside(creator),
        None => frame.own.name(),
    };
    let voter = own.ok_or_else(|| Unbuildable("the account has no name yet".into()))?;
    let names = Names {
        poll: &target.id,
        creator: target.sender.as_deref().unwrap_or(voter),
        voter,
    };
    let (payload, iv) = vote::seal(options, key, names, frame.id)
        .map_err(|error| Unbuildable(error.to_string()))?;
    let update = PollUpdateMessage {
        poll_creation_message_key: MessageField::some(target::key_with_author(target, frame)),
        vote: MessageField::some(PollEncValue {
            enc_payload: Some(payload),
            enc_iv: Some(iv.to_vec()),
        }),
        sender_timestamp_ms: Some(frame.at),
        ..Default::default()
    };
    Ok(wa::Message {
        poll_update_message: MessageField::some(update),
        ..Default::default()
    })
}
