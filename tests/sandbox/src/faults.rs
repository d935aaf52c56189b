//! Faults: what a test makes the server do wrong, message by message.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use wacore_binary::Jid;

/// What goes wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Accepted and relayed, but the sender is not told.
    DropAck,
    /// Refused with this code: not relayed, not in the ledger.
    Nack(u16),
    /// The sender's connection is dropped before the message is accepted.
    Cut,
    /// Accepted and relayed; instead of the acknowledgement the connection is
    /// dropped.
    CutAfter,
    /// The message and everything the sender says after it waits this long.
    Delay(Duration),
    /// As if it had never been sent.
    Silence,
    /// Accepted once and relayed twice.
    Replay,
    /// Accepted, and relayed with a payload that cannot be decrypted.
    Corrupt,
    /// Accepted and relayed; that a device has it is not heard before that
    /// device has connected anew and got it again.
    Unconfirmed,
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DropAck => formatter.write_str("drop_ack"),
            Self::Nack(code) => write!(formatter, "nack {code}"),
            Self::Cut => formatter.write_str("cut"),
            Self::CutAfter => formatter.write_str("cut_after"),
            Self::Delay(duration) => write!(formatter, "delay {}", duration.as_millis()),
            Self::Silence => formatter.write_str("silence"),
            Self::Replay => formatter.write_str("replay"),
            Self::Corrupt => formatter.write_str("corrupt"),
            Self::Unconfirmed => formatter.write_str("unconfirmed"),
        }
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split([' ', ':']).filter(|word| !word.is_empty());
        let name = words.next().unwrap_or_default();
        let argument = words.next();
        let wanted = |what: &str| format!("{name} needs {what}, as in \"{name} 500\"");
        let action = match name {
            "drop_ack" => Self::DropAck,
            "nack" => {
                let code = argument.and_then(|code| code.parse().ok());
                Self::Nack(code.ok_or_else(|| wanted("a code"))?)
            }
            "cut" => Self::Cut,
            "cut_after" => Self::CutAfter,
            "delay" => {
                let millis = argument.and_then(|millis| millis.parse().ok());
                Self::Delay(Duration::from_millis(
                    millis.ok_or_else(|| wanted("milliseconds"))?,
                ))
            }
            "silence" => Self::Silence,
            "replay" => Self::Replay,
            "corrupt" => Self::Corrupt,
            "unconfirmed" => Self::Unconfirmed,
            _ => {
                return Err(format!(
                    "unknown action {name:?}: use drop_ack, nack <code>, cut, cut_after, \
                     delay <ms>, silence, replay, corrupt or unconfirmed"
                ));
            }
        };
        Ok(action)
    }
}

impl Serialize for Action {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which messages a fault strikes: those that pass every condition given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Match {
    /// The phone number of the sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// The phone number of the recipient, or the JID of the chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// The id of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

/// A fault that waits for its messages.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fault {
    pub(crate) id: u64,
    #[serde(rename = "match")]
    pub(crate) condition: Match,
    pub(crate) action: Action,
    /// How many more messages it strikes; none when there is no limit.
    pub(crate) remaining: Option<u64>,
    /// How many messages it has struck.
    pub(crate) applied: u64,
}

/// All faults, in the order in which they were set. The first that matches
/// strikes.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    last: u64,
    faults: Vec<Fault>,
}

impl Faults {
    /// Sets a fault for the next `count` messages, or for all of them.
    pub(crate) fn add(&self, condition: Match, action: Action, count: Option<u64>) -> Fault {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.last += 1;
        let fault = Fault {
            id: list.last,
            condition,
            action,
            remaining: count,
            applied: 0,
        };
        list.faults.push(fault.clone());
        fault
    }

    /// Every fault, also those that have no messages left to strike.
    pub(crate) fn all(&self) -> Vec<Fault> {
        self.list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .faults
            .clone()
    }

    /// Removes all faults and returns how many there were.
    pub(crate) fn clear(&self) -> usize {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut list.faults).len()
    }

    /// What goes wrong with this message, if anything.
    pub(crate) fn strike(
        &self,
        sender: &str,
        recipient: Option<&str>,
        chat: &Jid,
        id: &str,
    ) -> Option<Action> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = list.faults.iter_mut().find(|fault| {
            let Match {
                from,
                to,
                id: wanted,
            } = &fault.condition;
            fault.remaining != Some(0)
                && from.as_deref().is_none_or(|from| from == sender)
                && wanted.as_deref().is_none_or(|wanted| wanted == id)
                && to
                    .as_deref()
                    .is_none_or(|to| recipient == Some(to) || chat.to_non_ad_string() == to)
        })?;
        fault.applied += 1;
        fault.remaining = fault.remaining.map(|remaining| remaining - 1);
        Some(fault.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_written_as_they_are_read() {
        for text in [
            "drop_ack",
            "nack 479",
            "cut",
            "cut_after",
            "delay 250",
            "silence",
            "replay",
            "unconfirmed",
            "corrupt",
        ] {
            assert_eq!(text.parse::<Action>().unwrap().to_string(), text);
        }
        assert_eq!("nack:479".parse(), Ok(Action::Nack(479)));
        assert!(
            "nack"
                .parse::<Action>()
                .unwrap_err()
                .contains("needs a code")
        );
        assert!(
            "explode"
                .parse::<Action>()
                .unwrap_err()
                .contains("unknown action")
        );
    }

    #[test]
    fn the_first_match_strikes_as_often_as_it_may() {
        let faults = Faults::default();
        let chat = Jid::lid("99");
        let strike = |id: &str| faults.strike("1", Some("2"), &chat, id);
        assert_eq!(strike("A"), None);
        let to = |to: &str| Match {
            to: Some(to.to_owned()),
            ..Match::default()
        };
        faults.add(to("3"), Action::Cut, None);
        faults.add(to("2"), Action::Nack(479), Some(1));
        faults.add(to("99@lid"), Action::Silence, None);
        assert_eq!(strike("A"), Some(Action::Nack(479)));
        assert_eq!(strike("A"), Some(Action::Silence));
        let applied: Vec<u64> = faults.all().iter().map(|fault| fault.applied).collect();
        assert_eq!(applied, [0, 1, 1]);
        assert_eq!(faults.clear(), 3);
        assert_eq!(strike("A"), None);
    }
}
