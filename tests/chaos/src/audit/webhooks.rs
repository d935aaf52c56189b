//! Every event reached its organization's endpoint, those of a chat in order, and nobody else's.

use std::collections::{HashMap, HashSet};

use super::{Evidence, Violations};
use crate::stage::Tenant;

/// Compares what was delivered with the event logs. An event that a receiver knows by its id
/// already (a repeat) counts once, as a receiver counts it.
pub(super) fn check(tenants: &[Tenant], evidence: &Evidence, found: &mut Violations) {
    let tenants = tenants.iter().zip(&evidence.tenants);
    for ((tenant, seen), delivered) in tenants.zip(&evidence.delivered) {
        let ids: HashSet<&str> = delivered.iter().map(|posted| posted.id()).collect();
        for event in &seen.events {
            if !event.kind().starts_with("stream.") && !ids.contains(event.id()) {
                let lost = format!("{} {} was not delivered", event.kind(), event.id());
                found.webhook_lost.push(lost);
            }
        }
        let mut last: HashMap<String, String> = HashMap::new();
        for posted in delivered {
            let envelope = posted.json();
            if envelope["organization"] != tenant.key.organization {
                let leak = format!("the webhook of another organization got {}", posted.id());
                found.wrong_tenant.push(leak);
            }
            let payload = &envelope["payload"];
            let name = |pointer: &str| payload.pointer(pointer).and_then(|text| text.as_str());
            let chat = ["/chat/pn", "/chat/lid", "/chatJid", "/groupJid"]
                .into_iter()
                .find_map(name)
                .unwrap_or_default();
            let chat = format!("{} {chat}", envelope["session"]);
            let id = posted.id().to_owned();
            match last.get(&chat) {
                Some(before) if *before > id => {
                    let misordered = format!("{id} was delivered after {before} in {chat}");
                    found.webhook_misordered.push(misordered);
                }
                _ => {
                    last.insert(chat, id);
                }
            }
        }
    }
}
