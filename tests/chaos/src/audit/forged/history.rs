//! A history in which all is well.

use std::collections::{HashMap, HashSet};

use gateway_tests::client::{Event, LedgerEntry, PeerMessage};
use gateway_tests::receiver::Posted;
use gateway_tests::world::{ApiKey, PairedSession, Peer};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::audit::{Evidence, TenantEvidence, Violations};
use crate::clients::{Journal, Sent, Written};
use crate::stage::{LIMIT, Session, Tenant};

/// Sends of each session, all to its one peer.
pub(super) const SENDS: usize = 4;

/// What happened, as all sides tell it.
pub(super) struct History {
    pub(super) tenants: Vec<Tenant>,
    pub(super) journal: Journal,
    pub(super) evidence: Evidence,
}

pub(super) fn session(place: usize) -> String {
    format!("sess_{place}")
}

pub(super) fn phone(place: usize) -> String {
    format!("155500{place}")
}

pub(super) fn peer(place: usize) -> String {
    format!("155510{place}")
}

pub(super) fn outbox(place: usize, nth: usize) -> String {
    format!("out_{place}_{nth}")
}

pub(super) fn message(place: usize, nth: usize) -> String {
    format!("3EB0{place}{nth}")
}

pub(super) fn text(place: usize, nth: usize) -> String {
    format!("{}|{}|0|{nth}", session(place), peer(place))
}

/// The time of a send, in milliseconds; its steps follow it closely.
pub(super) fn time(nth: usize) -> i64 {
    1_000_000 + 10_000 * i64::try_from(nth).unwrap()
}

pub(super) fn event(place: usize, id: usize, kind: &str, at: i64, payload: Value) -> Event {
    Event(json!({
        "id": format!("evt_{place}_{id:03}"), "event": kind, "timestamp": at,
        "organization": format!("org_{place}"), "session": session(place), "payload": payload,
    }))
}

pub(super) fn copy(place: usize, nth: usize) -> LedgerEntry {
    LedgerEntry {
        id: message(place, nth),
        from: format!("{}:1@s.whatsapp.net", phone(place)),
        to: format!("{}@s.whatsapp.net", peer(place)),
        time: time(nth) + 2,
        kind: "message".to_owned(),
        attempt: 1,
    }
}

pub(super) fn shown(place: usize, nth: usize) -> PeerMessage {
    let json = json!({
        "id": message(place, nth), "chat": "", "from": format!("{}@s.whatsapp.net", phone(place)),
        "type": "text", "content": text(place, nth), "receivedAt": time(nth) + 3,
        "copies": 1, "context": null, "raw": "",
    });
    serde_json::from_value(json).unwrap()
}

pub(super) fn posted(event: &Value) -> Posted {
    let id = event["id"].as_str().unwrap_or_default();
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", id.parse().unwrap());
    Posted {
        path: "/".to_owned(),
        headers,
        body: event.to_string().into(),
        at: Instant::now(),
        status: 200,
    }
}

impl History {
    /// Two organizations with a session and a peer each, who write to each other.
    pub(super) fn honest() -> Self {
        let (mut tenants, mut seen) = (Vec::new(), Vec::new());
        let (mut ledger, mut peers) = (HashMap::new(), HashMap::new());
        let mut journal = Journal::default();
        for place in 0..2 {
            tenants.push(Tenant {
                key: ApiKey {
                    id: format!("key_{place}"),
                    organization: format!("org_{place}"),
                    secret: String::new(),
                },
                sessions: vec![Session {
                    paired: PairedSession {
                        id: session(place),
                        phone: phone(place),
                    },
                    rate_per_min: LIMIT,
                }],
                peers: vec![Peer {
                    phone: peer(place),
                    jid: format!("{}@s.whatsapp.net", peer(place)),
                    lid: String::new(),
                }],
            });
            let mut events = Vec::new();
            let mut entries = Vec::new();
            for nth in 0..SENDS {
                let mut history = Vec::new();
                for (step, status) in ["queued", "sending", "sent"].into_iter().enumerate() {
                    let at = time(nth) + i64::try_from(step).unwrap();
                    let payload = json!({
                        "outboxId": outbox(place, nth), "waMessageId": message(place, nth),
                        "chatJid": format!("{}@s.whatsapp.net", peer(place)),
                        "status": status, "timestamp": at,
                    });
                    events.push(event(place, events.len(), "message.status", at, payload));
                    history.push(json!({"status": status, "timestamp": at}));
                }
                entries.push(json!({
                    "outboxId": outbox(place, nth), "waMessageId": message(place, nth),
                    "chatJid": format!("{}@s.whatsapp.net", peer(place)),
                    "status": "sent", "history": history,
                }));
                journal.sent.push(Sent {
                    tenant: place,
                    session: session(place),
                    text: text(place, nth),
                    acknowledged: vec![(outbox(place, nth), message(place, nth))],
                });
            }
            for id in ["HI0", "HI1"] {
                let payload = json!({"waMessageId": id});
                events.push(event(place, events.len(), "message", 1_900_000, payload));
                journal.received.push(Written {
                    session: session(place),
                    peer: peer(place),
                    id: id.to_owned(),
                });
            }
            ledger.insert(
                phone(place),
                (0..SENDS).map(|nth| copy(place, nth)).collect(),
            );
            peers.insert(
                peer(place),
                (0..SENDS).map(|nth| shown(place, nth)).collect(),
            );
            seen.push(TenantEvidence {
                followed: events.clone(),
                events,
                outbox: HashMap::from([(session(place), entries)]),
            });
        }
        // The webhook of each was posted everything, in order.
        let delivered = seen.iter().map(|seen| {
            let events = seen.events.iter();
            events.map(|event| posted(&event.0)).collect()
        });
        let delivered = delivered.collect();
        Self {
            tenants,
            journal,
            evidence: Evidence {
                tenants: seen,
                ledger,
                shown: peers,
                delivered,
                asked_again: HashSet::new(),
                remains: HashMap::new(),
                refused: 0,
            },
        }
    }

    pub(super) fn judged(&self) -> Violations {
        Violations::among(&self.tenants, &self.journal, &self.evidence)
    }

    pub(super) fn entry(&mut self, place: usize, nth: usize) -> &mut Value {
        let outbox = self.evidence.tenants[place].outbox.get_mut(&session(place));
        &mut outbox.unwrap()[nth]
    }

    pub(super) fn peers(&mut self, place: usize) -> &mut Vec<PeerMessage> {
        self.evidence.shown.get_mut(&peer(place)).unwrap()
    }

    pub(super) fn ledger(&mut self, place: usize) -> &mut Vec<LedgerEntry> {
        self.evidence.ledger.get_mut(&phone(place)).unwrap()
    }

    /// Both what the log holds and what a listener was told.
    pub(super) fn events(&mut self, place: usize, change: impl Fn(&mut Vec<Event>)) {
        let seen = &mut self.evidence.tenants[place];
        change(&mut seen.events);
        change(&mut seen.followed);
    }
}
