//! What a lane does next, from what it knows.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway_shared::domain::{Content, MessageContext, OrganizationId, SendFailure, SessionId};
use gateway_shared::lane::{Attempt, ClaimedSend, Mode, RateState};

use super::*;
use crate::engine::Wire;

const NOW: Millis = 1_763_700_000_000;
const SWEEP: Millis = 30_000;

struct Never;

impl Dispatch for Never {
    fn dispatch(&self, _send: ClaimedSend, _wire: Wire) -> BoxFuture<'static, Verdict> {
        std::future::pending().boxed()
    }
}

fn lane(rate_per_min: u32) -> Lane {
    let (quiet, _) = watch::channel(false);
    let mut lane = Lane::new(Made {
        from: SessionRef {
            organization: OrganizationId::generate(NOW),
            session: SessionId::generate(NOW),
        },
        epoch: Epoch(1),
        limits: Limits {
            rate_per_min,
            rate_per_hour: 0,
        },
        rate: RateState::default(),
        dispatch: Arc::new(Never),
        lost: CancellationToken::new(),
        quiet,
    });
    lane.open();
    lane
}

fn claimed(lane: &Lane, count: usize) -> Vec<ClaimedSend> {
    let send = |_| ClaimedSend {
        id: OutboxId::generate(NOW),
        from: lane.from.clone(),
        to: "4915112345678".parse().unwrap(),
        wa_message_id: "3EB0".to_owned(),
        content: Ok(Content::Text {
            text: "hi".to_owned(),
            context: MessageContext::default(),
        }),
        mode: Mode::Async,
        attempt: 1,
        request_id: "req".to_owned(),
        created_at: NOW,
    };
    (0..count).map(send).collect()
}

/// An answer after which nothing more is to be claimed.
fn turn(lane: &Lane, count: usize, settled: usize) -> Turn {
    Turn {
        settled: vec![Settled::Done; settled],
        sends: claimed(lane, count),
        more: false,
        in_flight: (lane.in_flight() - settled + count) as u64,
        next_due: None,
        paused_until: None,
        now: NOW,
        rate: RateState::default(),
        throttled_ms: 0,
    }
}

fn call(step: Step) -> Call {
    match step {
        Step::Call(call) => call,
        other => panic!("no call: {other:?}"),
    }
}

fn most(call: &Call) -> Option<u32> {
    match call {
        Call::Turn { claim, .. } => claim.map(|claim| claim.most),
        _ => None,
    }
}

/// Has the lane claim so many; their ids.
fn fly(lane: &mut Lane, count: usize) -> Vec<OutboxId> {
    let call = call(lane.step(NOW, 64, 64, false));
    let turn = turn(lane, count, 0);
    lane.took_turn(&call, &turn, NOW, SWEEP);
    turn.sends.into_iter().map(|send| send.id).collect()
}

#[test]
fn a_claim_takes_the_lanes_share_of_the_room_and_one_call_at_a_time() {
    let mut lane = lane(0);
    let call = call(lane.step(NOW, 64, 5, false));
    assert_eq!(most(&call), Some(5));
    assert!(matches!(
        lane.step(NOW, 64, 5, false),
        Step::Rest {
            for_room: false,
            ..
        }
    ));
}

#[test]
fn without_room_it_waits_for_room_and_still_settles() {
    let mut lane = lane(0);
    let ids = fly(&mut lane, 2);
    lane.wake();
    lane.due = Millis::MAX;
    assert!(matches!(
        lane.step(NOW, 0, 1, false),
        Step::Rest { for_room: true, .. }
    ));
    lane.conclude(&ids[0], Attempt::Sent(NOW).into(), NOW, 500);
    let call = call(lane.step(NOW, 0, 1, false));
    assert!(matches!(call, Call::Turn { settlements, claim: None, .. } if settlements.len() == 1));
}

#[test]
fn what_is_spent_rests_until_the_next_cell() {
    let mut lane = lane(60);
    let call = call(lane.step(NOW, 64, 64, false));
    assert_eq!(most(&call), Some(60));
    let mut turn = turn(&lane, 60, 0);
    turn.more = true;
    turn.throttled_ms = 1_000;
    lane.took_turn(&call, &turn, NOW, SWEEP);
    let Step::Rest { until, for_room } = lane.step(NOW, 64, 64, false) else {
        panic!("it claims");
    };
    assert_eq!((until, for_room), (NOW + 1_000, false));
}

#[test]
fn a_held_lane_only_looks_what_falls_due() {
    let mut lane = lane(0);
    lane.hold();
    assert_eq!(most(&call(lane.step(NOW, 64, 64, false))), Some(0));
    lane.release_call();
    lane.due = NOW + 70;
    lane.sweep_at = NOW + SWEEP;
    assert!(matches!(lane.step(NOW, 64, 64, false), Step::Rest { until, .. } if until == NOW + 70));
}

#[test]
fn a_wake_up_during_a_call_is_not_forgotten() {
    let mut lane = lane(0);
    let first = call(lane.step(NOW, 64, 64, false));
    lane.wake();
    let turn = turn(&lane, 0, 0);
    lane.took_turn(&first, &turn, NOW, SWEEP);
    assert_eq!(most(&call(lane.step(NOW, 64, 64, false))), Some(64));
}

#[test]
fn a_lost_answer_is_recovered_and_its_verdicts_are_told_again() {
    let mut lane = lane(0);
    let ids = fly(&mut lane, 2);
    lane.conclude(&ids[0], Attempt::Sent(NOW).into(), NOW, 500);
    lane.wake();
    let lost = call(lane.step(NOW, 64, 64, false));
    lane.failed(lost, NOW);
    assert!(matches!(lane.step(NOW, 64, 64, false), Step::Rest { until, .. } if until > NOW));
    let later = NOW + 1_000;
    let Call::Recover(mut busy) = call(lane.step(later, 64, 64, false)) else {
        panic!("it does not recover");
    };
    let mut known = ids.clone();
    busy.sort();
    known.sort();
    assert_eq!(busy, known);
    let rate = RateState::default();
    lane.recovered(Recovered {
        returned: 1,
        dead: 0,
        rate,
    });
    let again = call(lane.step(later, 64, 64, false));
    let emitted = Settlement {
        id: ids[0].clone(),
        attempt: Attempt::Sent(NOW),
    };
    assert!(matches!(again, Call::Turn { settlements, .. } if settlements == [emitted]));
}

#[test]
fn more_in_flight_than_it_knows_of_is_recovered() {
    let mut lane = lane(0);
    let first = call(lane.step(NOW, 64, 64, false));
    let mut turn = turn(&lane, 1, 0);
    turn.in_flight = 2;
    lane.took_turn(&first, &turn, NOW, SWEEP);
    assert!(matches!(call(lane.step(NOW, 64, 64, false)), Call::Recover(busy) if busy.len() == 1));
}

#[test]
fn a_released_send_rests_unless_the_lane_is_opened() {
    let mut lane = lane(0);
    let ids = fly(&mut lane, 1);
    lane.conclude(&ids[0], Verdict::released(), NOW, 500);
    let release = call(lane.step(NOW, 64, 64, false));
    assert_eq!(most(&release), None);
    let mut answer = turn(&lane, 0, 1);
    answer.more = true;
    lane.took_turn(&release, &answer, NOW, SWEEP);
    assert!(
        matches!(lane.step(NOW, 64, 64, false), Step::Rest { until, .. } if until == NOW + 500)
    );
    lane.open();
    assert_eq!(most(&call(lane.step(NOW, 64, 64, false))), Some(64));
}

#[test]
fn what_is_opened_during_a_call_looks_again_after_it() {
    let mut lane = lane(0);
    let ids = fly(&mut lane, 1);
    lane.hold();
    lane.conclude(&ids[0], Verdict::released(), NOW, 500);
    let release = call(lane.step(NOW, 64, 64, false));
    lane.open();
    // It was asked while the lane was closed: that it saw nothing to claim says nothing.
    lane.took_turn(&release, &turn(&lane, 0, 0), NOW, SWEEP);
    assert_eq!(most(&call(lane.step(NOW, 64, 64, false))), Some(64));
}

#[test]
fn a_pause_is_told_before_anything_else_and_kept() {
    let mut lane = lane(0);
    let ids = fly(&mut lane, 1);
    let pause = LanePause {
        scope: Scope::All,
        until: NOW + 9_000,
        reason: "over limit".to_owned(),
    };
    let attempt = Attempt::Retry(NOW, SendFailure::new("busy", "later"));
    let verdict = Verdict {
        attempt,
        pause: Some(pause.clone()),
    };
    lane.conclude(&ids[0], verdict, NOW, 500);
    assert!(!lane.may_start(NOW));
    lane.wake();
    let Call::Pause(emitted) = call(lane.step(NOW, 64, 64, false)) else {
        panic!("the pause is not told");
    };
    assert_eq!(emitted, pause);
    lane.paused(&emitted);
    let settle = call(lane.step(NOW, 64, 64, false));
    assert_eq!(
        most(&settle),
        Some(0),
        "it was woken: it looks, and claims nothing"
    );
}

#[test]
fn a_leaving_lane_goes_when_all_is_settled() {
    let mut lane = lane(0);
    let ids = fly(&mut lane, 1);
    lane.leaving = true;
    assert!(matches!(
        lane.step(NOW, 64, 64, false),
        Step::Rest {
            until: Millis::MAX,
            ..
        }
    ));
    lane.conclude(&ids[0], Attempt::Sent(NOW).into(), NOW, 500);
    let settle = call(lane.step(NOW, 64, 64, false));
    lane.took_turn(&settle, &turn(&lane, 0, 1), NOW, SWEEP);
    assert!(matches!(lane.step(NOW, 64, 64, false), Step::Gone));
}

#[test]
fn a_lost_lane_settles_nothing() {
    let mut lane = lane(0);
    let ids = fly(&mut lane, 1);
    lane.lose();
    assert!(lane.stale.is_cancelled() && lane.halt.is_cancelled());
    lane.conclude(&ids[0], Attempt::Sent(NOW).into(), NOW, 500);
    assert!(matches!(lane.step(NOW, 64, 64, false), Step::Gone));
}
