//! A message that could not be decrypted.

use gateway_shared::clock::Millis;
use wacore::types::events::{UnavailableType, UndecryptableMessage};

use super::WaAddress;

/// A message that arrived and could not be decrypted (yet): its sender is asked for it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecrypted {
    /// Its id.
    pub id: String,
    /// The chat.
    pub chat: WaAddress,
    /// Who wrote it.
    pub sender: WaAddress,
    /// The device that wrote it, as WhatsApp writes addresses of devices.
    pub device: String,
    /// When WhatsApp took it.
    pub timestamp: Millis,
    /// Why it never comes, where that is so: the phone keeps it to itself (`view_once`), it is for a
    /// provider's or a bot's devices only (`hosted`, `bot`).
    pub withheld: Option<&'static str>,
}

impl Undecrypted {
    pub(super) fn from_library(event: &UndecryptableMessage) -> Self {
        let info = &event.info;
        Self {
            id: info.id.clone(),
            chat: WaAddress::from(&info.source.chat),
            sender: WaAddress::from(&info.source.sender),
            device: info.source.sender.to_string(),
            timestamp: info.timestamp.timestamp_millis(),
            withheld: event
                .is_unavailable
                .then_some(match event.unavailable_type {
                    UnavailableType::ViewOnce => "view_once",
                    UnavailableType::Hosted => "hosted",
                    UnavailableType::Bot => "bot",
                    UnavailableType::Unknown => "unavailable",
                }),
        }
    }
}
