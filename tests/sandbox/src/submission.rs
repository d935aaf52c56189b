//! A message as its sender hands it in.

use std::borrow::Cow;

use wacore::types::message::EditAttribute;
use wacore_binary::node::{NodeValue, ValueRef};
use wacore_binary::{Jid, Node, NodeRef, Server};

use crate::accounts::DeviceAddress;
use crate::ledger::Kind;

/// The attributes of a message that go with it to its recipients.
const KEPT_ATTRIBUTES: [&str; 6] = [
    "type",
    "edit",
    "category",
    "push_priority",
    "addressing_mode",
    "count",
];

/// A message as its sender hands it in.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) from: DeviceAddress,
    pub(crate) id: String,
    pub(crate) to: Jid,
    /// How large the stanza was on the wire, in bytes, decrypted.
    pub(crate) size: usize,
    pub(crate) attributes: Vec<(Cow<'static, str>, NodeValue)>,
    pub(crate) copies: Vec<DeviceCopy>,
    /// Payloads that every device of a group gets.
    pub(crate) common: Vec<Node>,
    /// The hash of the devices that the sender of a group message knows.
    pub(crate) participant_hash: Option<String>,
    /// Children that every device gets.
    pub(crate) extras: Vec<Node>,
    pub(crate) device_identity: Option<Node>,
    /// The payload stood alone in the stanza, for the one device it names.
    pub(crate) single_payload: bool,
}

/// What one device gets.
#[derive(Debug)]
pub(crate) struct DeviceCopy {
    pub(crate) to: Jid,
    pub(crate) payloads: Vec<Node>,
}

impl Submission {
    /// Reads a `<message>` of a client.
    pub(crate) fn read(from: DeviceAddress, node: &NodeRef<'_>, size: usize) -> Option<Self> {
        let id = node.get_attr("id")?.as_str().into_owned();
        let to = node.get_attr("to").and_then(ValueRef::to_jid)?;
        let attributes = KEPT_ATTRIBUTES
            .iter()
            .filter_map(|key| Some((Cow::Borrowed(*key), node.get_attr(key)?.to_node_value())))
            .collect();
        let mut submission = Self {
            from,
            id,
            to,
            size,
            attributes,
            copies: Vec::new(),
            common: Vec::new(),
            participant_hash: node
                .get_attr("phash")
                .map(|hash| hash.as_str().into_owned()),
            extras: Vec::new(),
            device_identity: None,
            single_payload: false,
        };
        let mut alone = Vec::new();
        for child in node.children().unwrap_or_default() {
            match &*child.tag {
                "participants" => {
                    for copy in child.get_children_by_tag("to") {
                        let to = copy.get_attr("jid").and_then(ValueRef::to_jid)?;
                        let payloads = copy.children().unwrap_or_default();
                        let payloads = payloads.iter().map(NodeRef::to_owned).collect();
                        submission.copies.push(DeviceCopy { to, payloads });
                    }
                }
                "enc" => alone.push(child.to_owned()),
                "device-identity" => submission.device_identity = Some(child.to_owned()),
                _ => submission.extras.push(child.to_owned()),
            }
        }
        let participant = node.get_attr("participant").and_then(ValueRef::to_jid);
        if submission.to.server == Server::Group && participant.is_none() {
            submission.common = alone;
        } else if !alone.is_empty() && submission.copies.is_empty() {
            submission.single_payload = true;
            // In a group the device stands beside the chat.
            let to = participant.unwrap_or_else(|| submission.to.clone());
            submission.copies.push(DeviceCopy {
                to,
                payloads: alone,
            });
        }
        Some(submission)
    }

    fn attribute(&self, key: &str) -> Option<Cow<'_, str>> {
        self.attributes
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Whether it revokes a message that somebody else wrote.
    pub(crate) fn revokes_as_admin(&self) -> bool {
        let edit = self.attribute("edit");
        edit.as_deref() == Some(EditAttribute::AdminRevoke.to_string_val())
    }

    /// What the ledger calls it.
    pub(crate) fn kind(&self) -> Kind {
        match (self.attribute("category").as_deref(), self.single_payload) {
            (Some("peer"), _) => Kind::Peer,
            (_, true) => Kind::Retry,
            (_, false) => Kind::Message,
        }
    }
}
