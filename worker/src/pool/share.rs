//! Fair shares: how many sessions a worker should own.

use gateway_shared::domain::WorkerId;
use gateway_shared::registry::WorkerInfo;

/// Most sessions given back in one round, so that a newcomer does not cause a storm of reconnects.
const MOST_GIVEN_BACK: usize = 8;

/// How a worker stands against its fair share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many more it may take.
    pub take: usize,
    /// How many it should give back now.
    pub give_back: usize,
}

/// The standing of `me`, which owns `owned` of the `running` sessions.
///
/// The share is `running × my capacity / all capacity`, rounded up, so that all shares together
/// cover everything. Sessions are only given back while another worker is below its own share.
#[must_use]
pub fn standing(me: &WorkerId, owned: usize, running: usize, workers: &[WorkerInfo]) -> Standing {
    let share_of = |worker: &WorkerInfo| {
        let total: u64 = workers.iter().map(|other| u64::from(other.capacity)).sum();
        let share = (running as u64 * u64::from(worker.capacity)).div_ceil(total.max(1));
        usize::try_from(share)
            .unwrap_or(usize::MAX)
            .min(worker.capacity as usize)
    };
    let Some(my_share) = workers.iter().find(|worker| worker.id == *me).map(share_of) else {
        return Standing {
            take: 0,
            give_back: 0,
        };
    };
    let wanted: usize = workers
        .iter()
        .filter(|worker| worker.id != *me)
        .map(|worker| share_of(worker).saturating_sub(worker.sessions as usize))
        .sum();
    let surplus = owned.saturating_sub(my_share);
    Standing {
        take: my_share.saturating_sub(owned),
        give_back: surplus.min(wanted).min(MOST_GIVEN_BACK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers(owned: &[u32]) -> Vec<WorkerInfo> {
        let make = |(i, sessions): (usize, &u32)| WorkerInfo {
            id: WorkerId::generate(i64::try_from(i).unwrap()),
            version: String::new(),
            host: String::new(),
            sessions: *sessions,
            capacity: 100,
            memory_bytes: 0,
            cpu_percent: 0,
            draining: false,
            started_at: 0,
            heartbeat_at: 0,
        };
        owned.iter().enumerate().map(make).collect()
    }

    #[test]
    fn shares_cover_everything() {
        for running in 0..50 {
            let all = workers(&[0, 0, 0]);
            let taken: usize = all
                .iter()
                .map(|worker| standing(&worker.id, 0, running, &all).take)
                .sum();
            assert!(taken >= running);
        }
    }

    #[test]
    fn a_newcomer_is_given_its_share_gently() {
        let all = workers(&[100, 0]);
        let old = standing(&all[0].id, 100, 100, &all);
        assert_eq!(
            old,
            Standing {
                take: 0,
                give_back: 8
            }
        );
        assert_eq!(
            standing(&all[1].id, 0, 100, &all),
            Standing {
                take: 50,
                give_back: 0
            }
        );
    }

    #[test]
    fn an_odd_session_does_not_wander() {
        let all = workers(&[2, 1]);
        assert_eq!(standing(&all[0].id, 2, 3, &all).give_back, 0);
        assert_eq!(standing(&all[1].id, 1, 3, &all).give_back, 0);
        let one = workers(&[1, 0]);
        assert_eq!(standing(&one[0].id, 1, 1, &one).give_back, 0);
    }

    #[test]
    fn capacity_is_a_weight_and_a_bound() {
        let mut all = workers(&[0, 0]);
        all[0].capacity = 300;
        assert_eq!(standing(&all[0].id, 0, 100, &all).take, 75);
        assert_eq!(standing(&all[1].id, 0, 1_000, &all).take, 100);
    }
}
