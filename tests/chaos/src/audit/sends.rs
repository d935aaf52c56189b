//! Lost, duplicated, at the wrong address.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::evidence::number;
use super::{Evidence, Violations};
use crate::clients::Journal;
use crate::plan::REFUSED_FOR_GOOD;
use crate::stage::Tenant;

pub(super) fn check(
    tenants: &[Tenant],
    journal: &Journal,
    evidence: &Evidence,
    out: &mut Violations,
) {
    acknowledged(journal, evidence, out);
    for tenant in &evidence.tenants {
        for entry in tenant.outbox.values().flatten() {
            fate(entry, journal, evidence, out);
        }
    }
    shown(tenants, evidence, out);
    strangers(tenants, journal, evidence, out);
}

/// What was acknowledged is there, once.
fn acknowledged(journal: &Journal, evidence: &Evidence, out: &mut Violations) {
    let known: Vec<HashMap<&str, &str>> = evidence
        .tenants
        .iter()
        .map(|tenant| {
            let entries = tenant.outbox.values().flatten();
            entries
                .map(|entry| (text(entry, "outboxId"), text(entry, "waMessageId")))
                .collect()
        })
        .collect();
    for sent in &journal.sent {
        for (outbox, message) in &sent.acknowledged {
            match known[sent.tenant].get(outbox.as_str()) {
                None => out.lost.push(format!("{outbox} ({}) is gone", sent.text)),
                Some(other) if other != message => {
                    let problem = format!("{outbox} was acknowledged as {message}, is {other}");
                    out.duplicated.push(problem);
                }
                Some(_) => {}
            }
        }
        let distinct: HashSet<_> = sent.acknowledged.iter().collect();
        if distinct.len() > 1 {
            let problem = format!("one key, several sends: {} {distinct:?}", sent.text);
            out.duplicated.push(problem);
        }
    }
}

/// Every entry of an outbox was shown to its peer, or was refused for a reason we gave.
fn fate(entry: &Value, journal: &Journal, evidence: &Evidence, out: &mut Violations) {
    let (id, message) = (text(entry, "outboxId"), text(entry, "waMessageId"));
    let peer = number(text(entry, "chatJid"));
    let shown = evidence.shown.get(peer);
    let is_shown = shown.is_some_and(|all| all.iter().any(|one| one.id == message));
    let status = text(entry, "status");
    match status {
        "sent" | "delivered" | "read" | "played" => {
            if !is_shown {
                out.lost
                    .push(format!("{id} is {status}, and {peer} never saw {message}"));
            }
        }
        "failed" => {
            if entry["error"]["waCode"] != REFUSED_FOR_GOOD {
                out.lost.push(format!("{id} failed: {}", entry["error"]));
            } else if is_shown {
                let problem = format!("{id} is failed, and {peer} was shown {message}");
                out.status_errors.push(problem);
            }
        }
        "cancelled" => {
            if !journal.cancelled.contains(id) {
                out.lost
                    .push(format!("{id} was cancelled, and nobody asked for it"));
            } else if is_shown {
                let problem = format!("{id} is cancelled, and {peer} was shown {message}");
                out.status_errors.push(problem);
            }
        }
        _ => out.lost.push(format!("{id} is still {status}: {entry}")),
    }
}

/// What peers were shown was meant for them, and no text came under two ids.
fn shown(tenants: &[Tenant], evidence: &Evidence, out: &mut Violations) {
    for tenant in tenants {
        for peer in &tenant.peers {
            let mut ids: HashMap<&str, HashSet<&str>> = HashMap::new();
            for message in evidence.shown.get(&peer.phone).into_iter().flatten() {
                ids.entry(message.text()).or_default().insert(&message.id);
                if message.content["uploaded"] == false {
                    let problem = format!("the file of {} leads nowhere", message.text());
                    out.lost.push(problem);
                }
                let mut parts = message.text().split('|');
                let (session, to) = (parts.next(), parts.next());
                let from = number(&message.from);
                let meant = tenant
                    .sessions
                    .iter()
                    .any(|s| Some(s.paired.id.as_str()) == session && s.paired.phone == from);
                if !meant || to != Some(&peer.phone) {
                    let problem = format!("{} was shown {}", peer.phone, message.text());
                    out.wrong_tenant.push(problem);
                }
            }
            for (text, ids) in ids {
                if ids.len() > 1 {
                    out.duplicated.push(format!("{text} was shown as {ids:?}"));
                }
            }
        }
    }
}

/// No organization is told of another's sessions.
fn strangers(tenants: &[Tenant], journal: &Journal, evidence: &Evidence, out: &mut Violations) {
    for (place, (tenant, seen)) in tenants.iter().zip(&evidence.tenants).enumerate() {
        let lived = journal.lived.iter().filter(|life| life.tenant == place);
        let sessions = tenant.sessions.iter().map(|s| s.paired.id.as_str());
        let own: HashSet<&str> = lived
            .map(|life| life.session.as_str())
            .chain(sessions)
            .collect();
        for event in &seen.events {
            // What becomes of a webhook is of no session.
            let own = event.session().is_empty() || own.contains(event.session());
            if !own || event.0["organization"] != tenant.key.organization.as_str() {
                out.wrong_tenant
                    .push(format!("an event of another: {}", event.0));
            }
        }
    }
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field].as_str().unwrap_or_default()
}
