//! Every check is shown a history in which all is well, and then forged ones that it must reject:
//! one that can not accuse proves nothing.

mod history;

use serde_json::json;

use self::history::{History, SENDS, copy, event, message, outbox, phone, session, shown};
use super::Counts;
use crate::audit::Remains;
use crate::lives::{End, Life};
use crate::stage::LIMIT;

/// Forges a history and says what must be found in it.
fn forge(what: &str, found: impl Fn(Counts) -> usize, change: impl Fn(&mut History)) {
    let mut history = History::honest();
    change(&mut history);
    let violations = history.judged();
    assert!(found(violations.counts()) > 0, "{what}: {violations:#?}");
}

#[test]
fn an_honest_history_is_accepted() {
    let found = History::honest().judged();
    assert_eq!(found.counts(), Counts::default(), "{found:#?}");
}

#[test]
fn what_is_lost_is_found() {
    let lost = |counts: Counts| counts.lost;
    forge("sent and never shown", lost, |h| drop(h.peers(0).pop()));
    forge("acknowledged and gone", lost, |h| {
        h.evidence.tenants[1]
            .outbox
            .get_mut(&session(1))
            .unwrap()
            .pop();
    });
    forge("still waiting", lost, |h| {
        h.entry(0, 0)["status"] = json!("queued")
    });
    forge("failed for no reason of ours", lost, |h| {
        h.entry(0, 0)["status"] = json!("failed");
        h.entry(0, 0)["error"] = json!({"code": "expired"});
    });
    forge("cancelled by nobody", lost, |h| {
        h.entry(0, 0)["status"] = json!("cancelled")
    });
}

#[test]
fn what_is_doubled_is_found() {
    let duplicated = |counts: Counts| counts.duplicated;
    forge("shown under two ids", duplicated, |h| {
        let mut again = shown(0, 1);
        again.id = "3EB0OTHER".to_owned();
        h.peers(0).push(again);
    });
    forge("another message than acknowledged", duplicated, |h| {
        h.entry(0, 0)["waMessageId"] = json!("3EB0OTHER");
    });
    forge("one key, two sends", duplicated, |h| {
        h.journal.sent[0]
            .acknowledged
            .push((outbox(0, 1), message(0, 1)));
    });
}

#[test]
fn what_peers_wrote_and_was_not_told_once_and_in_order_is_found() {
    let written = SENDS * 3;
    forge(
        "not told",
        |counts| counts.inbound_lost,
        |h| h.events(0, |events| events.retain(|event| event.kind() != "message")),
    );
    forge(
        "told twice",
        |counts| counts.inbound_twice,
        |h| {
            h.events(1, |events| {
                let mut again = events[written].clone();
                again.0["id"] = json!("evt_1_999");
                events.push(again);
            });
        },
    );
    forge(
        "told in another order",
        |counts| counts.inbound_misordered,
        |h| h.events(0, |events| events.swap(written, written + 1)),
    );
}

#[test]
fn another_order_is_found() {
    let misordered = |counts: Counts| counts.misordered;
    forge("at the server", misordered, |h| h.ledger(0).swap(1, 2));
    forge("at the peer", misordered, |h| h.peers(1).swap(0, 3));
}

#[test]
fn what_reaches_another_organization_is_found() {
    let wrong = |counts: Counts| counts.wrong_tenant;
    forge("a message", wrong, |h| h.peers(0).push(shown(1, 0)));
    forge("a message of another session's phone", wrong, |h| {
        h.peers(0)[0].from = format!("{}@s.whatsapp.net", phone(1));
    });
    forge("an event", wrong, |h| {
        h.events(0, |events| {
            let stray = json!({"text": "x"});
            events.push(event(1, 900, "message", 1_950_000, stray));
        });
    });
    forge("an answer", wrong, |h| {
        h.journal.leaks.push("GET …".to_owned())
    });
}

#[test]
fn wrong_statuses_are_found() {
    let status = |counts: Counts| counts.status_errors;
    let step = |at: usize| move |h: &mut History| h.events(0, |events| drop(events.remove(at)));
    forge("no beginning", status, step(0));
    forge("sent without an attempt", status, step(1));
    forge("no end", status, step(2));
    forge("nothing at all", status, |h| {
        h.events(0, |events| drop(events.drain(0..3)))
    });
    forge("backwards", status, |h| {
        h.events(0, |events| events.swap(1, 2))
    });
    forge("twice", status, |h| {
        h.events(0, |events| {
            let mut again = events[1].clone();
            again.0["id"] = json!("evt_0_900");
            events.insert(2, again);
        });
    });
    forge("back in time", status, |h| {
        h.events(0, |events| events[2].0["payload"]["timestamp"] = json!(1));
    });
    forge("the outbox says something else", status, |h| {
        h.entry(0, 0)["history"][2]["status"] = json!("failed");
    });
    forge("a listener missed one", status, |h| {
        h.evidence.tenants[0].followed.remove(4);
    });
    forge("a listener was told one twice", status, |h| {
        let again = h.evidence.tenants[0].followed[4].clone();
        h.evidence.tenants[0].followed.insert(5, again);
    });
    forge("a listener was told another order", status, |h| {
        h.evidence.tenants[0].followed.swap(0, 11);
    });
    forge("failed, and shown", status, |h| {
        h.entry(0, 0)["status"] = json!("failed");
        h.entry(0, 0)["error"] = json!({"waCode": crate::plan::REFUSED_FOR_GOOD});
    });
    forge("cancelled, and shown", status, |h| {
        h.entry(0, 0)["status"] = json!("cancelled");
        h.journal.cancelled.insert(outbox(0, 0));
    });
}

#[test]
fn a_budget_that_was_overdrawn_is_found() {
    let exceeded = |counts: Counts| counts.budget_exceeded;
    forge("by what was claimed", exceeded, |h| {
        h.events(0, |events| {
            for id in 1_000..1_000 + usize::try_from(3 * LIMIT).unwrap() {
                let claim = json!({"status": "sending", "timestamp": 1_000_000});
                events.push(event(0, id, "message.status", 1_000_000, claim));
            }
        });
    });
    forge("by what went over the wire", exceeded, |h| {
        let copies = usize::try_from(3 * LIMIT).unwrap();
        h.ledger(0).extend((0..copies).map(|_| copy(0, 0)));
    });
}

#[test]
fn what_a_webhook_was_not_posted_in_order_is_found() {
    forge(
        "not posted",
        |counts| counts.webhook_lost,
        |h| drop(h.evidence.delivered[0].remove(3)),
    );
    forge(
        "posted in another order",
        |counts| counts.webhook_misordered,
        |h| h.evidence.delivered[1].swap(1, 2),
    );
    forge(
        "posted to another organization",
        |counts| counts.wrong_tenant,
        |h| {
            let stray = h.evidence.delivered[1][0].clone();
            h.evidence.delivered[0].push(stray);
        },
    );
}

#[test]
fn sessions_that_did_not_end_as_wished_are_found() {
    let half_done = |counts: Counts| counts.half_done;
    let ended = |end: End, remains: Option<Remains>| {
        move |h: &mut History| {
            let (tenant, session) = (0, "sess_9".to_owned());
            h.evidence
                .remains
                .extend(remains.clone().map(|r| (session.clone(), r)));
            h.journal.lived.push(Life {
                tenant,
                session,
                end: Some(end),
            });
        }
    };
    let left = |status: &str, paired: bool, keys: &[&str]| {
        Some(Remains {
            status: status.to_owned(),
            paired,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        })
    };
    for (what, end, remains) in [
        ("never looked at", End::Delete, None),
        ("still there", End::Delete, left("logged_out", false, &[])),
        (
            "its keys",
            End::Delete,
            left("", false, &["chaos:{sess_9}:dev"]),
        ),
        ("still paired", End::Logout, left("working", true, &[])),
        (
            "a number is left",
            End::Unlinked,
            left("logged_out", true, &[]),
        ),
        (
            "its keys",
            End::Unlinked,
            left("logged_out", false, &["chaos:{sess_9}:dev"]),
        ),
    ] {
        forge(what, half_done, ended(end, remains));
    }
    let mut history = History::honest();
    ended(End::Delete, left("", false, &[]))(&mut history);
    assert_eq!(history.judged().counts(), Counts::default());
}

/// What a sender called back is not counted among those that are to leave.
#[test]
fn a_cancelled_send_is_not_to_leave() {
    let mut history = History::honest();
    assert_eq!(history.evidence.accepted(), 2 * SENDS);
    history.entry(0, 0)["status"] = json!("cancelled");
    assert_eq!(history.evidence.accepted(), 2 * SENDS - 1);
}
