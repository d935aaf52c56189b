//! A companion manages the account's companions: it logs itself or another out.

use std::sync::Arc;
use std::time::Duration;

use wacore_binary::NodeRef;
use wacore_binary::node::ValueRef;

use super::Answer;
use crate::client::Session;
use crate::removal;

/// A client that is cut off before it has read the answer to its own logout
/// takes that for a failure. Nothing on the wire tells when it has.
const BEFORE_REMOVAL: Duration = Duration::from_millis(100);

/// `<remove-companion-device>`.
pub(super) fn set(session: &Session, query: &NodeRef<'_>) -> Answer {
    let Some(removed) = query.get_optional_child("remove-companion-device") else {
        return Answer::NOT_IMPLEMENTED;
    };
    let all = removed.get_attr("all").is_some_and(|all| *all == "true");
    let jid = removed.get_attr("jid").and_then(ValueRef::to_jid);
    let device = jid.map_or(session.address.device, |jid| jid.device);
    let world = Arc::clone(&session.world);
    let account = Arc::clone(&session.address.account);
    tokio::spawn(async move {
        tokio::time::sleep(BEFORE_REMOVAL).await;
        let removed = if all {
            removal::remove_all(&world, &account).map(|_| ())
        } else {
            removal::remove(&world, &account, device).map(|_| ())
        };
        if let Err(error) = removed {
            tracing::error!(%error, "a companion could not be removed");
        }
    });
    Answer::EMPTY
}
