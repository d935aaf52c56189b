//! Actions on a session, its lane and its sends.

use gateway_shared::lane::{Cancelled, Retried, SessionRef};
use gateway_shared::session::SessionPatch;

use super::act::Done;
use super::action::Action;
use crate::error::ApiError;
use crate::state::App;

pub(super) async fn on_session(
    app: &App,
    of: &SessionRef,
    action: Action,
) -> Result<Done, ApiError> {
    let now = app.now();
    let missing = || ApiError::not_found("session");
    let did = |done: bool, sentence: &str| {
        if done {
            Ok(Done::said(sentence))
        } else {
            Err(missing())
        }
    };
    match action {
        Action::PauseLane(_) => {
            let paused = app.lanes.pause(now, of, None, "by an operator").await?;
            did(paused, "Paused: sends are accepted and wait.")
        }
        Action::ResumeLane(_) => {
            if app.suspensions.has(&of.organization) {
                return Err(ApiError::conflict(
                    "organization_suspended",
                    "the organization is suspended: its lanes go on when it does",
                ));
            }
            did(
                app.lanes.resume(now, of).await?,
                "Resumed: what waited goes on.",
            )
        }
        Action::Change(_, change) => {
            let changed = app.sessions.desired_change(now, of, change).await?;
            let sentence = format!("Asked for: the session is to {}.", change.as_str());
            did(changed, &sentence)
        }
        Action::Limit(_, rate_per_min, rate_per_hour) => {
            let patch = SessionPatch {
                rate_per_min: Some(rate_per_min),
                rate_per_hour: Some(rate_per_hour),
                ..SessionPatch::default()
            };
            let changed = app.sessions.update(now, of, &patch).await?;
            did(changed.is_some(), "The limits hold from now on.")
        }
        Action::RetryMessage(_, id) => {
            let config = &app.config.send;
            let life = config.time_to_live_ms;
            let retried = app
                .lanes
                .retry(now, of, &id, life, config.max_lane_depth)
                .await?;
            match retried_or(retried) {
                Ok(()) => Ok(Done::said("It is queued once more.")),
                Err((_, error)) => Err(error),
            }
        }
        Action::CancelMessage(_, id) => match app.lanes.cancel(now, of, &id, None).await? {
            Cancelled::Done => Ok(Done::said("Cancelled: it will not be sent.")),
            Cancelled::NotFound => Err(ApiError::not_found("message")),
            Cancelled::InFlight => Err(ApiError::conflict("in_flight", "it is being sent")),
            Cancelled::AlreadyTerminal(status) => Err(ApiError::conflict(
                "already_terminal",
                format!("it has ended as {status}"),
            )),
        },
        Action::DiscardMessage(_, id) => {
            if app.lanes.discard(of, &id).await? {
                Ok(Done::said("It is off the list of dead letters."))
            } else {
                Err(ApiError::conflict("not_failed", "it is no dead letter"))
            }
        }
        // What it asks for is shown because it was recorded.
        Action::Reveal(..) => Ok(Done::said("Recorded in the audit log.")),
        // Those that are about the installation.
        _ => Err(ApiError::not_found("action")),
    }
}

/// Whether a send waits again; otherwise why not, shortly and as an answer.
pub(crate) fn retried_or(retried: Retried) -> Result<(), (&'static str, ApiError)> {
    let conflict =
        |reason: &'static str, message: String| Err((reason, ApiError::conflict(reason, message)));
    match retried {
        Retried::Queued => Ok(()),
        Retried::NotFound => Err(("not_found", ApiError::not_found("message"))),
        Retried::NotFailed(status) => conflict("not_failed", format!("it is {status}")),
        Retried::LoggedOut { .. } => conflict(
            "logged_out",
            "no number is paired with this session".to_owned(),
        ),
        Retried::AccountChanged => conflict(
            "account_changed",
            "another number is paired now; a send leaves only from the one it was accepted for"
                .to_owned(),
        ),
        Retried::LaneFull { depth } => conflict("lane_full", format!("{depth} sends wait already")),
    }
}
