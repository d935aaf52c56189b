//! The rate limits.
//!
//! A session that rested may send its whole limit at once and gets it back evenly, so in any
//! stretch of time there may be at most `limit + stretch × limit / minute` sends: the generic cell
//! rate algorithm. It is computed here once more, over what others saw.

use super::{Evidence, Violations};
use crate::stage::{Session, Tenant};

/// How far clocks of two workers may be apart, in milliseconds.
const CLOCKS: i64 = 250;
/// How long a stanza may be on its way from its claim to the server, in milliseconds: what the
/// plan's slow and still wires, frozen processes and delays may add up to.
const ON_THE_WAY: i64 = 20_000;

pub(super) fn check(tenants: &[Tenant], evidence: &Evidence, out: &mut Violations) {
    for (tenant, seen) in tenants.iter().zip(&evidence.tenants) {
        for session in tenant.sessions.iter().filter(|s| s.rate_per_min > 0) {
            // When the budget was spent, for the first attempt of each send; exact.
            let claims = seen.events.iter().filter(|event| {
                event.session() == session.paired.id && event.text("status") == "sending"
            });
            let claims = claims.filter_map(|event| event.0["payload"]["timestamp"].as_i64());
            judge(session, "claims", claims.collect(), CLOCKS, out);
            // Everything that went over the wire, repeats included.
            let ledger = evidence.ledger.get(&session.paired.phone);
            let copies = ledger.into_iter().flatten().map(|entry| entry.time);
            judge(session, "copies", copies.collect(), ON_THE_WAY, out);
        }
    }
}

fn judge(session: &Session, what: &str, times: Vec<i64>, slack: i64, out: &mut Violations) {
    for (at, over) in exceeding(times, i64::from(session.rate_per_min), slack) {
        let problem = format!(
            "{}: {what} at {at} are {over} ms ahead of {} a minute",
            session.paired.id, session.rate_per_min
        );
        out.budget_exceeded.push(problem);
    }
}

/// The times that come too early, and by how much, in milliseconds.
fn exceeding(mut times: Vec<i64>, per_minute: i64, slack: i64) -> Vec<(i64, i64)> {
    times.sort_unstable();
    // In thousandths of a millisecond, as the share of one send is no whole number.
    let share = 60_000_000 / per_minute;
    let tolerance = share * (per_minute - 1) + slack * 1_000;
    let mut arrival = i64::MIN;
    let mut early = Vec::new();
    for time in times {
        let ahead = arrival.saturating_sub(time * 1_000);
        if ahead > tolerance {
            early.push((time, (ahead - tolerance) / 1_000));
        }
        arrival = arrival.max(time * 1_000) + share;
    }
    early
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_limit_at_once_and_then_evenly() {
        let burst = vec![1_000; 60];
        assert!(exceeding(burst.clone(), 60, 0).is_empty());
        let mut one_more = burst.clone();
        one_more.push(1_999);
        assert_eq!(exceeding(one_more.clone(), 60, 0), [(1_999, 1)]);
        assert!(exceeding(one_more, 60, 1).is_empty());
        let mut evenly = burst;
        evenly.extend((2..20).map(|second| second * 1_000));
        assert!(exceeding(evenly, 60, 0).is_empty());
    }

    #[test]
    fn a_refilled_budget_is_noticed() {
        // A take-over that forgets what was spent: two bursts in a row.
        let mut times = vec![1_000; 60];
        times.extend(vec![5_000; 60]);
        assert!(exceeding(times, 60, ON_THE_WAY).len() >= 30);
    }
}
