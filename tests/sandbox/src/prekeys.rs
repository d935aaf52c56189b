//! The keys a companion leaves with the server, so that others can write to it
//! while it is away.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeRef};

/// The pre-keys of one companion.
#[derive(Debug)]
pub(crate) struct PreKeys {
    state: Mutex<State>,
}

#[derive(Debug, Clone)]
struct State {
    registration_id: u32,
    identity: [u8; 32],
    signed: SignedPreKey,
    one_time: VecDeque<OneTimePreKey>,
    uploaded: bool,
}

/// A signed pre-key as it travels.
#[derive(Debug, Clone)]
pub(crate) struct SignedPreKey {
    pub(crate) id: u32,
    pub(crate) value: [u8; 32],
    pub(crate) signature: [u8; 64],
}

/// A one-time pre-key as it travels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OneTimePreKey {
    pub(crate) id: u32,
    pub(crate) value: [u8; 32],
}

/// What somebody needs to begin a session with a device.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    pub(crate) registration_id: u32,
    pub(crate) identity: [u8; 32],
    pub(crate) signed: SignedPreKey,
    pub(crate) one_time: Option<OneTimePreKey>,
}

impl PreKeys {
    /// The keys that a companion gives while it is linked. It has no one-time
    /// keys until its first upload.
    pub(crate) fn new(registration_id: u32, identity: [u8; 32], signed: SignedPreKey) -> Self {
        let one_time = VecDeque::new();
        let state = State {
            registration_id,
            identity,
            signed,
            one_time,
            uploaded: false,
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// Takes a bundle; each one-time key is given once.
    pub(crate) fn take(&self) -> Bundle {
        let mut state = self.lock();
        Bundle {
            registration_id: state.registration_id,
            identity: state.identity,
            signed: state.signed.clone(),
            one_time: state.one_time.pop_front(),
        }
    }

    /// How many one-time keys are left.
    pub(crate) fn count(&self) -> usize {
        self.lock().one_time.len()
    }

    /// Whether the companion has uploaded keys since it was linked.
    pub(crate) fn uploaded(&self) -> bool {
        self.lock().uploaded
    }

    /// Takes over an upload: `<registration>`, `<identity>`, `<list>`, `<skey>`.
    /// Returns false when a part is missing or malformed; then nothing changes.
    pub(crate) fn upload(&self, iq: &NodeRef<'_>) -> bool {
        let mut state = self.lock();
        let mut next = state.clone();
        if let Some(registration) = iq.get_optional_child("registration") {
            let Some(id) = number(registration.content_bytes()) else {
                return false;
            };
            next.registration_id = id;
        }
        if let Some(identity) = iq.get_optional_child("identity") {
            let Some(identity) = fixed(identity.content_bytes()) else {
                return false;
            };
            next.identity = identity;
        }
        if let Some(signed) = iq.get_optional_child("skey") {
            let Some(signed) = read_signed(signed) else {
                return false;
            };
            next.signed = signed;
        }
        let Some(list) = iq.get_optional_child("list") else {
            return false;
        };
        let mut uploaded = HashSet::new();
        let kept = next.one_time.len();
        for key in list.get_children_by_tag("key") {
            let Some(key) = read_one_time(key) else {
                return false;
            };
            uploaded.insert(key.id);
            next.one_time.push_back(key);
        }
        // An id that comes again replaces the key it had.
        let mut position = 0;
        next.one_time.retain(|key| {
            position += 1;
            position > kept || !uploaded.contains(&key.id)
        });
        next.one_time.shrink_to_fit();
        next.uploaded = true;
        *state = next;
        true
    }

    /// Replaces the signed pre-key (`<rotate><skey>`).
    pub(crate) fn rotate(&self, signed: &NodeRef<'_>) -> bool {
        let Some(signed) = read_signed(signed) else {
            return false;
        };
        self.lock().signed = signed;
        true
    }

    /// The `<digest>` by which a client checks that the server holds its keys.
    pub(crate) fn digest(&self) -> Node {
        let state = self.lock();
        let values: Vec<&[u8]> = state
            .one_time
            .iter()
            .map(|key| key.value.as_slice())
            .collect();
        let hash = wacore::prekeys::compute_key_bundle_digest(
            &state.identity,
            &state.signed.value,
            &state.signed.signature,
            &values,
        );
        let ids = state
            .one_time
            .iter()
            .map(|key| NodeBuilder::new("id").bytes(three_bytes(key.id)).build());
        NodeBuilder::new("digest")
            .children([
                registration(state.registration_id),
                NodeBuilder::new("type").bytes([5_u8]).build(),
                NodeBuilder::new("identity").bytes(state.identity).build(),
                state.signed.node(),
                NodeBuilder::new("list").children(ids).build(),
                NodeBuilder::new("hash").bytes(hash).build(),
            ])
            .build()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bundle {
    /// The children of a `<user>` in the answer to a key request.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        let mut nodes = vec![
            registration(self.registration_id),
            NodeBuilder::new("type").bytes([5_u8]).build(),
            NodeBuilder::new("identity").bytes(self.identity).build(),
            self.signed.node(),
        ];
        nodes.extend(self.one_time.map(OneTimePreKey::node));
        nodes
    }
}

impl SignedPreKey {
    /// The key as a `<skey>`.
    pub(crate) fn node(&self) -> Node {
        NodeBuilder::new("skey")
            .children([
                NodeBuilder::new("id").bytes(three_bytes(self.id)).build(),
                NodeBuilder::new("value").bytes(self.value).build(),
                NodeBuilder::new("signature").bytes(self.signature).build(),
            ])
            .build()
    }
}

impl OneTimePreKey {
    /// The key as a `<key>`.
    pub(crate) fn node(self) -> Node {
        NodeBuilder::new("key")
            .children([
                NodeBuilder::new("id").bytes(three_bytes(self.id)).build(),
                NodeBuilder::new("value").bytes(self.value).build(),
            ])
            .build()
    }
}

/// The `<registration>` that carries a registration id.
pub(crate) fn registration(id: u32) -> Node {
    NodeBuilder::new("registration")
        .bytes(id.to_be_bytes())
        .build()
}

/// Reads a big-endian number of up to four bytes.
pub(crate) fn number(bytes: Option<&[u8]>) -> Option<u32> {
    let bytes = bytes.filter(|bytes| (1..=4).contains(&bytes.len()))?;
    Some(
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte)),
    )
}

/// Reads bytes of a fixed length.
pub(crate) fn fixed<const N: usize>(bytes: Option<&[u8]>) -> Option<[u8; N]> {
    bytes?.try_into().ok()
}

/// Reads a `<skey>`.
pub(crate) fn read_signed(node: &NodeRef<'_>) -> Option<SignedPreKey> {
    let bytes = |tag| {
        node.get_optional_child(tag)
            .and_then(NodeRef::content_bytes)
    };
    Some(SignedPreKey {
        id: number(bytes("id"))?,
        value: fixed(bytes("value"))?,
        signature: fixed(bytes("signature"))?,
    })
}

/// Reads a `<key>`.
pub(crate) fn read_one_time(node: &NodeRef<'_>) -> Option<OneTimePreKey> {
    let bytes = |tag| {
        node.get_optional_child(tag)
            .and_then(NodeRef::content_bytes)
    };
    Some(OneTimePreKey {
        id: number(bytes("id"))?,
        value: fixed(bytes("value"))?,
    })
}

fn three_bytes(id: u32) -> Vec<u8> {
    id.to_be_bytes()[1..].to_vec()
}
