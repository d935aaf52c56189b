//! The laws, asserted of what was seen, not of what the model thinks.

use std::collections::BTreeMap;

use gateway_shared::clock::Millis;
use gateway_shared::domain::{Limits, OutboxId, SendStatus};
use proptest::prelude::*;

/// What was seen of a lane.
#[derive(Debug, Default)]
pub(crate) struct Laws {
    claims: Vec<Millis>,
    in_flight: BTreeMap<String, OutboxId>,
    /// The place of the last entry of each chat that was claimed.
    last: BTreeMap<String, usize>,
}

impl Laws {
    /// A claim: law 4 (order, one of a chat at a time) and law 8 (the budget).
    pub(crate) fn claimed(
        &mut self,
        now: Millis,
        chat: &str,
        id: &OutboxId,
        place: usize,
        limits: Limits,
    ) -> Result<(), TestCaseError> {
        let other = self.in_flight.insert(chat.to_owned(), id.clone());
        prop_assert_eq!(other, None, "two of chat {} in flight", chat);
        let last = self.last.insert(chat.to_owned(), place);
        prop_assert!(last <= Some(place), "out of order in chat {}", chat);
        self.claims.push(now);
        for (limit, window) in [
            (limits.rate_per_min, 60_000),
            (limits.rate_per_hour, 3_600_000),
        ] {
            for (n, since) in self.claims.iter().rev().enumerate() {
                let allowed = i64::from(limit) + (now - since) * i64::from(limit) / window;
                let made = i64::try_from(n + 1).unwrap();
                prop_assert!(
                    limit == 0 || made <= allowed,
                    "{} claims since {}",
                    made,
                    since
                );
            }
        }
        Ok(())
    }

    /// An entry is in flight no more.
    pub(crate) fn landed(&mut self, id: &OutboxId) {
        self.in_flight.retain(|_, flying| flying != id);
    }

    /// Nothing is in flight any more: its owner is gone.
    pub(crate) fn all_landed(&mut self) {
        self.in_flight.clear();
    }
}

/// Law 6: within each try statuses only move forward, and end in exactly one final status. A further
/// try follows a failure alone.
pub(crate) fn forward(emitted: &[SendStatus]) -> Result<(), TestCaseError> {
    let again = |pair: &[SendStatus]| pair == [SendStatus::Failed, SendStatus::Queued];
    let mut rest = emitted;
    while let Some(end) = rest.windows(2).position(again) {
        one_try(&rest[..=end])?;
        rest = &rest[end + 1..];
    }
    one_try(rest)
}

fn one_try(emitted: &[SendStatus]) -> Result<(), TestCaseError> {
    // A receipt corrects what was given up because nobody knew what had become of it.
    let corrected = |at: usize| emitted[at] == SendStatus::Failed && emitted.get(at + 1).is_some();
    let emitted: Vec<_> = (0..emitted.len())
        .filter(|at| !corrected(*at))
        .map(|at| emitted[at])
        .collect();
    let rank = |status: &SendStatus| match status {
        SendStatus::Cancelled => SendStatus::Failed as u8,
        other => *other as u8,
    };
    prop_assert!(
        emitted
            .windows(2)
            .all(|pair| rank(&pair[0]) < rank(&pair[1])),
        "{:?}",
        emitted
    );
    let settled = emitted.iter().filter(|status| {
        matches!(
            status,
            SendStatus::Sent | SendStatus::Failed | SendStatus::Cancelled
        )
    });
    prop_assert_eq!(settled.count(), 1, "{:?}", emitted);
    Ok(())
}
