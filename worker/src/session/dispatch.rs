//! From the lane to the link: one claimed send becomes one attempt.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway_shared::clock::{Clock, SystemClock};
use gateway_shared::lane::{Attempt, ClaimedSend, Epoch, Scope};

use super::presence::PresenceSettings;
use super::restrictions::Restrictions;
use super::timers::ChatTimers;
use super::{Owner, Runtime, Uploads};
use crate::engine::{Dispatch, LanePause, Verdict, Wire};
use crate::link::classify::Moment;
use crate::link::{LaneEffect, Link, SendPolicy};
use crate::pool::Liveness;

/// Sends what a lane gives it over a session's link.
#[derive(Debug)]
pub(super) struct LinkDispatch {
    link: Arc<Link>,
    presence: Arc<PresenceSettings>,
    restrictions: Arc<Restrictions>,
    timers: Arc<ChatTimers>,
    liveness: Liveness,
    clock: Arc<SystemClock>,
    policy: SendPolicy,
    uploads: Uploads,
    epoch: Epoch,
}

impl LinkDispatch {
    pub(super) fn new(
        runtime: &Runtime,
        owner: &Owner,
        link: Arc<Link>,
        presence: &Arc<PresenceSettings>,
        restrictions: &Arc<Restrictions>,
        timers: &Arc<ChatTimers>,
    ) -> Self {
        Self {
            link,
            presence: Arc::clone(presence),
            restrictions: Arc::clone(restrictions),
            timers: Arc::clone(timers),
            liveness: owner.liveness.clone(),
            clock: Arc::clone(&runtime.clock),
            policy: runtime.policy,
            uploads: runtime.uploads.clone(),
            epoch: owner.epoch,
        }
    }
}

impl Dispatch for LinkDispatch {
    fn dispatch(&self, send: ClaimedSend, wire: Wire) -> BoxFuture<'static, Verdict> {
        let (link, liveness) = (Arc::clone(&self.link), self.liveness.clone());
        let (clock, policy) = (Arc::clone(&self.clock), self.policy);
        let presence = Arc::clone(&self.presence);
        let (uploads, epoch) = (self.uploads.clone(), self.epoch);
        let restrictions = Arc::clone(&self.restrictions);
        let timers = Arc::clone(&self.timers);
        async move {
            wire.prepares();
            // Recorded before the first attempt: every attempt carries the same bytes.
            let files = match uploads.of(&link, epoch, &send).await {
                Ok(files) => files,
                Err(verdict) => return verdict,
            };
            presence.type_before(&link, &send).await;
            let disappears_after = timers.of(&link, &send).await;
            // The last look before the wire: a worker that was frozen finds its right expired.
            if !liveness.may_act() {
                return Verdict::released();
            }
            wire.opens();
            let outcome = link.send_with(&send, &files, disappears_after).await;
            let moment = Moment {
                now: clock.now(),
                attempt: send.attempt,
                random: rand::random(),
            };
            let verdict = policy.judge(&outcome, moment);
            tracing::debug!(
                request_id = send.request_id, organization = %send.from.organization,
                session = %send.from.session, outbox_id = %send.id, attempt = send.attempt,
                outcome = outcome.name(), "attempted"
            );
            let lane = restrictions.learn(&link, &outcome, verdict.lane).await;
            // What the lane waits for, this send waits for as well.
            let attempt = match (verdict.attempt, lane) {
                (Attempt::Retry(_, failure), LaneEffect::HoldNewChats { until }) => {
                    Attempt::Retry(until, failure)
                }
                (attempt, _) => attempt,
            };
            Verdict {
                attempt,
                pause: pause(lane),
            }
        }
        .boxed()
    }
}

fn pause(effect: LaneEffect) -> Option<LanePause> {
    match effect {
        LaneEffect::GoOn => None,
        LaneEffect::HoldNewChats { until } => Some(LanePause {
            scope: Scope::NewChats,
            until,
            reason: "reach_out_restriction".to_owned(),
        }),
        LaneEffect::Pause { until, reason } => Some(LanePause {
            scope: Scope::All,
            until,
            reason: reason.to_owned(),
        }),
    }
}
