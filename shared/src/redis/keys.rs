//! Every key this system keeps in Redis, in one place.
//!
//! There are three kinds of place, told apart by their Cluster hash tag:
//!
//! - **partition** `P:{org_…}` holds all that acceptance and completion touch for one
//!   organization, so that each is one atomic script. [`partition`] is the one function that
//!   chooses it.
//! - **keystore** `P:{sess_…}` holds the WhatsApp key material of one session, the bulk of the
//!   memory, with its own copy of the fence.
//! - **global** `P:{global}` holds small structures of the whole installation.
//!
//! `P` is the configured prefix. A script is given the *root* of its place as `KEYS[1]` and
//! (and its [`guard`](super::script::guard) as `KEYS[2]`), and
//! derives the rest from it with the functions of [`lua_prelude`], which is generated from
//! [`PARTITION`] and [`GLOBAL`]: a name is written down once.

mod families;

use std::fmt::Write;

use crate::domain::{OrganizationId, SessionId};

pub use families::{GLOBAL, PARTITION};

/// One family of keys: where, of which Redis type, and for what.
#[derive(Debug, Clone, Copy)]
pub struct KeyFamily {
    /// Its name in code: scripts call it `K.<name>(…)`.
    pub name: &'static str,
    /// What follows the root, `*` standing for an argument.
    pub pattern: &'static str,
    /// Redis type.
    pub kind: &'static str,
    /// What it holds and how long it lives.
    pub purpose: &'static str,
}

/// Makes keys and channel names under one prefix.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// Keys that begin with `prefix`.
    #[must_use]
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    /// What every key and channel begins with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The root of an organization's partition.
    #[must_use]
    pub fn partition(&self, organization: &OrganizationId) -> String {
        format!("{}:{{{}}}", self.prefix, organization)
    }

    /// The root of a session's key material.
    #[must_use]
    pub fn keystore(&self, session: &SessionId) -> String {
        format!("{}:{{{}}}", self.prefix, session)
    }

    /// The root of the installation's own structures.
    #[must_use]
    pub fn global(&self) -> String {
        format!("{}:{{global}}", self.prefix)
    }

    /// An API key by the hash of its text (hash; stands alone so that look-ups spread).
    #[must_use]
    pub fn api_key(&self, hash: &str) -> String {
        format!("{}:{{key:{hash}}}", self.prefix)
    }

    /// A ticket to listen, by the hash of its text (string: the token it stands for, sealed; a minute).
    #[must_use]
    pub fn ticket(&self, hash: &str) -> String {
        format!("{}:{{ticket:{hash}}}", self.prefix)
    }

    /// What readiness writes to (string, 60 s); different numbers spread over a Cluster.
    #[must_use]
    pub fn probe(&self, number: usize) -> String {
        format!("{}:{{probe:{number}}}", self.prefix)
    }

    /// Channel: a lane of this worker has something to claim; the message is the session id.
    #[must_use]
    pub fn wake_channel(&self, worker: &str) -> String {
        format!("{}:wake:{worker}", self.prefix)
    }

    /// Channel: answers for requests waiting in this API process.
    #[must_use]
    pub fn reply_channel(&self, instance: &str) -> String {
        format!("{}:reply:{instance}", self.prefix)
    }

    /// Channel: a session was told to start, stop, restart or log out, or its limits changed.
    #[must_use]
    pub fn control_channel(&self) -> String {
        format!("{}:control", self.prefix)
    }

    /// Channel: commands for one worker that want an answer.
    #[must_use]
    pub fn command_channel(&self, worker: &str) -> String {
        format!("{}:command:{worker}", self.prefix)
    }

    /// Channel: a webhook was made, changed or given up; the message is `org/webhook`.
    #[must_use]
    pub fn webhooks_channel(&self) -> String {
        format!("{}:webhooks", self.prefix)
    }

    /// Channel: an organization that this worker waits for has an event; the message is the root of
    /// its partition.
    #[must_use]
    pub fn events_channel(&self, worker: &str) -> String {
        format!("{}:events:{worker}", self.prefix)
    }

    /// Channel: an API key changed (`key:<hash>`); caches drop it.
    #[must_use]
    pub fn changed_channel(&self) -> String {
        format!("{}:changed", self.prefix)
    }
}

/// A key of `family` under `root`, its `*` filled with `args` in order.
///
/// # Panics
/// In debug builds, when `name` is no family of `table`: a spelling mistake in this crate.
#[must_use]
pub fn key(table: &[KeyFamily], root: &str, name: &str, args: &[&str]) -> String {
    let found = table.iter().find(|family| family.name == name);
    debug_assert!(found.is_some(), "no key family {name}");
    let mut key = String::from(root);
    let mut args = args.iter();
    for part in found
        .map_or("", |family| family.pattern)
        .split_inclusive('*')
    {
        match part.strip_suffix('*') {
            Some(text) => {
                key.push_str(text);
                key.push_str(args.next().copied().unwrap_or_default());
            }
            None => key.push_str(part),
        }
    }
    key
}

/// The Lua functions that derive keys: `K.outbox(id)` and so on, over `KEYS[1]`.
#[must_use]
pub fn lua_prelude(table: &[KeyFamily]) -> String {
    let mut lua = String::from("local R = KEYS[1]\nlocal K = {}\n");
    for family in table {
        let arity = family.pattern.matches('*').count();
        let params = ["a", "b"][..arity].join(", ");
        let mut body = String::from("R");
        let mut names = ["a", "b"].iter();
        for part in family.pattern.split_inclusive('*') {
            let text = part.trim_end_matches('*');
            let _ = write!(body, " .. '{text}'");
            if part.ends_with('*') {
                let _ = write!(body, " .. {}", names.next().unwrap_or(&"''"));
            }
        }
        let _ = writeln!(
            lua,
            "function K.{}({params}) return {body} end",
            family.name
        );
    }
    lua
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_and_lua_agree_on_a_key() {
        let chat = key(
            PARTITION,
            "wag:{org_1}",
            "chat",
            &["sess_1", "1@s.whatsapp.net"],
        );
        assert_eq!(chat, "wag:{org_1}:l:sess_1:c:1@s.whatsapp.net");
        let lua = lua_prelude(PARTITION);
        assert!(lua.contains("function K.chat(a, b) return R .. ':l:' .. a .. ':c:' .. b end"));
    }

    #[test]
    fn names_are_unique() {
        for table in [PARTITION, GLOBAL] {
            let mut names: Vec<_> = table.iter().map(|family| family.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.len());
        }
    }
}
