//! Votes: encrypted with the secret of their poll, between its author and a voter.

use buffa::{Message as _, MessageField};
use wacore::poll::{
    PollVoteCiphertext, compute_option_hash, decrypt_poll_vote_with_secret,
    encrypt_poll_vote_with_secret,
};
use wacore_binary::Server;
use waproto::whatsapp::message::{PollEncValue, PollUpdateMessage};
use waproto::whatsapp::{Message, MessageKey};

use super::content;
use super::messages::Shown;
use crate::accounts::Account;
use crate::clock;

/// A poll as a phone knows it.
pub(super) struct Poll {
    id: String,
    options: Vec<String>,
    selectable: usize,
    secret: Vec<u8>,
}

/// Why a vote cannot be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum VoteError {
    #[error("the message is not a poll")]
    NoPoll,
    #[error("the poll came without its secret")]
    NoSecret,
    #[error("the vote is incomplete")]
    Incomplete,
    #[error("the vote was not encrypted for this poll, author and voter")]
    Undecryptable,
    #[error("the vote names something that is no option of the poll")]
    UnknownOption,
    #[error("the vote names more options than may be chosen")]
    TooMany,
    #[error("the vote could not be encrypted")]
    Encryption,
}

impl Poll {
    /// The poll that a message shown on the phone creates.
    pub(super) fn read(shown: &Shown) -> Result<Self, VoteError> {
        use wacore::proto_helpers::MessageExt as _;
        let message = Message::decode_from_slice(&shown.raw).map_err(|_| VoteError::NoPoll)?;
        let base = message.get_base_message();
        let poll = content::poll(base).ok_or(VoteError::NoPoll)?;
        let secret = [&message.message_context_info, &base.message_context_info]
            .into_iter()
            .find_map(|info| info.as_option()?.message_secret.clone());
        let selectable = poll.selectable_options_count.unwrap_or_default();
        Ok(Self {
            id: shown.id.to_string(),
            options: content::options(poll),
            selectable: usize::try_from(selectable).unwrap_or(usize::MAX),
            secret: secret.ok_or(VoteError::NoSecret)?,
        })
    }

    /// The texts of the options that a vote chooses.
    pub(super) fn open(
        &self,
        creator: &Account,
        voter: &Account,
        vote: &PollUpdateMessage,
    ) -> Result<Vec<String>, VoteError> {
        let encrypted = vote.vote.as_option().ok_or(VoteError::Incomplete)?;
        let (Some(payload), Some(iv)) = (&encrypted.enc_payload, &encrypted.enc_iv) else {
            return Err(VoteError::Incomplete);
        };
        let open = |creator_in: Server, voter_in: Server| {
            let ciphertext = PollVoteCiphertext {
                enc_payload: payload,
                enc_iv: iv,
            };
            let creator = creator.jid(creator_in).to_string();
            let voter = voter.jid(voter_in).to_string();
            decrypt_poll_vote_with_secret(ciphertext, &self.secret, &self.id, &creator, &voter).ok()
        };
        // Both are named in one namespace, but which one is not said.
        let chosen = open(Server::Pn, Server::Pn).or_else(|| open(Server::Lid, Server::Lid));
        let hashes = chosen.ok_or(VoteError::Undecryptable)?;
        let texts = hashes.iter().map(|hash| {
            let mut options = self.options.iter();
            options
                .find(|option| compute_option_hash(option)[..] == hash[..])
                .cloned()
                .ok_or(VoteError::UnknownOption)
        });
        texts.collect()
    }

    /// A vote for these options; none of them takes the vote back. `namespace`
    /// is that of the chat.
    pub(super) fn vote(
        &self,
        creator: &Account,
        voter: &Account,
        namespace: Server,
        key: MessageKey,
        chosen: &[String],
    ) -> Result<Message, VoteError> {
        if !chosen.iter().all(|option| self.options.contains(option)) {
            return Err(VoteError::UnknownOption);
        }
        if self.selectable > 0 && chosen.len() > self.selectable {
            return Err(VoteError::TooMany);
        }
        let hashes = chosen
            .iter()
            .map(|option| compute_option_hash(option).to_vec());
        let hashes: Vec<Vec<u8>> = hashes.collect();
        let creator = creator.jid(namespace).to_string();
        let voter = voter.jid(namespace).to_string();
        let (payload, iv) =
            encrypt_poll_vote_with_secret(&hashes, &self.secret, &self.id, &creator, &voter)
                .map_err(|_| VoteError::Encryption)?;
        let update = PollUpdateMessage {
            poll_creation_message_key: MessageField::some(key),
            vote: MessageField::some(PollEncValue {
                enc_payload: Some(payload),
                enc_iv: Some(iv.to_vec()),
            }),
            sender_timestamp_ms: i64::try_from(clock::now_millis()).ok(),
            ..Default::default()
        };
        Ok(Message {
            poll_update_message: MessageField::some(update),
            ..Default::default()
        })
    }
}
