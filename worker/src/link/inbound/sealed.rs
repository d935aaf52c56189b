//! Answers to events: encrypted with the secret of the event's message.

use waproto::whatsapp as wa;
use waproto::whatsapp::message::event_response_message::EventResponseType;

/// An encrypted answer to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAnswer {
    /// The message id of the event.
    pub event: String,
    payload: Vec<u8>,
    iv: Vec<u8>,
}

impl SealedAnswer {
    /// The answer that a message is, if it is one.
    pub(super) fn of(base: &wa::Message) -> Option<Self> {
        let answer = base.enc_event_response_message.as_option()?;
        Some(Self {
            event: answer.event_creation_message_key.as_option()?.id.clone()?,
            payload: answer.enc_payload.clone()?,
            iv: answer.enc_iv.clone()?,
        })
    }

    /// What it says, and how many guests it brings, if it can be opened. People have two names, and an
    /// answer may have been made under either: each pair is tried.
    #[must_use]
    pub fn open(
        &self,
        secret: &[u8],
        creators: &[&str],
        people: &[&str],
    ) -> Option<(&'static str, Option<i32>)> {
        let pairs = creators
            .iter()
            .flat_map(|creator| people.iter().map(move |person| (creator, person)));
        let answer = pairs.into_iter().find_map(|(creator, person)| {
            wacore::event::decrypt_event_response_with_secret(
                &self.payload,
                &self.iv,
                secret,
                &self.event,
                creator,
                person,
            )
            .ok()
        })?;
        let response = match answer.response? {
            EventResponseType::GOING => "going",
            EventResponseType::NOT_GOING => "not_going",
            EventResponseType::MAYBE => "maybe",
            EventResponseType::UNKNOWN => return None,
        };
        Some((response, answer.extra_guest_count))
    }
}
