//! A client's reference has expired: it asks the author's phone to upload the file again.

use std::sync::Arc;

use buffa::Message as _;
use rand::RngExt as _;
use wacore::crypto::hkdf_sha256_into;
use wacore::media_retry::decrypt_media_retry_notification;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::NodeValue;
use wacore_binary::{Jid, Node, NodeContent, Server};
use wacore_libsignal::crypto::aes_256_gcm_encrypt;
use waproto::whatsapp::MediaRetryNotification;
use waproto::whatsapp::media_retry_notification::ResultType;

use crate::accounts::Account;
use crate::clock;
use crate::mailbox::Class;
use crate::peer::MediaKey;
use crate::receipts::Receipt;
use crate::world::World;

const KEY_INFO: &[u8] = b"WhatsApp Media Retry Notification";
/// The file is not on the phone any more.
const NOT_FOUND: u8 = 2;
/// The request cannot be read.
const UNREADABLE: u8 = 3;

/// Has the author's phone answer a `<receipt type="server-error">`. A phone that is switched off
/// does not answer.
pub(crate) fn ask(world: &Arc<World>, receipt: &Receipt) {
    let Some(wanted) = Wanted::read(world, receipt) else {
        tracing::warn!("a request to upload a file again names no message");
        return;
    };
    if wanted.author.phone.is_asleep() {
        return;
    }
    world.cdn.count_reupload();
    let outcome = match wanted.author.phone.media_key(&receipt.id) {
        Some(MediaKey {
            media_key,
            enc_sha256,
        }) => wanted.answer(world, receipt, &media_key, &enc_sha256),
        None => refused(NOT_FOUND),
    };
    let mut node = NodeBuilder::new("notification")
        .attr("from", receipt.from.account.jid(Server::Pn))
        .attr("type", "mediaretry")
        .attr("id", receipt.id.as_str())
        .attr("t", clock::now_secs())
        .build();
    node.content = Some(NodeContent::Nodes(vec![outcome, wanted.rmr]));
    world.deliver(
        &receipt.from,
        Class::Notification,
        &receipt.id,
        "mediaretry",
        node,
    );
}

/// What a client asks for.
struct Wanted {
    author: Arc<Account>,
    rmr: Node,
    ciphertext: Vec<u8>,
    iv: Vec<u8>,
}

impl Wanted {
    fn read(world: &World, receipt: &Receipt) -> Option<Self> {
        let child = |tag: &str| receipt.children.iter().find(|child| child.tag == tag);
        let rmr = child("rmr")?.clone();
        let jid = |key: &str| rmr.attrs.get(key).and_then(NodeValue::to_jid);
        let own = rmr.attrs.get("from_me").map(NodeValue::as_str);
        let author = if own.as_deref() == Some("true") {
            Arc::clone(&receipt.from.account)
        } else {
            let author: Jid = jid("participant").or_else(|| jid("jid"))?;
            world.accounts.resolve(&author)?
        };
        let bytes = |tag: &str| {
            let node = child("encrypt")?.get_children_by_tag(tag).next()?;
            match &node.content {
                Some(NodeContent::Bytes(bytes)) => Some(bytes.to_vec()),
                _ => None,
            }
        };
        Some(Self {
            author,
            ciphertext: bytes("enc_p")?,
            iv: bytes("enc_iv")?,
            rmr,
        })
    }

    fn answer(&self, world: &World, receipt: &Receipt, key: &[u8], enc_sha256: &[u8]) -> Node {
        let read = decrypt_media_retry_notification(key, &receipt.id, &self.iv, &self.ciphertext);
        if read.is_err() {
            return refused(UNREADABLE);
        }
        match world.cdn.refer_again(enc_sha256) {
            Some(path) => sealed(key, &receipt.id, path).unwrap_or_else(|| refused(UNREADABLE)),
            None => refused(NOT_FOUND),
        }
    }
}

fn refused(code: u8) -> Node {
    NodeBuilder::new("error").attr("code", code).build()
}

/// The new reference, for whoever has the key of the file.
fn sealed(media_key: &[u8], id: &str, direct_path: String) -> Option<Node> {
    let emitted = MediaRetryNotification {
        stanza_id: Some(id.to_owned()),
        direct_path: Some(direct_path),
        result: Some(ResultType::SUCCESS),
        ..Default::default()
    };
    let mut key = [0; 32];
    hkdf_sha256_into(media_key, None, KEY_INFO, &mut key).ok()?;
    let iv: [u8; 12] = rand::rng().random();
    let mut ciphertext = Vec::new();
    let plaintext = emitted.encode_to_vec();
    aes_256_gcm_encrypt(&key, &iv, id.as_bytes(), &plaintext, &mut ciphertext).ok()?;
    let children = [
        NodeBuilder::new("enc_p").bytes(ciphertext).build(),
        NodeBuilder::new("enc_iv").bytes(iv.to_vec()).build(),
    ];
    Some(NodeBuilder::new("encrypt").children(children).build())
}
