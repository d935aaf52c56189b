//! How a message gets onto the screen of a phone, and what it changes there.

use std::sync::Arc;

use buffa::Message as _;
use serde_json::{Value, json};
use wacore::proto_helpers::MessageExt as _;
use wacore_binary::{Jid, Server};
use waproto::whatsapp::Message;

use super::content::{self, Change, Content, Effect};
use super::media;
use super::messages::{Direction, Shown, Status, Timer};
use super::vote::{Poll, VoteError};
use crate::accounts::{Account, DeviceAddress};
use crate::clock;
use crate::groups::Role;
use crate::world::World;

/// Where a message belongs, and whose it is.
pub(super) struct Place {
    pub(super) id: Arc<str>,
    /// The chat as the API names it.
    pub(super) chat: Arc<str>,
    pub(super) from: DeviceAddress,
    pub(super) direction: Direction,
    /// Epoch seconds.
    pub(super) timestamp: u64,
    pub(super) status: Option<Status>,
    /// The author as the stanza names it: receipts go there.
    pub(super) author: Jid,
}

/// Shows a message on the phone of `owner`, once, and lets it do what it says
/// to the message it is about.
pub(super) fn show(world: &World, owner: &Account, message: &Message, place: Place) {
    let mut content = content::read(message);
    if content.content.is_null() && message.sender_key_distribution_message.is_set() {
        return;
    }
    open_vote(world, owner, message, &place, &mut content);
    media::look_up(world, message, &mut content.content);
    let Content {
        kind,
        content,
        context,
        disappears,
        effect,
    } = content;
    let from: Arc<str> = place.from.account.jid(Server::Pn).to_string().into();
    let group = place.chat.parse::<Jid>().ok();
    let group = group.and_then(|jid| world.groups.get(&jid));
    if let Some(seconds) = content::timer(message) {
        owner.phone.set_timer(&place.chat, seconds);
    }
    let wanted = group
        .as_ref()
        .map_or_else(|| owner.phone.timer(&place.chat), |group| group.timer());
    let timer = disappears
        .map(|seconds| Timer { seconds, wanted })
        .filter(|timer| timer.seconds > 0 || timer.wanted > 0);
    let admin = group.is_some_and(|group| group.role(&place.from.account) > Some(Role::Member));
    let mut shown = owner.phone.shown();
    let new = shown.show(Shown {
        seq: 0,
        id: place.id,
        chat: Arc::clone(&place.chat),
        from: Arc::clone(&from),
        from_device: place.from.device,
        direction: place.direction,
        kind,
        content,
        context,
        timer,
        timestamp: place.timestamp,
        received_at: clock::now_millis(),
        copies: 1,
        read: false,
        status: place.status,
        raw: message.encode_to_vec().into(),
        effects: None,
        author: place.author,
    });
    if new && let Some(effect) = effect {
        shown.apply(&place.chat, &from, admin, effect);
    }
}

/// Adds the texts of the chosen options to a vote, or why they are not known.
fn open_vote(
    world: &World,
    owner: &Account,
    message: &Message,
    place: &Place,
    content: &mut Content,
) {
    let Some(vote) = message.get_base_message().poll_update_message.as_option() else {
        return;
    };
    let target = content.content["target"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let poll = {
        let mut messages = owner.phone.shown();
        let shown = messages.find_in(&place.chat, &target);
        shown.map(|shown| (Poll::read(shown), Arc::clone(&shown.from)))
    };
    let chosen = poll.ok_or(VoteError::NoPoll).and_then(|(poll, creator)| {
        let creator = creator.parse::<Jid>().ok();
        let creator = creator.and_then(|creator| world.accounts.resolve(&creator));
        let creator = creator.ok_or(VoteError::NoPoll)?;
        poll?.open(&creator, &place.from.account, vote)
    });
    let (options, problem) = match chosen {
        Ok(options) => {
            content.effect = Some(Effect {
                target,
                change: Change::Vote(options.clone()),
            });
            (json!(options), None)
        }
        Err(error) => (Value::Null, Some(error.to_string())),
    };
    if let Value::Object(content) = &mut content.content {
        content.insert("options".to_owned(), options);
        if let Some(problem) = problem {
            content.insert("problem".to_owned(), problem.into());
        }
    }
}
