//! How an operation names the message that it is about.

use gateway_shared::domain::Target;
use waproto::whatsapp as wa;

use super::Frame;

/// The key of the target. In a group it names the author, unless that is the account itself.
pub(super) fn key(target: &Target, frame: Frame<'_>) -> wa::MessageKey {
    wa::MessageKey {
        remote_jid: Some(frame.chat.as_str().to_owned()),
        from_me: Some(target.is_own()),
        id: Some(target.id.clone()),
        participant: target.sender.clone().filter(|_| frame.chat.is_group()),
    }
}

/// The key of the target, which in a group names the author also where that is the account.
pub(super) fn key_with_author(target: &Target, frame: Frame<'_>) -> wa::MessageKey {
    let mut key = key(target, frame);
    if frame.chat.is_group() && key.participant.is_none() {
        key.participant = frame.own.name().map(str::to_owned);
    }
    key
}
