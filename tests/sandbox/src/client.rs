//! One connected client: what it may do, and who answers its stanzas.

use std::sync::Arc;
use std::time::Duration;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::ValueRef;
use wacore_binary::{Jid, NodeRef, Server};

use crate::accounts::DeviceAddress;
use crate::channels;
use crate::devices::Device;
use crate::iq;
use crate::link::Link;
use crate::login::{self, Purpose, Refusal};
use crate::mailbox::Class;
use crate::pairing::{Candidate, code};
use crate::receipts;
use crate::relay::{self, Held};
use crate::submission::Submission;
use crate::world::World;

/// Whether the next stanza may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    /// A fault holds this stanza, and everything after it, for this long.
    HeldUp(Duration),
}

/// A client at the other end of a connection.
pub(crate) struct Client {
    world: Arc<World>,
    link: Arc<Link>,
    stage: Stage,
    held: Option<Held>,
}

enum Stage {
    /// It is being turned away.
    Refused,
    /// It waits to be linked.
    Linking(Arc<Candidate>),
    /// It is a companion.
    Online(Session),
}

/// A companion that has logged in.
pub(crate) struct Session {
    pub(crate) world: Arc<World>,
    pub(crate) link: Arc<Link>,
    pub(crate) address: DeviceAddress,
    pub(crate) device: Arc<Device>,
}

impl Client {
    pub(crate) fn new(world: Arc<World>, link: Arc<Link>) -> Self {
        Self {
            world,
            link,
            stage: Stage::Refused,
            held: None,
        }
    }

    /// Takes the client in according to its payload.
    pub(crate) fn greet(&mut self, noise_key: &[u8; 32], payload: &[u8]) {
        let (world, link) = (&self.world, &self.link);
        self.stage = match Purpose::read(payload) {
            Some(Purpose::Register(registration)) => {
                let link = Arc::clone(link);
                Stage::Linking(world.desk.register(world, link, *noise_key, registration))
            }
            Some(Purpose::Login {
                phone_number,
                device,
            }) => match login::enter(world, link, noise_key, &phone_number, device) {
                Ok((address, device)) => {
                    let (world, link) = (Arc::clone(world), Arc::clone(link));
                    Stage::Online(Session {
                        world,
                        link,
                        address,
                        device,
                    })
                }
                Err(refusal) => self.refuse(&refusal),
            },
            None => self.refuse(&Refusal::LOGGED_OUT),
        };
    }

    fn refuse(&self, refusal: &Refusal) -> Stage {
        tracing::info!(reason = refusal.reason, "a login was refused");
        self.link.send(&refusal.node());
        self.link.close();
        Stage::Refused
    }

    /// Handles one stanza of `size` bytes.
    pub(crate) fn handle(&mut self, node: &NodeRef<'_>, size: usize) -> Progress {
        match &self.stage {
            Stage::Refused => {}
            Stage::Linking(candidate) => self.handle_linking(candidate, node),
            Stage::Online(session) => {
                if let Some((duration, held)) = session.handle(node, size) {
                    self.held = Some(held);
                    return Progress::HeldUp(duration);
                }
            }
        }
        Progress::Done
    }

    /// Goes on with the stanza that a fault held up.
    pub(crate) fn resume(&mut self) {
        if let (Some(held), Stage::Online(session)) = (self.held.take(), &self.stage) {
            relay::release(session, held);
        }
    }

    /// The connection has ended.
    pub(crate) fn left(&self) {
        match &self.stage {
            Stage::Refused => {}
            Stage::Linking(candidate) => {
                self.world.desk.forget(candidate);
                candidate.left();
            }
            Stage::Online(session) => session.device.mailbox.detach(self.link.id()),
        }
    }

    fn handle_linking(&self, candidate: &Arc<Candidate>, node: &NodeRef<'_>) {
        if node.tag != "iq" {
            return;
        }
        let kind = node
            .get_attr("type")
            .map(ValueRef::as_str)
            .unwrap_or_default();
        if kind == "result" {
            candidate.answered(node);
            return;
        }
        let answer = node
            .get_optional_child("link_code_companion_reg")
            .map(|request| code::request(&self.world, candidate, request));
        let answer = match answer {
            Some(Some(children)) => iq::Answer::Result(children),
            Some(None) => iq::Answer::Error(400, "bad-request"),
            None if node.get_attr("xmlns").is_some_and(|xmlns| *xmlns == "w:p") => {
                iq::Answer::Result(Vec::new())
            }
            None => iq::Answer::Error(401, "not-authorized"),
        };
        if let (iq::Answer::Result(_) | iq::Answer::Error(..), Some(node)) =
            (&answer, answer.node(node))
        {
            self.link.send(&node);
        }
    }
}

impl Session {
    /// Handles a stanza; what a fault holds up is returned.
    fn handle(&self, node: &NodeRef<'_>, size: usize) -> Option<(Duration, Held)> {
        match &*node.tag {
            "iq" => iq::handle(self, node),
            "message" if channels::handle(self, node) => {}
            "message" => match Submission::read(self.address.clone(), node, size) {
                Some(submission) => return relay::submit(self, submission),
                None => tracing::warn!("a message without id or recipient was dropped"),
            },
            "receipt" => receipts::accept(self, node),
            "ack" => self.settle(node),
            "ib" => {
                if node.get_optional_child("offline_batch").is_some() {
                    self.device.mailbox.flush(&self.link);
                }
            }
            "presence" => {
                if let Some(name) = node.get_attr("name").map(ValueRef::as_str)
                    && !name.is_empty()
                {
                    self.address.account.rename(&name);
                }
            }
            "chatstate" => self.relay_chat_state(node),
            tag => tracing::debug!(tag, "a stanza was ignored"),
        }
        None
    }

    /// The device has what an `<ack>` names.
    fn settle(&self, ack: &NodeRef<'_>) {
        let attr = |key| ack.get_attr(key).map(ValueRef::as_str).unwrap_or_default();
        if let Some(class) = Class::parse(&attr("class")) {
            // Only receipts come more than once with the same id.
            let kind = if class == Class::Receipt {
                attr("type")
            } else {
                "".into()
            };
            self.device.mailbox.settle(class, &attr("id"), &kind);
        }
    }

    /// Typing and recording: shown to whoever is connected, and noted by the phone.
    fn relay_chat_state(&self, node: &NodeRef<'_>) {
        let Some(to) = node.get_attr("to").and_then(ValueRef::to_jid) else {
            return;
        };
        let Some(account) = self.world.accounts.resolve(&to) else {
            return;
        };
        let state = node.children().unwrap_or_default();
        if let Some(state) = state.first() {
            let from = self.address.account.phone_number();
            account.phone.sees_typing(from, state.tag.as_ref());
        }
        let state = state.iter().map(NodeRef::to_owned);
        let state = NodeBuilder::new("chatstate")
            .attr("from", self.address.account.jid(to.server))
            .children(state)
            .build();
        for link in account
            .companions()
            .iter()
            .filter_map(|device| device.mailbox.link())
        {
            link.send(&state);
        }
    }
}

/// The JID of the server itself.
pub(crate) fn server_jid() -> Jid {
    Jid::new("", Server::Pn)
}
