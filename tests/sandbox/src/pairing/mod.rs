//! Linking a companion to a phone of the sandbox.
//!
//! A client that registers gets references to show as a QR code ([`qr`]), or
//! asks for a link code ([`code`]). Either way the phone vouches for it and the
//! exchange ends alike ([`success`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::RngExt as _;
use tokio::sync::oneshot;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef, Server};

use crate::link::Link;
use crate::prekeys::SignedPreKey;
use crate::versions::Version;
use crate::world::World;

pub(crate) mod code;
pub(crate) mod passkey;
pub(crate) mod qr;
pub(crate) mod success;

/// How many references a client gets; it shows one after the other.
const REFERENCES: usize = 6;

/// The clients that wait to be linked.
#[derive(Debug, Default)]
pub(crate) struct PairingDesk {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_reference: HashMap<String, Arc<Candidate>>,
    by_phone: HashMap<String, Arc<Candidate>>,
    /// The phone numbers of those who were linked by their push names.
    by_push_name: HashMap<String, Arc<str>>,
}

/// How a phone lists a companion.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listed {
    /// What it calls itself.
    pub(crate) name: String,
    /// As which program.
    pub(crate) platform: String,
}

/// What a client says of itself when it registers.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) version: Version,
    pub(crate) registration_id: u32,
    pub(crate) identity: [u8; 32],
    pub(crate) signed: SignedPreKey,
    /// What its person is called, if the client says so.
    pub(crate) push_name: Option<String>,
    /// How the phone lists the device.
    pub(crate) listed: Listed,
}

/// A connected client that is not linked yet.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) link: Arc<Link>,
    pub(crate) noise_key: [u8; 32],
    pub(crate) registration: Registration,
    references: Vec<String>,
    /// The exchange by link code, once the client has begun one.
    code: Mutex<Option<code::Exchange>>,
    /// The exchange with a passkey, where the account that scanned wants one.
    passkey: Mutex<Option<passkey::Exchange>>,
    /// Who waits for the client's answer to an IQ of ours.
    answer: Mutex<Option<(String, oneshot::Sender<Vec<u8>>)>>,
}

impl PairingDesk {
    /// Lets a client wait, and sends it the references for its QR codes.
    pub(crate) fn register(
        &self,
        world: &World,
        link: Arc<Link>,
        noise_key: [u8; 32],
        registration: Registration,
    ) -> Arc<Candidate> {
        let references: Vec<String> = (0..REFERENCES).map(|_| reference()).collect();
        let candidate = Arc::new(Candidate {
            link,
            noise_key,
            registration,
            references: references.clone(),
            code: Mutex::default(),
            passkey: Mutex::default(),
            answer: Mutex::default(),
        });
        let mut waiting = self.lock();
        for reference in &references {
            waiting
                .by_reference
                .insert(reference.clone(), Arc::clone(&candidate));
        }
        drop(waiting);
        candidate
            .link
            .send(&pair_device(&world.stanza_id(), &references));
        candidate
    }

    /// The client that shows this reference.
    pub(crate) fn by_reference(&self, reference: &str) -> Option<Arc<Candidate>> {
        self.lock().by_reference.get(reference).cloned()
    }

    /// The client that shows a link code for this phone number.
    pub(crate) fn by_phone(&self, phone_number: &str) -> Option<Arc<Candidate>> {
        self.lock().by_phone.get(phone_number).cloned()
    }

    /// The phone number that everybody with this push name is linked to; the
    /// first of them decides which, with `choose`.
    fn by_push_name(&self, push_name: &str, choose: impl FnOnce() -> String) -> Arc<str> {
        let mut waiting = self.lock();
        let known = waiting.by_push_name.entry(push_name.to_owned());
        Arc::clone(known.or_insert_with(|| choose().into()))
    }

    fn expect_code(&self, phone_number: &str, candidate: &Arc<Candidate>) {
        self.lock()
            .by_phone
            .insert(phone_number.to_owned(), Arc::clone(candidate));
    }

    /// Forgets a client that was linked or has gone.
    pub(crate) fn forget(&self, candidate: &Candidate) {
        let mut waiting = self.lock();
        for reference in &candidate.references {
            waiting.by_reference.remove(reference);
        }
        waiting
            .by_phone
            .retain(|_, other| other.link.id() != candidate.link.id());
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Candidate {
    /// Prepares for the answer to the IQ with this id.
    fn expect_answer(&self, id: String) -> oneshot::Receiver<Vec<u8>> {
        let (sender, receiver) = oneshot::channel();
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, sender));
        receiver
    }

    /// Takes an IQ result of the client: its signed identity, if that is what
    /// was waited for.
    pub(crate) fn answered(&self, iq: &NodeRef<'_>) {
        let Some(identity) = iq
            .get_optional_child_by_tag(&["pair-device-sign", "device-identity"])
            .and_then(NodeRef::content_bytes)
        else {
            return;
        };
        let id = iq.get_attr("id").map(|id| id.as_str()).unwrap_or_default();
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        if answer.as_ref().is_some_and(|(expected, _)| *expected == id)
            && let Some((_, sender)) = answer.take()
        {
            sender.send(identity.to_vec()).ok();
        }
    }

    /// The connection has ended: nobody waits any longer.
    pub(crate) fn left(&self) {
        self.answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.code
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}

fn reference() -> String {
    let bytes: [u8; 16] = rand::rng().random();
    format!("2@{}", hex::encode(bytes))
}

fn pair_device(id: &str, references: &[String]) -> Node {
    let references = references
        .iter()
        .map(|reference| NodeBuilder::new("ref").bytes(reference.as_bytes()).build());
    NodeBuilder::new("iq")
        .attr("from", Jid::new("", Server::Pn))
        .attr("type", "set")
        .attr("id", id)
        .attr("xmlns", "md")
        .children([NodeBuilder::new("pair-device").children(references).build()])
        .build()
}
