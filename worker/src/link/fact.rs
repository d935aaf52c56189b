//! What happens on a link, as facts.

use std::fmt;

use gateway_shared::clock::Millis;
use gateway_shared::events::inbound::UndecryptablePayload;
use gateway_shared::lane::ReceiptStatus;

use super::calls::CallFact;
use super::{GroupNotice, Undecrypted, WaAddress};

/// Something that happened on a link. Codes and addresses are secret or personal: they do not
/// show in logs.
#[derive(Clone, PartialEq)]
pub enum Fact {
    /// A QR code to scan. The next one replaces it.
    QrCode {
        /// What the picture says.
        code: String,
        /// When it is worth nothing any more.
        expires_at: Millis,
    },
    /// A code to enter on the phone.
    PairingCode {
        /// 8 characters.
        code: String,
        /// When it is worth nothing any more.
        expires_at: Millis,
    },
    /// The pairing code is worth nothing any more, and another one may be asked for.
    PairingCodeVoid {
        /// Why, when it failed; nothing when WhatsApp wants a fresh one.
        error: Option<String>,
    },
    /// All QR codes of this connection ran out unscanned.
    QrExhausted,
    /// The account wants a passkey before it takes this device in.
    PasskeyRequest {
        /// WebAuthn request options, JSON.
        options: String,
    },
    /// The phone shows a code, and the pairing goes on once somebody says that it is this one.
    PasskeyCode {
        /// 8 characters with a dash.
        code: String,
        /// The device was linked to this account before: nobody needs to compare.
        known: bool,
    },
    /// A pairing with a passkey failed; the phone may scan again.
    PasskeyFailed {
        /// What the library says of it.
        reason: String,
    },
    /// A phone took this device in. A reconnect follows by itself.
    Paired {
        /// The account by number.
        jid: WaAddress,
        /// The account by LID.
        lid: WaAddress,
    },
    /// A phone tried to take this device in, and it failed.
    PairError {
        /// What the library says of it.
        reason: String,
    },
    /// A dial failed; the next one follows by itself.
    DialFailed {
        /// What the network said.
        reason: String,
    },
    /// Logged in, offline messages fetched: sends may flow.
    Connected {
        /// The account by number.
        jid: Option<WaAddress>,
        /// The account by LID.
        lid: Option<WaAddress>,
    },
    /// The connection is gone; a reconnect follows by itself unless [`Fact::Ended`] does.
    Disconnected {
        /// Why, for people.
        reason: String,
    },
    /// The account no longer knows this device. Its keys are worth nothing.
    LoggedOut {
        /// `logged_out`, `unknown_logout` or `code_<n>`.
        reason: String,
        /// Whether WhatsApp said so when we connected, and not while we were.
        on_connect: bool,
    },
    /// The same device connected somewhere else and took our place.
    Replaced,
    /// The account is banned for a while.
    TemporaryBan {
        /// WhatsApp's code: 101 too many people, 102 blocked by too many, 103 groups, 104 the
        /// same message too often, 106 broadcast lists.
        code: i32,
        /// When it ends.
        until: Millis,
        /// The library's words for the code.
        reason: String,
    },
    /// WhatsApp takes this version of the client no more.
    ClientOutdated,
    /// WhatsApp announced when it stops serving this version of the client.
    ClientExpires {
        /// When.
        at: Millis,
    },
    /// The account is locked; WhatsApp may unlock it, so the keys stay worth something.
    AccountLocked,
    /// WhatsApp refused the login.
    ConnectFailure {
        /// WhatsApp's code.
        code: i32,
        /// WhatsApp's words, where it had any.
        message: Option<String>,
    },
    /// A recipient's device tells of messages we sent.
    Receipt(ReceiptFact),
    /// A message arrived that could not be decrypted.
    Undecrypted(Box<Undecrypted>),
    /// Something changed about a group.
    Group(Box<GroupNotice>),
    /// A call rings, or rings no more.
    Call(Box<CallFact>),
    /// A message arrived that could not be read.
    Undecryptable(Box<UndecryptablePayload>),
    /// The link is over. Nothing follows; going on takes a new link.
    Ended(LinkEnd),
}

impl Fact {
    /// Whether WhatsApp has it acknowledged, and forgets it then: it must be recorded before.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        matches!(
            self,
            Self::Receipt(_) | Self::Group(_) | Self::Call(_) | Self::Undecryptable(_)
        )
    }
}

/// A recipient's receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptFact {
    /// What became of the messages.
    pub status: ReceiptStatus,
    /// When, by WhatsApp's clock, to the second.
    pub at: Millis,
    /// The chat they were sent to, in the name space that the recipient uses.
    pub chat: WaAddress,
    /// Who tells: in a direct chat the other side, in a group the member.
    pub sender: WaAddress,
    /// The same person in the other name space (number or LID), where WhatsApp told it.
    pub sender_alt: Option<WaAddress>,
    /// The messages. Correlate by these: a message sent to a number may be reported by LID.
    pub message_ids: Vec<String>,
}

/// Why a link is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEnd {
    /// We closed it.
    Closed,
    /// See [`Fact::LoggedOut`].
    LoggedOut,
    /// See [`Fact::Replaced`].
    Replaced,
    /// See [`Fact::TemporaryBan`].
    Banned,
    /// See [`Fact::ClientOutdated`].
    Outdated,
    /// See [`Fact::AccountLocked`].
    Locked,
    /// See [`Fact::ConnectFailure`], with a code after which the library does not connect again.
    Refused,
    /// See [`Fact::QrExhausted`].
    QrExhausted,
    /// The client stopped and did not say why.
    Unexplained,
}

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QrCode { expires_at, .. } => {
                write!(f, "QrCode(expires at {expires_at})")
            }
            Self::PairingCode { expires_at, .. } => {
                write!(f, "PairingCode(expires at {expires_at})")
            }
            Self::PairingCodeVoid { error } => write!(f, "PairingCodeVoid({error:?})"),
            Self::QrExhausted => f.write_str("QrExhausted"),
            Self::PasskeyRequest { .. } => f.write_str("PasskeyRequest"),
            Self::PasskeyCode { known, .. } => write!(f, "PasskeyCode(known: {known})"),
            Self::PasskeyFailed { reason } => write!(f, "PasskeyFailed({reason})"),
            Self::Paired { .. } => f.write_str("Paired"),
            Self::PairError { reason } => write!(f, "PairError({reason})"),
            Self::DialFailed { reason } => write!(f, "DialFailed({reason})"),
            Self::Connected { .. } => f.write_str("Connected"),
            Self::Disconnected { reason } => write!(f, "Disconnected({reason})"),
            Self::LoggedOut { reason, on_connect } => {
                write!(f, "LoggedOut({reason}, on_connect: {on_connect})")
            }
            Self::Replaced => f.write_str("Replaced"),
            Self::TemporaryBan { code, until, .. } => {
                write!(f, "TemporaryBan({code}, until {until})")
            }
            Self::ClientOutdated => f.write_str("ClientOutdated"),
            Self::ClientExpires { at } => write!(f, "ClientExpires(at {at})"),
            Self::AccountLocked => f.write_str("AccountLocked"),
            Self::ConnectFailure { code, .. } => write!(f, "ConnectFailure({code})"),
            Self::Receipt(receipt) => {
                let ReceiptFact {
                    status,
                    message_ids,
                    ..
                } = receipt;
                write!(f, "Receipt({status:?}, {message_ids:?})")
            }
            Self::Undecrypted(message) => write!(f, "Undecrypted({})", message.id),
            Self::Group(notice) => write!(f, "Group({:?})", notice.change),
            Self::Call(call) => write!(f, "Call({})", call.kind),
            Self::Undecryptable(message) => {
                write!(f, "Undecryptable({})", message.wa_message_id)
            }
            Self::Ended(end) => write!(f, "Ended({end:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_shows_no_secret() {
        let line = format!(
            "{:?}",
            Fact::QrCode {
                code: "2@secret".into(),
                expires_at: 7
            }
        );
        assert_eq!(line, "QrCode(expires at 7)");
    }
}
