//! The forms of everything that changes something. What they do is checked and recorded by
//! [`crate::control`].

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use gateway_shared::operator::{JobAction, JobFilter};
use gateway_shared::session::DesiredChange;
use serde::Deserialize;

use super::access::{Present, said};
use super::{Failure, organizations, story};
use crate::control::act::session_of;
use crate::control::{Action, act};
use crate::state::App;

/// What the forms send.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Order {
    csrf: String,
    action: String,
    session: String,
    outbox: String,
    worker: String,
    organization: String,
    webhook: String,
    delivery: String,
    key: String,
    job: String,
    name: String,
    per_min: String,
    per_hour: String,
    since: String,
    typed: String,
}

/// A field that must be there.
fn wanted<T: FromStr>(text: &str, what: &str) -> Result<T, Failure> {
    text.trim().parse().map_err(|_| Failure::missing(what))
}

/// A field that may be there.
fn optional<T: FromStr>(text: &str, what: &str) -> Result<Option<T>, Failure> {
    match text.trim() {
        "" => Ok(None),
        text => wanted(text, what).map(Some),
    }
}

impl Order {
    /// What is asked for, and the page that shows its effect.
    fn read(&self) -> Result<(Action, String), Failure> {
        let session = || wanted(&self.session, "session");
        let outbox = || wanted(&self.outbox, "message");
        let organization = || wanted(&self.organization, "organization");
        let webhook = || wanted(&self.webhook, "webhook");
        let session_page = format!("/ops/sessions/{}", self.session.trim());
        let message_page = format!(
            "/ops/messages/{}/{}",
            self.session.trim(),
            self.outbox.trim()
        );
        let webhook_page = format!(
            "/ops/webhooks/{}/{}",
            self.organization.trim(),
            self.webhook.trim()
        );
        let organization_page = format!("/ops/organizations/{}", self.organization.trim());
        let job = |action: JobAction| -> Result<(Action, String), Failure> {
            let filter = JobFilter {
                organization: optional(&self.organization, "organization")?,
                session: optional(&self.session, "session")?,
                code: None,
                since: optional(&self.since, "moment")?,
                until: None,
            };
            let typed = optional(&self.typed, "number")?;
            Ok((
                Action::StartJob {
                    action,
                    filter,
                    typed,
                },
                "/ops/jobs".to_owned(),
            ))
        };
        let change = |change| Ok((Action::Change(session()?, change), session_page.clone()));
        let limit = |text: &str| {
            text.trim()
                .parse()
                .ok()
                .filter(|limit: &u32| *limit <= 1_000_000)
                .ok_or_else(|| {
                    Failure::bad(
                        "A limit is a number of sends up to 1,000,000",
                        "Nothing was done. 0 is unlimited.",
                    )
                })
        };
        Ok(match self.action.as_str() {
            "lane.pause" => (Action::PauseLane(session()?), session_page),
            "lane.resume" => (Action::ResumeLane(session()?), session_page),
            "session.start" => return change(DesiredChange::Start),
            "session.stop" => return change(DesiredChange::Stop),
            "session.restart" => return change(DesiredChange::Restart),
            "session.logout" => return change(DesiredChange::Logout),
            "session.limits" => (
                Action::Limit(session()?, limit(&self.per_min)?, limit(&self.per_hour)?),
                session_page,
            ),
            "message.retry" => (Action::RetryMessage(session()?, outbox()?), message_page),
            "message.cancel" => (Action::CancelMessage(session()?, outbox()?), message_page),
            "message.discard" => (Action::DiscardMessage(session()?, outbox()?), message_page),
            "message.reveal" => (Action::Reveal(session()?, outbox()?), message_page),
            "worker.drain" | "worker.undrain" => {
                let worker = wanted(&self.worker, "worker")?;
                let drain = self.action == "worker.drain";
                (Action::Drain(worker, drain), "/ops/workers".to_owned())
            }
            "job.retry" => return job(JobAction::Retry),
            "job.discard" => return job(JobAction::Discard),
            "job.cancel" => return job(JobAction::Cancel),
            "job.stop" => {
                let page = format!("/ops/jobs/{}", self.job.trim());
                (Action::StopJob(wanted(&self.job, "job")?), page)
            }
            "delivery.replay" => {
                let delivery = wanted(&self.delivery, "delivery")?;
                (
                    Action::ReplayDelivery(organization()?, webhook()?, delivery),
                    webhook_page,
                )
            }
            "webhook.replay_dead" => (
                Action::ReplayDead(organization()?, webhook()?),
                webhook_page,
            ),
            "webhook.resume" => (
                Action::ResumeWebhook(organization()?, webhook()?),
                webhook_page,
            ),
            "organization.create" => (
                Action::CreateOrganization(self.name.clone()),
                "/ops/organizations".to_owned(),
            ),
            "organization.suspend" => (Action::Suspend(organization()?, true), organization_page),
            "organization.unsuspend" => {
                (Action::Suspend(organization()?, false), organization_page)
            }
            "key.create" => (
                Action::CreateKey(organization()?, self.name.clone()),
                organization_page,
            ),
            "key.revoke" => (
                Action::RevokeKey(organization()?, wanted(&self.key, "key")?),
                organization_page,
            ),
            _ => return Err(Failure::bad("There is no such action", "Nothing was done.")),
        })
    }
}

/// `POST /ops/actions`.
pub(super) async fn act_on(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Form(order): Form<Order>,
) -> Result<Response, Failure> {
    who.check(&order.csrf)?;
    if !who.may_act() {
        return Err(Failure::refused(
            "A viewer sees and changes nothing",
            "Nothing was done. Ask somebody with an admin key.",
        ));
    }
    let (action, page) = order.read()?;
    let revealing = match &action {
        Action::Reveal(session, outbox) => Some((session.clone(), outbox.clone())),
        _ => None,
    };
    let key_of = match &action {
        Action::CreateKey(organization, _) => Some(organization.clone()),
        _ => None,
    };
    let done = act(&app, &who.actor(), action).await?;
    // What is shown once is the answer itself: no address, no cookie holds it.
    if let Some((session, outbox)) = revealing {
        let of = session_of(&app, &session).await?;
        let page = story::of_message(&app, &who, &of, outbox.as_str(), true).await?;
        return Ok(page.into_response());
    }
    if let (Some(secret), Some(organization)) = (&done.secret, key_of) {
        let page = organizations::of_organization(&app, &who, &organization, Some(secret)).await?;
        return Ok(page.into_response());
    }
    let page = match (&done.job, &done.organization) {
        (Some(job), _) => format!("/ops/jobs/{}", job.id),
        (None, Some(organization)) => format!("/ops/organizations/{organization}"),
        (None, None) => page,
    };
    let cookie = said(&done.sentence);
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&page)).into_response())
}
