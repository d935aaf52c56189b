//! The message that an inbound message is about: as this session knew it before, and what it takes to
//! read what is encrypted about it.

use gateway_shared::domain::KnownMessage;
use gateway_shared::events::inbound::{Address, Content, Poll, Target};
use gateway_shared::messages::{Located, Wanted};
use gateway_shared::redis::RedisFailure;
use gateway_shared::session::Vote;

use super::{EventSink, known};
use crate::link::InboundMessage;

/// What is known of a target.
pub(super) struct Known {
    message: KnownMessage,
    /// This account's own JIDs: by number and by LID.
    own: Vec<String>,
}

impl EventSink {
    /// Completes a message that is about another one, which may have come in the same batch: what
    /// the target was, what a vote chose, what an answer says.
    pub(super) async fn complete(
        &self,
        message: &mut InboundMessage,
        batch: &[InboundMessage],
    ) -> Result<Option<Vote>, RedisFailure> {
        let Some(target) = message.payload.target_message_id.clone() else {
            return Ok(None);
        };
        let Some(target) = self.known(&target, batch).await? else {
            return Ok(None);
        };
        if let Some(about) = &mut message.payload.target {
            describe(about, &target);
        }
        let own: Vec<&str> = target.own.iter().map(String::as_str).collect();
        let creators = names(
            target.message.sender.as_deref(),
            target.message.sender_alt.as_deref(),
            &own,
        );
        let people = if message.from_me {
            own.clone()
        } else {
            let alt = message.sender_alt.as_ref().map(|jid| jid.as_str());
            names(Some(message.sender.as_str()), alt, &own)
        };
        let mut opened = None;
        if let (Some(vote), Some(poll)) = (&message.vote, &target.message.poll) {
            opened = vote.open(poll, &creators, &people).map(|chosen| Vote {
                poll: vote.poll.clone(),
                voter: message.payload.sender.key().to_owned(),
                name: message
                    .payload
                    .sender
                    .pn
                    .clone()
                    .unwrap_or_else(|| message.payload.sender_jid.clone()),
                at: message.payload.timestamp,
                chosen,
                options: poll.options.clone(),
            });
        }
        let mut answered = None;
        if let (Some(answer), Some(secret)) = (&message.answer, &target.message.secret) {
            answered = answer.open(&secret.bytes(), &creators, &people);
        }
        match &mut message.payload.content {
            Some(Content::PollVote(vote)) => {
                vote.options = opened.as_ref().map(|vote| vote.chosen.clone());
            }
            Some(Content::EventResponse(response)) => {
                if let Some((said, guests)) = answered {
                    response.response = Some(said.to_owned());
                    response.extra_guests = guests;
                }
            }
            _ => {}
        }
        Ok(opened)
    }

    async fn known(
        &self,
        id: &str,
        batch: &[InboundMessage],
    ) -> Result<Option<Known>, RedisFailure> {
        // The names of this account are known with any message of the index.
        let wanted = Wanted {
            id,
            chat: None,
            idempotency: None,
            whole: false,
        };
        if let Located::Found(found) = self.runtime.messages.locate(&self.owner.of, wanted).await? {
            let own = found.own.iter().flatten().cloned().collect();
            let message = found.message.clone();
            return Ok(Some(Known { message, own }));
        }
        // A message and what was done to it may have waited for us together.
        let Some(beside) = batch
            .iter()
            .find(|other| other.id == id && other.payload.target_message_id.is_none())
        else {
            return Ok(None);
        };
        let session = self.runtime.sessions.get(&self.owner.of).await?;
        let own = session.map_or([None, None], |session| [session.wa_jid, session.wa_lid]);
        Ok(Some(Known {
            message: known(beside),
            own: own.into_iter().flatten().collect(),
        }))
    }
}

fn describe(target: &mut Target, known: &Known) {
    let message = &known.message;
    target.from_me = Some(message.is_own());
    target.sender = match &message.sender {
        Some(sender) => Some(Address::new(sender, message.sender_alt.as_deref())),
        None => known
            .own
            .first()
            .map(|own| Address::new(own, known.own.get(1).map(String::as_str))),
    };
    target.kind = Some(message.kind.clone());
    target.timestamp = Some(message.time);
    target.text = Some(message.excerpt.clone()).filter(|text| !text.is_empty());
    target.poll = message.poll.as_ref().map(|poll| Poll {
        name: message.excerpt.clone(),
        options: poll.options.clone(),
        selectable_count: poll.selectable_count,
        ..Poll::default()
    });
}

/// Both names of a person; those of this account where none are given.
fn names<'a>(name: Option<&'a str>, alt: Option<&'a str>, own: &[&'a str]) -> Vec<&'a str> {
    if name.is_none() {
        return own.to_vec();
    }
    name.into_iter().chain(alt).collect()
}
