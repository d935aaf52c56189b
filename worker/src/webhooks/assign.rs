//! Which worker something falls to.

use gateway_shared::domain::WorkerId;
use gateway_shared::registry::WorkerInfo;
use sha2::{Digest, Sha256};

/// Whether what has this name falls to `me` among the workers that take part (rendezvous hashing): it
/// is the one whose name weighs most together with it. Each worker computes the same, and when one comes
/// or goes only its own share moves.
pub(crate) fn falls_to(name: &str, me: &WorkerId, workers: &[WorkerInfo]) -> bool {
    let heaviest = workers
        .iter()
        .filter(|worker| worker.capacity > 0)
        .max_by_key(|worker| weight(name, &worker.id));
    heaviest.is_some_and(|worker| worker.id == *me)
}

fn weight(name: &str, worker: &WorkerId) -> [u8; 32] {
    Sha256::new()
        .chain_update(worker.as_str())
        .chain_update(name)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use gateway_shared::domain::WebhookId;

    use super::*;

    fn worker(number: i64) -> WorkerInfo {
        WorkerInfo {
            id: WorkerId::generate(number),
            version: String::new(),
            host: String::new(),
            sessions: 0,
            capacity: 1,
            memory_bytes: 0,
            cpu_percent: 0,
            draining: false,
            started_at: number,
            heartbeat_at: number,
        }
    }

    #[test]
    fn each_webhook_has_one_owner_and_only_those_of_a_worker_that_goes_move() {
        let mut workers: Vec<WorkerInfo> = (0..3).map(worker).collect();
        let webhooks: Vec<WebhookId> = (0..300).map(WebhookId::generate).collect();
        let owner = |of: &WebhookId, workers: &[WorkerInfo]| {
            let mine: Vec<usize> = (0..workers.len())
                .filter(|index| falls_to(of.as_str(), &workers[*index].id, workers))
                .collect();
            assert_eq!(mine.len(), 1);
            mine[0]
        };
        let before: Vec<usize> = webhooks.iter().map(|of| owner(of, &workers)).collect();
        for index in 0..3 {
            let share = before.iter().filter(|owner| **owner == index).count();
            assert!((50..150).contains(&share), "{share}");
        }
        // One that drains takes no part.
        workers[1].capacity = 0;
        for (of, before) in webhooks.iter().zip(before) {
            let after = owner(of, &workers);
            assert!(after == before || before == 1);
            assert_ne!(after, 1);
        }
    }
}
