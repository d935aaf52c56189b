//! Linking by code: the client shows eight characters, and somebody types them
//! into the phone.
//!
//! 1. `companion_hello`: the client sends an ephemeral key, wrapped with the
//!    code, and gets a reference.
//! 2. `primary_hello`: the phone, once it knows the code, unwraps that key and
//!    sends its own, wrapped likewise, with its identity.
//! 3. `companion_finish`: the client seals its identity and 32 random bytes for
//!    the phone. From them both derive the secret that a QR code would have held.
//!
//! A wrong code unwraps to a wrong key, so that step 3 cannot be opened.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::sync::oneshot;
use wacore::crypto::hkdf_sha256_into;
use wacore::pair_code::PairCodeUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef, Server};
use wacore_libsignal::crypto::aes_256_gcm_decrypt;
use wacore_libsignal::protocol::{KeyPair, PublicKey};

use super::success::{self, Linked};
use super::{Candidate, reference};
use crate::accounts::Account;
use crate::certificate::public_bytes;
use crate::clock;
use crate::error::PairingError;
use crate::world::World;

/// How long a client may take to answer the phone: it stretches the code as well,
/// which takes an unoptimised one on a busy machine many seconds.
const FINISH_SECS: u64 = 60;

const BUNDLE_KEY: &[u8] = b"link_code_pairing_key_bundle_encryption_key";
const ADV_SECRET: &[u8] = b"adv_secret";

/// A link-code exchange that a client began.
#[derive(Debug)]
pub(crate) struct Exchange {
    reference: Vec<u8>,
    wrapped_ephemeral: Vec<u8>,
    finish: Option<oneshot::Sender<Finish>>,
}

/// What the client sends in its last step.
#[derive(Debug)]
pub(crate) struct Finish {
    wrapped_bundle: Vec<u8>,
    identity: Vec<u8>,
}

/// Takes a `<link_code_companion_reg>` of a client and returns the children of
/// the answer, or nothing when it makes no sense.
pub(crate) fn request(
    world: &World,
    candidate: &Arc<Candidate>,
    request: &NodeRef<'_>,
) -> Option<Vec<Node>> {
    let stage = request.get_attr("stage")?.as_str();
    let bytes = |tag| {
        request
            .get_optional_child(tag)
            .and_then(NodeRef::content_bytes)
    };
    let mut exchange = candidate
        .code
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    match stage.as_ref() {
        "companion_hello" => {
            let phone_number = request.get_attr("jid")?.to_jid()?.user;
            let wrapped = bytes("link_code_pairing_wrapped_companion_ephemeral_pub")?;
            let reference = reference().into_bytes();
            *exchange = Some(Exchange {
                reference: reference.clone(),
                wrapped_ephemeral: wrapped.to_vec(),
                finish: None,
            });
            drop(exchange);
            world.desk.expect_code(&phone_number, candidate);
            Some(vec![
                NodeBuilder::new("link_code_companion_reg")
                    .attr("stage", "companion_hello")
                    .children([NodeBuilder::new("link_code_pairing_ref")
                        .bytes(reference)
                        .build()])
                    .build(),
            ])
        }
        "companion_finish" => {
            let exchange = exchange.as_mut()?;
            if bytes("link_code_pairing_ref")? != exchange.reference {
                return None;
            }
            let finish = Finish {
                wrapped_bundle: bytes("link_code_pairing_wrapped_key_bundle")?.to_vec(),
                identity: bytes("companion_identity_public")?.to_vec(),
            };
            exchange.finish.take()?.send(finish).ok()?;
            Some(Vec::new())
        }
        _ => None,
    }
}

/// Somebody types `code` into the phone with this number. The account is made
/// if it is unknown.
pub(crate) async fn enter(
    world: &Arc<World>,
    phone_number: &str,
    code: &str,
    lid_addressing: bool,
) -> Result<Linked, PairingError> {
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    let code = code.to_ascii_uppercase();
    if !PairCodeUtils::validate_code(&code) {
        return Err(PairingError::BadCode(
            "a link code has 8 characters out of 123456789ABCDEFGHJKLMNPQRSTVWXYZ".to_owned(),
        ));
    }
    let account = world.accounts.open(phone_number, None)?;
    let candidate = world
        .desk
        .by_phone(phone_number)
        .ok_or(PairingError::UnknownCode)?;
    let (reference, wrapped) = {
        let exchange = candidate
            .code
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let exchange = exchange.as_ref().ok_or(PairingError::UnknownCode)?;
        (
            exchange.reference.clone(),
            exchange.wrapped_ephemeral.clone(),
        )
    };

    // Stretching the code takes long enough to be kept off the runtime.
    let ephemeral = KeyPair::generate(&mut rand::make_rng::<StdRng>());
    let ours = public_bytes(&ephemeral);
    let (theirs, wrapped) = tokio::task::spawn_blocking(move || {
        let theirs = PairCodeUtils::decrypt_primary_ephemeral_pub(&wrapped, &code);
        (theirs, PairCodeUtils::encrypt_ephemeral_pub(&ours, &code))
    })
    .await
    .map_err(|error| PairingError::Crypto(error.to_string()))?;
    let theirs = theirs.map_err(|error| PairingError::Crypto(error.to_string()))?;

    let (sender, finish) = oneshot::channel();
    {
        let mut exchange = candidate
            .code
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        exchange.as_mut().ok_or(PairingError::ClientLeft)?.finish = Some(sender);
    }
    candidate
        .link
        .send(&primary_hello(world, &account, &reference, &wrapped));
    let finish = match tokio::time::timeout(Duration::from_secs(FINISH_SECS), finish).await {
        Ok(Ok(finish)) => finish,
        Ok(Err(_)) => return Err(PairingError::ClientLeft),
        Err(_) => return Err(PairingError::Timeout(FINISH_SECS)),
    };
    let secret = open_bundle(&account, &ephemeral, &theirs, &finish)?;
    success::complete(world, &candidate, &account, &secret, lid_addressing).await
}

fn primary_hello(world: &World, account: &Account, reference: &[u8], wrapped: &[u8]) -> Node {
    let identity = public_bytes(account.phone.identity());
    NodeBuilder::new("notification")
        .attr("from", Jid::new("", Server::Pn))
        .attr("type", "link_code_companion_reg")
        .attr("id", world.stanza_id())
        .attr("t", clock::now_secs())
        .children([NodeBuilder::new("link_code_companion_reg")
            .attr("stage", "primary_hello")
            .children([
                NodeBuilder::new("link_code_pairing_wrapped_primary_ephemeral_pub")
                    .bytes(wrapped)
                    .build(),
                NodeBuilder::new("primary_identity_pub")
                    .bytes(identity)
                    .build(),
                NodeBuilder::new("link_code_pairing_ref")
                    .bytes(reference)
                    .build(),
            ])
            .build()])
        .build()
}

/// Opens the client's bundle and derives the shared secret.
fn open_bundle(
    account: &Account,
    ephemeral: &KeyPair,
    their_ephemeral: &[u8; 32],
    finish: &Finish,
) -> Result<[u8; 32], PairingError> {
    let wrong = || PairingError::BadCode("this is not the code that the client shows".to_owned());
    let agree = |ours: &KeyPair, theirs: &[u8]| {
        let theirs = PublicKey::from_djb_public_key_bytes(theirs)?;
        ours.private_key.calculate_agreement(&theirs)
    };
    let ephemeral_shared = agree(ephemeral, their_ephemeral)?;
    let identity_shared = agree(account.phone.identity(), &finish.identity)?;

    let bundle = &finish.wrapped_bundle;
    let (Some(salt), Some(nonce), Some(sealed)) =
        (bundle.get(..32), bundle.get(32..44), bundle.get(44..))
    else {
        return Err(PairingError::Crypto(
            "the key bundle is too short".to_owned(),
        ));
    };
    let mut key = [0; 32];
    hkdf_sha256_into(&ephemeral_shared, Some(salt), BUNDLE_KEY, &mut key)
        .map_err(|error| PairingError::Crypto(error.to_string()))?;
    let nonce = nonce.try_into().map_err(|_| wrong())?;
    let mut opened = Vec::new();
    aes_256_gcm_decrypt(&key, nonce, b"", sealed, &mut opened).map_err(|_| wrong())?;
    if opened.len() != 96 || opened[..32] != finish.identity {
        return Err(wrong());
    }

    let combined = [&ephemeral_shared[..], &identity_shared, &opened[64..]].concat();
    let mut secret = [0; 32];
    hkdf_sha256_into(&combined, None, ADV_SECRET, &mut secret)
        .map_err(|error| PairingError::Crypto(error.to_string()))?;
    Ok(secret)
}
