//! What the outcome of an attempt means: for the send, and for its lane.
//!
//! # Codes of refusal
//! A refused message comes back as `<ack class="message" error="…">`. WhatsApp publishes no list;
//! this is what the library's and other clients' sources and users' reports say.
//!
//! | code | meaning | what we do |
//! |---|---|---|
//! | 400 | malformed stanza | dead: the same bytes would be refused again |
//! | 401, 403, 405, 406 | not allowed to write there (no member, announcements only, blocked) | dead |
//! | 404, 410 | no such recipient or group | dead |
//! | 408 | timed out on the server's side | retry |
//! | 421 | our view of the group's addressing (number or LID) is stale | retry, with the group and the devices asked for anew |
//! | 429 | `rate-overlimit` | back to its place, and the lane rests: nothing is wrong with the message |
//! | 463 | reach-out restriction, or no privacy token for a stranger: new chats are closed to us, known ones are not. Each try counts as another reach-out and makes it worse | hold, long |
//! | 475 | the cap on messages to new chats is reached | as 463 |
//! | 479 | a field of the stanza is invalid (addresses most of all) | dead: built from the same input, it would be so again |
//! | 487 … 499 | could not be parsed, is of no known kind, belongs to nothing known | dead |
//! | 500, 503, 552 and other 5xx | the server's own trouble | retry |
//! | 550, 551 | a revoke by an admin, a group by LID: not supported there | dead |
//! | other 4xx | ours to answer for, says the first digit | dead |
//! | anything else | unknown | retry, until the attempts are used up |
//!
//! A query that a send depends on (a group's members) can be refused too; its codes mean the same.

use std::time::Duration;

use gateway_shared::clock::Millis;
use gateway_shared::domain::SendFailure;
use gateway_shared::lane::Attempt;

use super::send::{NotSent, SendOutcome, Silence};
use crate::Backoff;

/// How attempts are spaced, and how long lanes rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendPolicy {
    /// Between two attempts.
    pub backoff: Backoff,
    /// How long a lane rests after `rate-overlimit`, in milliseconds, where WhatsApp does not say.
    pub overlimit_ms: u32,
    /// How long new chats rest after a reach-out restriction, in milliseconds.
    pub reach_out_ms: u32,
}

impl Default for SendPolicy {
    fn default() -> Self {
        Self {
            backoff: Backoff {
                base: Duration::from_secs(1),
                cap: Duration::from_secs(60),
            },
            overlimit_ms: 60_000,
            reach_out_ms: 3_600_000,
        }
    }
}

/// When an attempt ended, and as which.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// The present time.
    pub now: Millis,
    /// Which attempt it was; the first is 1.
    pub attempt: u32,
    /// A random number from 0 to 1, so that what failed together is not tried again together.
    pub random: f64,
}

/// How a lane goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneEffect {
    /// As before.
    GoOn,
    /// Nothing leaves before this time.
    Pause {
        /// When it goes on.
        until: Millis,
        /// `rate_overlimit`.
        reason: &'static str,
    },
    /// Chats that the session never wrote to wait until this time; the others go on.
    HoldNewChats {
        /// When they go on.
        until: Millis,
    },
}

/// What an outcome means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// For the send.
    pub attempt: Attempt,
    /// For its lane.
    pub lane: LaneEffect,
}

/// The kinds of refusal that the table above knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Permanent,
    Transient,
    Overlimit,
    ReachOut,
}

fn refusal(code: u16) -> Refusal {
    match code {
        429 => Refusal::Overlimit,
        463 | 475 => Refusal::ReachOut,
        408 | 421 => Refusal::Transient,
        400..=499 | 550 | 551 => Refusal::Permanent,
        _ => Refusal::Transient,
    }
}

impl SendPolicy {
    /// What `outcome` means at this moment.
    #[must_use]
    pub fn judge(&self, outcome: &SendOutcome, moment: Moment) -> Verdict {
        let go_on = |attempt| Verdict {
            attempt,
            lane: LaneEffect::GoOn,
        };
        match outcome {
            SendOutcome::Acked { at } => go_on(Attempt::Sent(*at)),
            SendOutcome::Nacked { code } => self.judge_code(*code, None, moment),
            SendOutcome::NotSent(NotSent::Refused { code, wait }) => {
                self.judge_code(*code, *wait, moment)
            }
            // Law 5: a lost connection costs no attempt. The id is pinned, so should the message
            // have arrived all the same, its repeat is the same message.
            SendOutcome::Unacked(Silence::LinkLost) => go_on(Attempt::Cut),
            SendOutcome::NotSent(NotSent::NotConnected) => go_on(Attempt::Release),
            SendOutcome::Unacked(Silence::Timeout) => {
                let (due, failure) =
                    self.again(moment, "WhatsApp did not acknowledge the message", None);
                go_on(Attempt::Silent(due, failure))
            }
            // Once more with the devices asked for anew; a recipient without any is none.
            SendOutcome::Unreached if moment.attempt == 1 => {
                let problem = "no device of the recipient could be encrypted for";
                let (due, failure) = self.again(moment, problem, None);
                go_on(Attempt::Retry(due, failure))
            }
            SendOutcome::Unreached => go_on(Attempt::Dead(SendFailure::new(
                "recipient_unreachable",
                "no device of the recipient could be encrypted for, so nobody would have received it",
            ))),
            SendOutcome::NotSent(NotSent::NotRegistered) => go_on(Attempt::Dead(SendFailure::new(
                "recipient_not_on_whatsapp",
                "the number is not on WhatsApp",
            ))),
            SendOutcome::NotSent(NotSent::Failed(_)) => {
                let (due, failure) = self.again(moment, "the message could not be prepared", None);
                go_on(Attempt::Retry(due, failure))
            }
            SendOutcome::NotSent(NotSent::NoAdmin) => go_on(Attempt::Dead(SendFailure::new(
                "not_group_admin",
                "only admins of a group can revoke what others wrote",
            ))),
            SendOutcome::NotSent(NotSent::Invalid(problem)) => go_on(Attempt::Dead(
                SendFailure::new("invalid_message", problem.clone()),
            )),
        }
    }

    fn judge_code(&self, code: u16, wait: Option<u32>, moment: Moment) -> Verdict {
        match refusal(code) {
            Refusal::Permanent => Verdict {
                attempt: Attempt::Dead(SendFailure::refused(code)),
                lane: LaneEffect::GoOn,
            },
            Refusal::Transient => {
                let problem = "WhatsApp could not take the message";
                let (due, failure) = self.again(moment, problem, Some(code));
                Verdict {
                    attempt: Attempt::Retry(due, failure),
                    lane: LaneEffect::GoOn,
                }
            }
            Refusal::Overlimit => {
                let rest = wait.map_or(Millis::from(self.overlimit_ms), |seconds| {
                    Millis::from(seconds) * 1_000
                });
                Verdict {
                    attempt: Attempt::Release,
                    lane: LaneEffect::Pause {
                        until: moment.now + jittered(rest, moment.random),
                        reason: "rate_overlimit",
                    },
                }
            }
            Refusal::ReachOut => {
                let until = moment.now + jittered(Millis::from(self.reach_out_ms), moment.random);
                Verdict {
                    attempt: Attempt::Retry(until, SendFailure::refused(code)),
                    lane: LaneEffect::HoldNewChats { until },
                }
            }
        }
    }

    /// When the next attempt is due, and what the sender sees if there is none.
    fn again(&self, moment: Moment, problem: &str, wa_code: Option<u16>) -> (Millis, SendFailure) {
        let wait = self.backoff.wait(moment.attempt, moment.random);
        let wait = Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX);
        let failure = SendFailure {
            wa_code,
            ..SendFailure::new("attempts_exhausted", problem)
        };
        (moment.now.saturating_add(wait), failure)
    }
}

/// From the whole of `delay` to a quarter more.
fn jittered(delay: Millis, random: f64) -> Millis {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "a delay of days is exact in an f64, and its fraction does not matter"
    )]
    let more = (delay as f64 * 0.25 * random.clamp(0.0, 1.0)) as Millis;
    delay + more
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Moment = Moment {
        now: 1_000_000,
        attempt: 1,
        random: 0.0,
    };

    fn judge(outcome: &SendOutcome) -> Verdict {
        SendPolicy::default().judge(outcome, FIRST)
    }

    fn nacked(code: u16) -> Verdict {
        judge(&SendOutcome::Nacked { code })
    }

    #[test]
    fn the_table_of_codes() {
        for code in [
            400, 401, 403, 404, 405, 406, 410, 479, 487, 488, 489, 490, 491, 493, 495, 496, 499,
            498, 550, 551,
        ] {
            let verdict = nacked(code);
            assert_eq!(verdict.attempt, Attempt::Dead(SendFailure::refused(code)));
            assert_eq!(verdict.lane, LaneEffect::GoOn);
        }
        for code in [408, 421, 500, 503, 504, 552, 599, 0, 999] {
            let verdict = nacked(code);
            let Attempt::Retry(at, failure) = verdict.attempt else {
                panic!("{code}: {:?}", verdict.attempt);
            };
            assert_eq!(at, 1_000_500, "half of a second is chance");
            assert_eq!(failure.code, "attempts_exhausted");
            assert_eq!(failure.wa_code, Some(code));
            assert_eq!(verdict.lane, LaneEffect::GoOn);
        }
    }

    #[test]
    fn over_the_limit_the_lane_rests_and_the_send_is_not_to_blame() {
        assert_eq!(
            nacked(429),
            Verdict {
                attempt: Attempt::Release,
                lane: LaneEffect::Pause {
                    until: 1_060_000,
                    reason: "rate_overlimit"
                }
            }
        );
        let emitted = judge(&SendOutcome::NotSent(NotSent::Refused {
            code: 429,
            wait: Some(5),
        }));
        assert_eq!(
            emitted.lane,
            LaneEffect::Pause {
                until: 1_005_000,
                reason: "rate_overlimit"
            }
        );
    }

    #[test]
    fn a_reach_out_restriction_holds_new_chats_only() {
        for code in [463, 475] {
            let verdict = nacked(code);
            let until = 1_000_000 + 3_600_000;
            assert_eq!(verdict.lane, LaneEffect::HoldNewChats { until });
            assert_eq!(
                verdict.attempt,
                Attempt::Retry(until, SendFailure::refused(code))
            );
        }
    }

    #[test]
    fn a_lost_link_costs_no_attempt() {
        for (outcome, attempt) in [
            (SendOutcome::Unacked(Silence::LinkLost), Attempt::Cut),
            (
                SendOutcome::NotSent(NotSent::NotConnected),
                Attempt::Release,
            ),
        ] {
            // Nothing that is written down: the lane goes on with the next connection.
            let verdict = judge(&outcome);
            assert_eq!(verdict.attempt, attempt);
            assert_eq!(verdict.lane, LaneEffect::GoOn);
        }
    }

    #[test]
    fn silence_and_trouble_are_tried_again() {
        let silent = judge(&SendOutcome::Unacked(Silence::Timeout)).attempt;
        assert!(matches!(silent, Attempt::Silent(..)), "it may have arrived");
        let failed = judge(&SendOutcome::NotSent(NotSent::Failed("x".into()))).attempt;
        assert!(matches!(failed, Attempt::Retry(..)));
    }

    #[test]
    fn what_can_not_be_built_is_dead() {
        let verdict = judge(&SendOutcome::NotSent(NotSent::Invalid("no".into())));
        assert_eq!(
            verdict.attempt,
            Attempt::Dead(SendFailure::new("invalid_message", "no"))
        );
    }

    #[test]
    fn an_ack_is_the_end_of_it() {
        let verdict = judge(&SendOutcome::Acked { at: 7 });
        assert_eq!(verdict.attempt, Attempt::Sent(7));
    }
}
