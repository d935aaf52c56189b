//! Trusted contacts: whoever an account has written to holds a token of it, and
//! a restricted account lets nobody in who does not show one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rand::RngExt as _;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent, Server};

use crate::accounts::Account;
use crate::mailbox::Class;
use crate::world::World;

/// The code with which a restricted account refuses a stranger's message.
pub(crate) const UNTRUSTED: u16 = 463;

/// Whom one account trusts.
#[derive(Debug, Default)]
pub(crate) struct Privacy {
    restricted: AtomicBool,
    /// The token that each trusted contact holds, by phone number.
    tokens: Mutex<HashMap<Arc<str>, [u8; 16]>>,
}

impl Privacy {
    /// Says whether strangers are kept out.
    pub(crate) fn restrict(&self, restricted: bool) {
        self.restricted.store(restricted, Ordering::Relaxed);
    }

    /// Gives somebody this token, in place of the one they had.
    pub(crate) fn give(&self, trusted: &Account, token: [u8; 16]) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(Arc::clone(trusted.phone_number()), token);
    }

    /// Whether somebody who shows this token may write and see.
    fn admits(&self, visitor: &Account, token: Option<&[u8]>) -> bool {
        if !self.restricted.load(Ordering::Relaxed) {
            return true;
        }
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let held = tokens.get(visitor.phone_number());
        held.is_some_and(|held| token == Some(held.as_slice()))
    }
}

/// Whether `visitor` may write to `account` and see what it shows, given the
/// `<tctoken>` that came with the request.
pub(crate) fn admits(account: &Account, visitor: &Account, token: Option<&[u8]>) -> bool {
    std::ptr::eq(account, visitor) || account.privacy.admits(visitor, token)
}

/// The bytes of the `<tctoken>` among these children.
pub(crate) fn token(children: &[Node]) -> Option<&[u8]> {
    let token = children.iter().find(|child| child.tag == "tctoken")?;
    match &token.content {
        Some(NodeContent::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

/// `account` trusts somebody from time `since` (epoch seconds): all their
/// companions get a token.
pub(crate) fn trust(world: &Arc<World>, account: &Account, trusted: &Account, since: u64) {
    let token: [u8; 16] = rand::rng().random();
    account.privacy.give(trusted, token);
    let token = NodeBuilder::new("token")
        .attr("type", "trusted_contact")
        .attr("t", since)
        .bytes(token.to_vec())
        .build();
    let tokens = NodeBuilder::new("tokens").children([token]).build();
    let from: Jid = account.jid(Server::Pn);
    for companion in trusted.companions() {
        let id = world.stanza_id();
        let node = NodeBuilder::new("notification")
            .attr("from", &from)
            .attr("type", "privacy_token")
            .attr("id", id.as_str())
            .attr("sender_lid", account.jid(Server::Lid))
            .attr("t", since)
            .children([tokens.clone()])
            .build();
        companion
            .mailbox
            .deliver(Class::Notification, &id, "", &node);
    }
}
