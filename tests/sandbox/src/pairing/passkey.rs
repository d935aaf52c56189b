//! Linking an account that wants a passkey: after the code was scanned the companion has to show an
//! assertion of a passkey of the account; then both sides agree on a key and compare a code, and the
//! pairing ends as every other.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use buffa::Message as _;
use rand::RngExt as _;
use serde_json::{Value, json};
use wacore::shortcake::ShortcakeUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef, Server};
use wacore_libsignal::crypto::aes_256_gcm_decrypt;
use wacore_libsignal::protocol::{KeyPair, PublicKey};
use waproto::whatsapp::{
    CompanionEphemeralIdentity, EncryptedPairingRequest, PairingRequest, PrimaryEphemeralIdentity,
    ProloguePayload,
};

use super::{Candidate, success};
use crate::accounts::Account;
use crate::clock;
use crate::iq::Answer;
use crate::prekeys::fixed;
use crate::world::World;

/// Where an assertion has to be made.
const ORIGIN: &str = "https://web.whatsapp.com";
/// Clients settle their state after an answer; what follows it waits so long, as the real server does.
const AFTER_ANSWER: Duration = Duration::from_millis(100);

/// A pairing with a passkey under way.
pub(crate) struct Exchange {
    account: Arc<Account>,
    lid_addressing: bool,
    options: Value,
    reference: String,
    ours: KeyPair,
    our_nonce: [u8; 32],
    companion: Option<Companion>,
}

/// Its keys are nobody's business.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("companion", &self.companion)
            .finish_non_exhaustive()
    }
}

/// What the companion showed of itself.
#[derive(Debug, Clone)]
struct Companion {
    identity: Vec<u8>,
    commitment: Vec<u8>,
}

/// The phone has scanned the code of `candidate`, and its account wants a passkey.
pub(crate) fn begin(
    world: &World,
    candidate: &Candidate,
    account: &Arc<Account>,
    lid_addressing: bool,
) {
    let challenge: [u8; 32] = rand::rng().random();
    let options = json!({
        "challenge": BASE64_URL_SAFE_NO_PAD.encode(challenge),
        "rpId": "web.whatsapp.com",
        "timeout": 120_000,
        "userVerification": "preferred",
        "allowCredentials": [],
    });
    let asked = NodeBuilder::new("passkey_request_options")
        .bytes(options.to_string().into_bytes())
        .build();
    let exchange = Exchange {
        account: Arc::clone(account),
        lid_addressing,
        options,
        reference: super::reference(),
        ours: ShortcakeUtils::generate_companion_ephemeral_keypair(),
        our_nonce: rand::rng().random(),
        companion: None,
    };
    *candidate
        .passkey
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = Some(exchange);
    candidate
        .link
        .send(&notification(world, "passkey_prologue_request", asked));
}

/// Answers a query of this exchange; none where it is another.
pub(crate) fn request(
    world: &Arc<World>,
    candidate: &Arc<Candidate>,
    iq: &NodeRef<'_>,
) -> Option<Answer> {
    let child = iq.children()?.first()?;
    let mut exchange = candidate
        .passkey
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let exchange = exchange.as_mut()?;
    let bytes = |node: &NodeRef<'_>| node.content_bytes().map(<[u8]>::to_vec);
    Some(match &*child.tag {
        "ref" => {
            let reference = exchange.reference.clone().into_bytes();
            Answer::Result(vec![NodeBuilder::new("ref").bytes(reference).build()])
        }
        "passkey_request_options" => {
            let options = exchange.options.to_string().into_bytes();
            let options = NodeBuilder::new("passkey_request_options").bytes(options);
            Answer::Result(vec![options.build()])
        }
        "passkey_prologue" => match exchange.prologue(child) {
            Some(()) => {
                let identity = PrimaryEphemeralIdentity {
                    public_key: Some(exchange.ours.public_key.public_key_bytes().to_vec()),
                    nonce: Some(exchange.our_nonce.to_vec()),
                };
                let identity = NodeBuilder::new("primary_ephemeral_identity")
                    .bytes(identity.encode_to_vec())
                    .build();
                let next = notification(world, "crsc_continuation", identity);
                let link = Arc::clone(&candidate.link);
                tokio::spawn(async move {
                    tokio::time::sleep(AFTER_ANSWER).await;
                    link.send(&next);
                });
                Answer::Result(Vec::new())
            }
            None => Answer::Error(400, "bad-request"),
        },
        "companion_nonce" => match bytes(child).and_then(|nonce| exchange.code(&nonce)) {
            Some(code) => {
                let phone = exchange.account.phone_number();
                world.conducts.set_passkey_code(phone, &code);
                Answer::Result(Vec::new())
            }
            None => Answer::Error(400, "bad-request"),
        },
        "encrypted_pairing_request" => {
            match bytes(child).and_then(|sealed| exchange.open(&sealed)) {
                Some(secret) => {
                    let (world, candidate) = (Arc::clone(world), Arc::clone(candidate));
                    let account = Arc::clone(&exchange.account);
                    let lid = exchange.lid_addressing;
                    tokio::spawn(async move {
                        tokio::time::sleep(AFTER_ANSWER).await;
                        let linked =
                            success::complete(&world, &candidate, &account, &secret, lid).await;
                        if let Err(error) = linked {
                            tracing::warn!(%error, "a pairing with a passkey failed");
                        }
                    });
                    Answer::Result(Vec::new())
                }
                None => Answer::Error(400, "bad-request"),
            }
        }
        _ => return None,
    })
}

impl Exchange {
    /// Takes the assertion, made for our challenge at the right origin, and the companion's identity.
    fn prologue(&mut self, prologue: &NodeRef<'_>) -> Option<()> {
        let child = |tag| prologue.get_optional_child(tag)?.content_bytes();
        let assertion: Value = serde_json::from_slice(child("webauthn_assertion")?).ok()?;
        let data = assertion["response"]["clientDataJSON"].as_str()?;
        let data = BASE64_URL_SAFE_NO_PAD.decode(data).ok()?;
        let data: Value = serde_json::from_slice(&data).ok()?;
        let made_for_us =
            data["challenge"] == self.options["challenge"] && data["origin"] == ORIGIN;
        if !made_for_us || child("credential_id")?.is_empty() {
            return None;
        }
        let payload = ProloguePayload::decode_from_slice(child("prologue_payload")?).ok()?;
        self.companion = Some(Companion {
            identity: payload.companion_ephemeral_identity?,
            commitment: payload.commitment.into_option()?.hash?,
        });
        Some(())
    }

    /// The code that both sides show, if the companion's nonce is the one it committed to.
    fn code(&self, nonce: &[u8]) -> Option<String> {
        let companion = self.companion.as_ref()?;
        let nonce: [u8; 32] = fixed(Some(nonce))?;
        let commitment = ShortcakeUtils::commitment_hash(&companion.identity, &nonce);
        if commitment[..] != companion.commitment[..] {
            return None;
        }
        let ours: [u8; 32] = fixed(Some(self.ours.public_key.public_key_bytes()))?;
        Some(ShortcakeUtils::derive_verification_code(
            &nonce,
            &ours,
            &self.our_nonce,
        ))
    }

    /// The secret that the companion rotated to.
    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let identity = &self.companion.as_ref()?.identity;
        let identity = CompanionEphemeralIdentity::decode_from_slice(identity).ok()?;
        let theirs = PublicKey::from_djb_public_key_bytes(&identity.public_key?).ok()?;
        let shared = self.ours.private_key.calculate_agreement(&theirs).ok()?;
        let shared: [u8; 32] = fixed(Some(&shared[..]))?;
        let key = ShortcakeUtils::derive_encryption_key_from_shared_secret(
            &shared,
            identity.device_type?,
            &self.reference,
        )
        .ok()?;
        let sealed = EncryptedPairingRequest::decode_from_slice(sealed).ok()?;
        let iv: [u8; 12] = fixed(sealed.iv.as_deref())?;
        let mut opened = Vec::new();
        aes_256_gcm_decrypt(&key, &iv, b"", &sealed.encrypted_payload?, &mut opened).ok()?;
        PairingRequest::decode_from_slice(&opened).ok()?.adv_secret
    }
}

fn notification(world: &World, kind: &'static str, child: Node) -> Node {
    NodeBuilder::new("notification")
        .attr("from", Jid::new("", Server::Pn))
        .attr("type", kind)
        .attr("id", world.stanza_id())
        .attr("t", clock::now_secs())
        .children([child])
        .build()
}
