//! What was told of each send.

use std::collections::{HashMap, HashSet};

use gateway_tests::client::{Event, STATUSES};
use serde_json::Value;

use super::{Evidence, TenantEvidence, Violations};
use crate::clients::Journal;
use crate::stage::Tenant;

/// From this one on they are final.
const SENT: usize = 3;

pub(super) fn check(
    tenants: &[Tenant],
    journal: &Journal,
    evidence: &Evidence,
    out: &mut Violations,
) {
    for (place, (tenant, seen)) in tenants.iter().zip(&evidence.tenants).enumerate() {
        let emitted = histories(&seen.events);
        for sent in journal.sent.iter().filter(|sent| sent.tenant == place) {
            for (outbox, _) in &sent.acknowledged {
                if !emitted.contains_key(outbox.as_str()) {
                    out.status_errors
                        .push(format!("{outbox}: nothing was told of it"));
                }
            }
        }
        for (id, events) in &emitted {
            history(id, events, out);
        }
        outboxes(&emitted, seen, out);
        follower(tenant, seen, out);
    }
}

/// The status events of each send, in the order of the log.
fn histories(events: &[Event]) -> HashMap<&str, Vec<&Event>> {
    let mut emitted: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in events {
        if event.kind() == "message.status" {
            emitted
                .entry(event.text("outboxId"))
                .or_default()
                .push(event);
        }
    }
    emitted
}

/// They begin at the beginning, only go forward, each comes once, and the last is final.
fn history(id: &str, events: &[&Event], out: &mut Violations) {
    let names: Vec<&str> = events.iter().map(|event| event.text("status")).collect();
    // A receipt corrects what was given up because nobody knew what had become of it.
    let corrected = |at: usize| {
        events[at].0["payload"]["error"]["code"] == "outcome_unknown"
            && names.get(at + 1) == Some(&"sent")
    };
    let ranks: Option<Vec<usize>> = (0..names.len())
        .filter(|at| !corrected(*at))
        .map(|at| &names[at])
        .map(|name| STATUSES.iter().position(|status| status == name))
        .collect();
    let times: Vec<i64> = events
        .iter()
        .filter_map(|event| event.0["payload"]["timestamp"].as_i64())
        .collect();
    let fine = ranks.is_some_and(|ranks| {
        ranks.first().is_some_and(|first| *first < 2)
            && ranks.is_sorted_by(|a, b| a < b)
            && ranks.last().is_some_and(|last| *last >= SENT)
    });
    let sent_untried = names.contains(&"sent") && !names.contains(&"sending");
    let timed = times.len() == names.len() && times.is_sorted();
    if !fine || sent_untried || !timed {
        out.status_errors
            .push(format!("{id}: {names:?} at {times:?}"));
    }
}

/// The outbox and the log say the same.
fn outboxes(emitted: &HashMap<&str, Vec<&Event>>, seen: &TenantEvidence, out: &mut Violations) {
    for entry in seen.outbox.values().flatten() {
        let id = entry["outboxId"].as_str().unwrap_or_default();
        let history: Vec<&Value> = entry["history"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|step| &step["status"])
            .collect();
        let events: Vec<&Value> = emitted
            .get(id)
            .into_iter()
            .flatten()
            .map(|event| &event.0["payload"]["status"])
            .collect();
        if history != events {
            let problem = format!("{id}: the outbox says {history:?}, the events {events:?}");
            out.status_errors.push(problem);
        }
    }
}

/// Who followed the events saw each of them, once, in their order.
fn follower(tenant: &Tenant, seen: &TenantEvidence, out: &mut Violations) {
    let organization = &tenant.key.organization;
    let followed: Vec<&str> = seen.followed.iter().map(Event::id).collect();
    let distinct: HashSet<&str> = followed.iter().copied().collect();
    if distinct.len() != followed.len() {
        let twice = followed.len() - distinct.len();
        let problem = format!("{organization}: a listener was told {twice} events twice");
        out.status_errors.push(problem);
    }
    for event in &seen.events {
        if !distinct.contains(event.id()) {
            let problem = format!("{organization}: a listener was not told {}", event.0);
            out.status_errors.push(problem);
        }
    }
    let log: Vec<&str> = seen.events.iter().map(Event::id).collect();
    let ranks: HashMap<&str, usize> = log.iter().copied().zip(0..).collect();
    let order: Vec<usize> = followed
        .iter()
        .filter_map(|id| ranks.get(id).copied())
        .collect();
    if !order.is_sorted() {
        let problem = format!("{organization}: a listener was told events out of order");
        out.status_errors.push(problem);
    }
}
