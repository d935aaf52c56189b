//! What is left of sessions that were ended.

use std::collections::HashMap;

use super::Violations;
use crate::lives::{End, Life};

/// What can be seen of an ended session.
#[derive(Debug, Clone, Default)]
pub struct Remains {
    /// Its status in the API; empty where it is not to be found there.
    pub status: String,
    /// Whether the API still names a number of it.
    pub paired: bool,
    /// Keys in Redis that hold its material or its lane.
    pub keys: Vec<String>,
}

/// Whether a key may outlive a session: the fence that refuses former owners, what its outbox keeps for
/// the time of its retention, and all but the key material of one that only lost its phone.
pub(super) fn may_stay(key: &str, life: &Life) -> bool {
    let material = key.contains(&format!("{{{}}}", life.session));
    match life.end {
        _ if key.ends_with(":fence") => true,
        Some(End::Delete) => {
            !material && (!key.contains(":s:") || key.ends_with(":o") || key.contains(":bc:"))
        }
        _ => !material,
    }
}

pub(super) fn check(lived: &[Life], remains: &HashMap<String, Remains>, found: &mut Violations) {
    for life in lived {
        let Some(end) = life.end else {
            continue;
        };
        let Some(left) = remains.get(&life.session) else {
            found
                .half_done
                .push(format!("{}: not looked at", life.session));
            continue;
        };
        let done = match end {
            End::Delete => left.status.is_empty(),
            End::Logout | End::Unlinked => left.status == "logged_out" && !left.paired,
        };
        if !done || !left.keys.is_empty() {
            found
                .half_done
                .push(format!("{} ({end:?}): {left:?}", life.session));
        }
    }
}
