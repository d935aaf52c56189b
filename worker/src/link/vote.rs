//! Votes: encrypted with the poll's secret, naming options by their hashes.
//!
//! The key is derived from the secret, the poll's id and the names of its creator and of the voter
//! (HKDF-SHA256); the cipher is AES-256-GCM over a `PollVoteMessage`, bound to poll and voter. The
//! library has both halves, but its encryption draws a random nonce, and a repeat of the same vote
//! shall be the same bytes. (WhatsApp Web: `WAWebAddonEncryption`, `WAUseCaseSecret`.)

use buffa::Message as _;
use gateway_shared::domain::PollKey;
use sha2::{Digest, Sha256};
use wacore::libsignal::crypto::aes_256_gcm_encrypt;
use wacore::poll::{
    PollVoteCiphertext, compute_option_hash, decrypt_poll_vote_with_secret,
    derive_vote_encryption_key,
};
use waproto::whatsapp::message::PollVoteMessage;

/// Bytes of a nonce.
const IV: usize = 12;

/// Whose vote, in which poll, of whom.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The message id of the poll.
    pub poll: &'a str,
    /// Who made the poll.
    pub creator: &'a str,
    /// Who votes.
    pub voter: &'a str,
}

/// A vote could not be encrypted.
#[derive(Debug, thiserror::Error)]
#[error("the vote could not be encrypted: {0}")]
pub struct Unsealable(String);

/// An encrypted vote that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedVote {
    /// The message id of the poll.
    pub poll: String,
    payload: Vec<u8>,
    iv: Vec<u8>,
}

/// Encrypts a vote for these options. `id` is the message id of the vote itself: no two votes
/// share it, so none share a nonce.
///
/// # Errors
/// When the poll's secret is none.
pub fn seal(
    options: &[String],
    key: &PollKey,
    names: Names<'_>,
    id: &str,
) -> Result<(Vec<u8>, [u8; IV]), Unsealable> {
    let hashes = options.iter().map(|option| compute_option_hash(option));
    let plain = PollVoteMessage {
        selected_options: hashes.map(|hash| hash.to_vec()).collect(),
    }
    .encode_to_vec();
    let secret = key.secret.bytes();
    let derived = derive_vote_encryption_key(&secret, names.poll, names.creator, names.voter)
        .map_err(|error| Unsealable(error.to_string()))?;
    let mut iv = [0; IV];
    let digest = Sha256::new()
        .chain_update("vote nonce ")
        .chain_update(id)
        .finalize();
    iv.copy_from_slice(&digest[..IV]);
    let bound = [names.poll.as_bytes(), &[0], names.voter.as_bytes()].concat();
    let mut sealed = Vec::new();
    aes_256_gcm_encrypt(&derived, &iv, &bound, &plain, &mut sealed)
        .map_err(|error| Unsealable(format!("{error:?}")))?;
    Ok((sealed, iv))
}

impl SealedVote {
    /// A vote as its message carries it.
    #[must_use]
    pub fn new(poll: String, payload: Vec<u8>, iv: Vec<u8>) -> Self {
        Self { poll, payload, iv }
    }

    /// The texts of the options that the vote is for, if it can be opened. People have two names,
    /// and a vote may have been made under either: each pair is tried.
    #[must_use]
    pub fn open(&self, key: &PollKey, creators: &[&str], voters: &[&str]) -> Option<Vec<String>> {
        let secret = key.secret.bytes();
        let pairs = creators
            .iter()
            .flat_map(|creator| voters.iter().map(move |voter| (creator, voter)));
        let hashes = pairs.into_iter().find_map(|(creator, voter)| {
            let ciphertext = PollVoteCiphertext {
                enc_payload: &self.payload,
                enc_iv: &self.iv,
            };
            decrypt_poll_vote_with_secret(ciphertext, &secret, &self.poll, creator, voter).ok()
        })?;
        let texts = key.options.iter().filter(|option| {
            let hash = compute_option_hash(option);
            hashes.iter().any(|chosen| chosen.as_slice() == hash)
        });
        Some(texts.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_shared::domain::PollSecret;

    const NAMES: Names<'_> = Names {
        poll: "3EB0POLL",
        creator: "1@lid",
        voter: "2@lid",
    };

    fn key() -> PollKey {
        PollKey {
            options: ["red", "green", "blue"].map(String::from).to_vec(),
            selectable_count: 0,
            secret: PollSecret::from_bytes(&[7; 32]).unwrap(),
        }
    }

    #[test]
    fn a_vote_can_be_opened_by_who_has_the_poll_and_the_names() {
        let chosen = ["blue", "red"].map(String::from);
        let (payload, iv) = seal(&chosen, &key(), NAMES, "3EB0VOTE").unwrap();
        let vote = SealedVote::new("3EB0POLL".into(), payload, iv.to_vec());
        let opened = vote.open(&key(), &["9@s.whatsapp.net", "1@lid"], &["8@lid", "2@lid"]);
        assert_eq!(opened.unwrap(), ["red", "blue"]);
        assert_eq!(vote.open(&key(), &["1@lid"], &["3@lid"]), None);
        let other = PollKey {
            secret: PollSecret::from_bytes(&[8; 32]).unwrap(),
            ..key()
        };
        assert_eq!(vote.open(&other, &["1@lid"], &["2@lid"]), None);
    }

    #[test]
    fn the_same_vote_is_the_same_bytes_and_another_has_another_nonce() {
        let seal = |id| seal(&[], &key(), NAMES, id).unwrap();
        assert_eq!(seal("A"), seal("A"));
        assert_ne!(seal("A").1, seal("B").1);
        let (payload, iv) = seal("A");
        let cleared = SealedVote::new("3EB0POLL".into(), payload, iv.to_vec());
        assert_eq!(cleared.open(&key(), &["1@lid"], &["2@lid"]), Some(vec![]));
    }
}
