//! Changes of a lane's owner, against the model.

use gateway_shared::domain::SendStatus;
use gateway_shared::lane::{Attempt, Claim, Epoch, LaneError, Settlement};
use proptest::prelude::*;

use super::{Check, MAX_ATTEMPTS, Outcome};
use crate::model::steps::Gone;
use crate::world::CRASHES;

impl Check<'_> {
    pub(super) async fn take_over(&mut self, gone: Gone) -> Outcome {
        let old = self.world.epoch;
        if matches!(gone, Gone::Parted) {
            self.world.set("parted", old.0).await;
        }
        let recovered = self.world.recover().await;
        self.stale(old).await?;
        prop_assert_eq!(recovered.returned, self.model.flying.len() as u64);
        prop_assert_eq!(recovered.rate, self.model.budget.state());
        let mut dead = 0;
        for index in self.model.flying.clone() {
            // Whoever had it may have put it on the wire.
            self.model.entries[index].unsure = true;
            // Law 5: whoever parted in order is no witness, and costs nothing.
            if matches!(gone, Gone::Parted) {
                self.model.release(index);
            } else {
                let most = CRASHES.most as usize;
                self.model.vanished(index, old.0, most);
            }
            dead += u64::from(self.model.entries[index].status() == SendStatus::Failed);
        }
        prop_assert_eq!(recovered.dead, dead);
        self.laws.all_landed();
        if matches!(gone, Gone::CutOff) {
            let lanes = &self.world.lanes;
            lanes.survived(&self.world.from, old).await.unwrap();
            self.model.survived(old.0);
        }
        Ok(())
    }

    /// Law 3: whatever the old owner does is refused. That nothing changed is seen by comparing.
    async fn stale(&self, old: Epoch) -> Outcome {
        let (now, lanes) = (self.world.now(), &self.world.lanes);
        let owner = (&self.world.from, old);
        let settlements: Vec<_> = self
            .model
            .flying
            .iter()
            .map(|index| Settlement {
                id: self.model.entries[*index].id.clone(),
                attempt: Attempt::Sent(now),
            })
            .collect();
        let claim = Some(Claim { most: 3 });
        let turn = lanes
            .turn(now, owner, MAX_ATTEMPTS, &settlements, claim)
            .await;
        prop_assert!(matches!(turn, Err(LaneError::Stale(_))));
        let recovered = lanes.recover(now, owner, CRASHES, &[]).await;
        prop_assert!(matches!(recovered, Err(LaneError::Stale(_))));
        Ok(())
    }
}
