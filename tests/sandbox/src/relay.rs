//! Messages: whether the server takes them, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::client::Session;
use crate::clock;
use crate::destination::Destination;
use crate::fanout::{Delivery, fan_out, participant_hash};
use crate::faults::Action;
use crate::ledger::{Accepted, Kind};
use crate::privacy;
use crate::submission::Submission;
use crate::world::World;

/// The code with which a message to nobody is refused.
pub(crate) const UNKNOWN_RECIPIENT: u16 = 404;
/// The code with which somebody is refused who may not write to the group.
pub(crate) const NOT_ALLOWED: u16 = 403;

/// A message that a fault holds up.
#[derive(Debug)]
pub(crate) struct Held(Submission);

/// Takes a message from a connected client. A fault may hold it up; then it is
/// given back with the time it has to wait.
pub(crate) fn submit(session: &Session, submission: Submission) -> Option<(Duration, Held)> {
    let world = &session.world;
    let recipient = world.accounts.resolve(&submission.to);
    let recipient = recipient.as_ref().map(|account| &**account.phone_number());
    let sender = submission.from.account.phone_number();
    let fault = world
        .faults
        .strike(sender, recipient, &submission.to, &submission.id);
    let (delivery, acknowledge) = match fault {
        None => (Delivery::Plain, true),
        Some(Action::Silence) => return None,
        Some(Action::Cut) => {
            session.link.cut();
            return None;
        }
        Some(Action::Nack(code)) => {
            nack(session, &submission, code);
            return None;
        }
        Some(Action::Delay(duration)) => return Some((duration, Held(submission))),
        Some(Action::DropAck | Action::CutAfter) => (Delivery::Plain, false),
        Some(Action::Replay) => (Delivery::Twice, true),
        Some(Action::Corrupt) => (Delivery::Corrupted, true),
        Some(Action::Unconfirmed) => (Delivery::Unconfirmed, true),
    };
    accept(session, submission, delivery, acknowledge);
    if fault == Some(Action::CutAfter) {
        session.link.cut();
    }
    None
}

/// Goes on with a message after its delay.
pub(crate) fn release(session: &Session, held: Held) {
    accept(session, held.0, Delivery::Plain, true);
}

fn accept(session: &Session, submission: Submission, delivery: Delivery, acknowledge: bool) {
    let world = &session.world;
    let Some(destination) = Destination::resolve(world, &submission) else {
        nack(session, &submission, UNKNOWN_RECIPIENT);
        return;
    };
    if let Some(code) = refusal(&destination, &submission) {
        nack(session, &submission, code);
        return;
    }
    let now = clock::now_secs();
    let attempt = enter_in_ledger(world, &submission, &destination);
    // The sender learns that the server has it before it learns that anybody got it.
    if acknowledge {
        let mut ack = ack(&submission, now);
        if let Some(hash) = participant_hash(world, &submission, &destination) {
            ack.attrs.insert("phash", hash);
        }
        session.link.send(&ack);
    }
    // A device that asks for a message again must get it.
    let repeated = attempt > 1 && submission.kind() == Kind::Message;
    if !(repeated && world.config.dedupe) {
        fan_out(world, submission, &destination, now, delivery);
    }
}

/// The code with which a message is refused, if it is.
fn refusal(destination: &Destination, submission: &Submission) -> Option<u16> {
    if destination.forbids(submission) {
        return Some(NOT_ALLOWED);
    }
    let Destination::User { account } = destination else {
        return None;
    };
    let token = privacy::token(&submission.extras);
    (!privacy::admits(account, &submission.from.account, token)).then_some(privacy::UNTRUSTED)
}

/// Takes a message from a phone of this process. Returns false when there is no
/// such recipient, or the sender may not write to the group.
pub(crate) fn accept_from_phone(world: &Arc<World>, submission: Submission) -> bool {
    let destination = Destination::resolve(world, &submission);
    // The people of this process show no token to those who keep strangers out.
    let destination = destination.filter(|to| !to.forbids(&submission));
    let Some(destination) = destination else {
        return false;
    };
    let chat = destination.chat();
    let recipient = destination.group().is_none().then_some(chat.user.as_str());
    let sender = submission.from.account.phone_number();
    let to = &submission.to;
    let fault = world.faults.strike(sender, recipient, to, &submission.id);
    let delivery = match fault {
        // To a phone nothing is acknowledged, and it has no connection.
        Some(Action::Silence | Action::Nack(_) | Action::Cut) => return true,
        Some(Action::Replay) => Delivery::Twice,
        Some(Action::Corrupt) => Delivery::Corrupted,
        Some(Action::Unconfirmed) => Delivery::Unconfirmed,
        _ => Delivery::Plain,
    };
    enter_in_ledger(world, &submission, &destination);
    let reached = destination.everyone(&submission.from).unwrap_or_default();
    fan_out(world, submission, &destination, clock::now_secs(), delivery);
    if fault == Some(Action::CutAfter) {
        // Those that it was brought to are cut off before they can confirm it.
        for device in reached {
            let device = device.account.companion(device.device);
            if let Some(link) = device.and_then(|device| device.mailbox.link()) {
                link.cut();
            }
        }
    }
    true
}

/// Brings a message of a phone to its companion, without a trace in the ledger.
pub(crate) fn fan_out_from_phone(world: &Arc<World>, submission: Submission) {
    if let Some(destination) = Destination::resolve(world, &submission) {
        fan_out(
            world,
            submission,
            &destination,
            clock::now_secs(),
            Delivery::Plain,
        );
    }
}

/// Writes a message down and returns which attempt it is.
fn enter_in_ledger(world: &World, submission: &Submission, destination: &Destination) -> u32 {
    world.ledger.append(Accepted {
        id: submission.id.as_str().into(),
        from_phone: Arc::clone(submission.from.account.phone_number()),
        from_device: submission.from.device,
        to: destination.chat().to_string().into(),
        kind: submission.kind(),
        size: submission.size,
        time: clock::now_millis(),
        attempt: 0,
    })
}

fn ack(submission: &Submission, now: u64) -> Node {
    NodeBuilder::new("ack")
        .attr("class", "message")
        .attr("id", submission.id.as_str())
        .attr("from", &submission.to)
        .attr("t", now)
        .build()
}

fn nack(session: &Session, submission: &Submission, code: u16) {
    let mut nack = ack(submission, clock::now_secs());
    nack.attrs.insert("error", code);
    session.link.send(&nack);
}
