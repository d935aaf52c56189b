//! One connected client: what it may do, and who answers its stanzas.

use std::sync::Arc;
use std::time::Duration;

use wacore_binary::node::ValueRef;
use wacore_binary::{Jid, NodeRef, Server};

use crate::accounts::DeviceAddress;
use crate::channels;
use crate::chat_state;
use crate::devices::Device;
use crate::iq;
use crate::link::Link;
use crate::login::{self, Purpose, Refusal};
use crate::mailbox::Class;
use crate::pairing::{Candidate, code, passkey};
use crate::presence;
use crate::privacy;
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
        if world.versions.refuses(login::version(payload)) {
            self.stage = self.refuse(&Refusal::OUTDATED);
            return;
        }
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
            Stage::Online(session) => session.left(),
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
        if let Some(answer) = passkey::request(&self.world, candidate, node) {
            if let Some(node) = answer.node(node) {
                self.link.send(&node);
            }
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
                    self.device.chat_states.flush(&self.link);
                }
            }
            "presence" => {
                self.note_presence(node);
                self.presence(node);
            }
            "chatstate" => chat_state::relay(self, node),
            tag => tracing::debug!(tag, "a stanza was ignored"),
        }
        None
    }

    /// The companion shows its account as online, or not.
    fn note_presence(&self, node: &NodeRef<'_>) {
        let attr = |key| node.get_attr(key).map(ValueRef::as_str).unwrap_or_default();
        let available = match attr("type").as_ref() {
            "available" | "" => true,
            "unavailable" => false,
            _ => return,
        };
        let DeviceAddress { account, device } = &self.address;
        let phone = account.phone_number();
        self.world
            .conducts
            .shows(phone, *device, available, &attr("name"));
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

    /// `available`, `unavailable`, or a wish to be told of somebody else's.
    fn presence(&self, node: &NodeRef<'_>) {
        let attr = |key| node.get_attr(key).map(ValueRef::as_str);
        if let Some(name) = attr("name").filter(|name| !name.is_empty()) {
            self.address.account.rename(&name);
        }
        let kind = attr("type").unwrap_or_else(|| "available".into());
        match &*kind {
            "available" => presence::set(&self.world, &self.address, true),
            "unavailable" => presence::set(&self.world, &self.address, false),
            "subscribe" | "unsubscribe" => {
                let Some(to) = node.get_attr("to").and_then(ValueRef::to_jid) else {
                    return;
                };
                let Some(account) = self.world.accounts.resolve(&to) else {
                    return;
                };
                let token = node.get_optional_child("tctoken");
                let token = token.and_then(NodeRef::content_bytes);
                if *kind == *"unsubscribe" {
                    presence::unsubscribe(&account, &self.address);
                } else if privacy::admits(&account, &self.address.account, token) {
                    presence::subscribe(&account, &self.address, to.server);
                }
            }
            _ => {}
        }
    }

    /// The connection has ended. The device is online no longer, unless another
    /// connection has taken the place of this one.
    fn left(&self) {
        let mailbox = &self.device.mailbox;
        let current = mailbox
            .link()
            .is_some_and(|link| link.id() == self.link.id());
        mailbox.detach(self.link.id());
        if current {
            presence::set(&self.world, &self.address, false);
        }
    }
}

/// The JID of the server itself.
pub(crate) fn server_jid() -> Jid {
    Jid::new("", Server::Pn)
}
