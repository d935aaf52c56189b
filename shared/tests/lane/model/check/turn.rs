//! Turns of a lane's owner, against the model.

use gateway_shared::domain::SendStatus;
use gateway_shared::lane::{Attempt, Claim, Settled, Settlement, Turn};
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Check, MAX_ATTEMPTS, Outcome};
use crate::model::steps::End;
use crate::world::{CRASHES, failure};

impl Check<'_> {
    /// Ends for some of what is in flight, each once.
    pub(super) fn settlements(&self, ends: &[(Index, End)]) -> Vec<(usize, Attempt)> {
        let mut flying: Vec<_> = self.model.flying.iter().copied().collect();
        let mut chosen = Vec::new();
        for (which, end) in ends {
            if flying.is_empty() {
                break;
            }
            let index = flying.swap_remove(which.index(flying.len()));
            let now = self.world.now();
            let attempt = match end {
                End::Sent => Attempt::Sent(now),
                End::Retry(wait) => Attempt::Retry(now + wait, failure()),
                End::Silent(wait) => Attempt::Silent(now + wait, failure()),
                End::Cut => Attempt::Cut,
                End::Release => Attempt::Release,
                End::Dead => Attempt::Dead(failure()),
            };
            chosen.push((index, attempt));
        }
        chosen
    }

    /// A turn of the owner. `most` = `None` claims nothing.
    pub(super) async fn turn(&mut self, ends: Vec<(usize, Attempt)>, most: Option<u32>) -> Outcome {
        let now = self.world.now();
        let want = most.unwrap_or(0);
        let most = most.map(|_| self.model.budget.available(now, want).unwrap_or(0));
        let settlements: Vec<_> = ends
            .iter()
            .map(|(index, attempt)| Settlement {
                id: self.model.entries[*index].id.clone(),
                attempt: attempt.clone(),
            })
            .collect();
        let claim = most.map(|most| Claim { most });
        let owner = self.world.owner();
        let turn = self
            .world
            .lanes
            .turn(now, owner, MAX_ATTEMPTS, &settlements, claim);
        let turn = turn.await.unwrap();

        let mut settled = Vec::new();
        for (index, attempt) in ends {
            self.laws.landed(&self.model.entries[index].id);
            match attempt {
                Attempt::Sent(_) => self.model.end(index, &[SendStatus::Sent]),
                Attempt::Dead(_) => self.model.end(index, &[SendStatus::Failed]),
                Attempt::Release => self.model.release(index),
                Attempt::Retry(at, _) => self.model.retry(index, at, MAX_ATTEMPTS),
                Attempt::Silent(at, _) => {
                    self.model.entries[index].unsure = true;
                    self.model.retry(index, at, MAX_ATTEMPTS);
                }
                Attempt::Cut => {
                    self.model.entries[index].unsure = true;
                    self.model.release(index);
                }
            }
            let dead = self.model.entries[index].status() == SendStatus::Failed;
            settled.push(if dead { Settled::Dead } else { Settled::Done });
        }
        prop_assert_eq!(&turn.settled, &settled);
        if let Some(most) = most {
            self.model.fall_due();
            let claimed = self.model.claim(most);
            self.model
                .budget
                .spend(now, u32::try_from(claimed.len()).unwrap());
            self.claimed(&turn, &claimed)?;
            prop_assert!(
                turn.next_due.is_none_or(|due| due > now),
                "the owner would spin"
            );
        }
        prop_assert_eq!(turn.more, self.model.is_ready());
        prop_assert_eq!(turn.in_flight, self.model.flying.len() as u64);
        prop_assert_eq!(turn.paused_until, self.model.paused_until());
        Ok(())
    }

    fn claimed(&mut self, turn: &Turn, expected: &[usize]) -> Outcome {
        let ids: Vec<_> = turn.sends.iter().map(|send| &send.id).collect();
        let expected_ids: Vec<_> = expected
            .iter()
            .map(|i| &self.model.entries[*i].id)
            .collect();
        prop_assert_eq!(ids, expected_ids);
        for (send, index) in turn.sends.iter().zip(expected) {
            let entry = &self.model.entries[*index];
            prop_assert_eq!(send.attempt, entry.attempts);
            prop_assert_eq!(&send.wa_message_id, &entry.wa);
            let place = usize::try_from(entry.seq).unwrap();
            let limits = self.model.limits;
            self.laws
                .claimed(self.world.now(), send.to.as_str(), &send.id, place, limits)?;
        }
        Ok(())
    }

    pub(super) async fn lose_claim(&mut self, most: u32) -> Outcome {
        let now = self.world.now();
        let known = self.model.flying.clone();
        let busy: Vec<_> = known
            .iter()
            .map(|i| self.model.entries[*i].id.clone())
            .collect();
        let most = self.model.budget.available(now, most).unwrap_or(0);
        let lost = self
            .world
            .lanes
            .claim(now, self.world.owner(), Claim { most });
        lost.await.unwrap();
        let recovered = self
            .world
            .lanes
            .recover(now, self.world.owner(), CRASHES, &busy)
            .await
            .unwrap();
        self.model.fall_due();
        let claimed = self.model.claim(most);
        self.model
            .budget
            .spend(now, u32::try_from(claimed.len()).unwrap());
        prop_assert_eq!(recovered.returned, claimed.len() as u64);
        prop_assert_eq!(recovered.rate, self.model.budget.state());
        for index in claimed {
            self.model.release(index);
        }
        Ok(())
    }
}
