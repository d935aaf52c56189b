//! The order within a chat.

use std::collections::{HashMap, HashSet};

use super::evidence::number;
use super::{Evidence, Violations};
use crate::stage::Tenant;

/// The order of acceptance is that of the `queued` events: acceptance writes them in its own step.
/// The server must have taken the messages in that order, by the first copy of each, and the
/// peers' phones must show them so.
pub(super) fn check(tenants: &[Tenant], evidence: &Evidence, out: &mut Violations) {
    for (tenant, seen) in tenants.iter().zip(&evidence.tenants) {
        let mut accepted: HashMap<(&str, &str), Vec<&str>> = HashMap::new();
        for event in &seen.events {
            if event.kind() == "message.status" && event.text("status") == "queued" {
                let chat = (event.session(), number(event.text("chatJid")));
                accepted
                    .entry(chat)
                    .or_default()
                    .push(event.text("waMessageId"));
            }
        }
        for session in &tenant.sessions {
            let phone = &session.paired.phone;
            for peer in &tenant.peers {
                let chat = (session.paired.id.as_str(), peer.phone.as_str());
                let Some(accepted) = accepted.get(&chat) else {
                    continue;
                };
                let ledger = evidence.ledger.get(phone).into_iter().flatten();
                let ledger = ledger
                    .filter(|entry| number(&entry.to) == peer.phone)
                    .map(|entry| entry.id.as_str());
                compare(&format!("{chat:?} at the server"), accepted, ledger, out);
                let shown = evidence.shown.get(&peer.phone).into_iter().flatten();
                let shown = shown
                    .filter(|message| number(&message.from) == phone)
                    .map(|message| message.id.as_str());
                compare(&format!("{chat:?} at the peer"), accepted, shown, out);
            }
        }
    }
}

fn compare<'a>(
    place: &str,
    accepted: &[&'a str],
    seen: impl Iterator<Item = &'a str>,
    out: &mut Violations,
) {
    let ranks: HashMap<&str, usize> = accepted.iter().copied().zip(0..).collect();
    let mut known = HashSet::new();
    let mut last: Option<(usize, &str)> = None;
    for id in seen.filter(|id| known.insert(*id)) {
        let Some(rank) = ranks.get(id).copied() else {
            continue;
        };
        match last {
            Some((before, other)) if before > rank => {
                let problem =
                    format!("{place}: {id} (accepted as {rank}) after {other} ({before})");
                out.misordered.push(problem);
            }
            _ => last = Some((rank, id)),
        }
    }
}
