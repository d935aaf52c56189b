//! Every action of an operator: what it is, who may, what is recorded, and what it answers.

use std::sync::Arc;

use futures_util::future::try_join_all;
use gateway_shared::apikey::{Capabilities, NewApiKey};
use gateway_shared::domain::{
    ApiKeyId, DeliveryId, JobId, OrganizationId, OutboxId, SessionId, WebhookId, WorkerId,
};
use gateway_shared::lane::{Cancelled, Retried, SessionRef};
use gateway_shared::operator::{AuditEntry, Job, JobAction, JobFilter, Role};
use gateway_shared::organization::SUSPENDED;
use gateway_shared::session::{DesiredChange, SessionPatch};
use gateway_shared::webhooks::{Replayed, Resume, WebhookRef};

use super::jobs;
use crate::error::{ApiError, Code};
use crate::request::Problems;
use crate::state::App;

/// Lanes that are paused together.
const TOGETHER: usize = 100;
/// Dead deliveries that one action queues again.
const REPLAYED_AT_ONCE: usize = 5_000;
/// Above so many sends a job asks for the number to be typed.
pub(crate) const TYPED_ABOVE: u64 = 100;

/// An operator who acts.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) name: String,
    /// From which address, as far as it is known.
    pub(crate) from: String,
    pub(crate) role: Role,
}

/// What an operator can do.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Nothing leaves a session until its lane is resumed.
    PauseLane(SessionId),
    ResumeLane(SessionId),
    /// Start, stop, restart or log out a session.
    Change(SessionId, DesiredChange),
    /// Other limits a minute and an hour; 0 = unlimited.
    Limit(SessionId, u32, u32),
    RetryMessage(SessionId, OutboxId),
    CancelMessage(SessionId, OutboxId),
    DiscardMessage(SessionId, OutboxId),
    /// See the recipient and the body.
    Reveal(SessionId, OutboxId),
    /// Let a worker give its sessions to others, or take its share again.
    Drain(WorkerId, bool),
    /// One action on everything that matches. `typed` is the number that the operator typed.
    StartJob {
        action: JobAction,
        filter: JobFilter,
        typed: Option<u64>,
    },
    StopJob(JobId),
    ReplayDelivery(OrganizationId, WebhookId, DeliveryId),
    /// Deliver all dead letters of a webhook again.
    ReplayDead(OrganizationId, WebhookId),
    /// Deliver to a disabled webhook again, from where it stopped.
    ResumeWebhook(OrganizationId, WebhookId),
    CreateOrganization(String),
    /// Refuse an organization's keys and hold its sends, or let it go on.
    Suspend(OrganizationId, bool),
    /// A key that may do everything in an organization, for its first administrator.
    CreateKey(OrganizationId, String),
    RevokeKey(OrganizationId, ApiKeyId),
}

/// What an action did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// In one sentence, for people.
    pub(crate) sentence: String,
    /// The job that was begun.
    pub(crate) job: Option<Job>,
    /// The organization that was made.
    pub(crate) organization: Option<OrganizationId>,
    /// The API key that was made, shown this once.
    pub(crate) secret: Option<String>,
}

impl Done {
    fn said(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            ..Self::default()
        }
    }
}

impl Action {
    /// Its name in the audit log.
    fn name(&self) -> String {
        match self {
            Self::PauseLane(_) => "lane.pause".into(),
            Self::ResumeLane(_) => "lane.resume".into(),
            Self::Change(_, change) => format!("session.{}", change.as_str()),
            Self::Limit(..) => "session.limits".into(),
            Self::RetryMessage(..) => "message.retry".into(),
            Self::CancelMessage(..) => "message.cancel".into(),
            Self::DiscardMessage(..) => "message.discard".into(),
            Self::Reveal(..) => "message.reveal".into(),
            Self::Drain(_, true) => "worker.drain".into(),
            Self::Drain(_, false) => "worker.undrain".into(),
            Self::StartJob { action, .. } => format!("job.{}", action.as_str()),
            Self::StopJob(_) => "job.stop".into(),
            Self::ReplayDelivery(..) => "delivery.replay".into(),
            Self::ReplayDead(..) => "webhook.replay_dead".into(),
            Self::ResumeWebhook(..) => "webhook.resume".into(),
            Self::CreateOrganization(_) => "organization.create".into(),
            Self::Suspend(_, true) => "organization.suspend".into(),
            Self::Suspend(_, false) => "organization.unsuspend".into(),
            Self::CreateKey(..) => "key.create".into(),
            Self::RevokeKey(..) => "key.revoke".into(),
        }
    }

    /// What it is done to, in the audit log.
    fn target(&self) -> String {
        match self {
            Self::PauseLane(id)
            | Self::ResumeLane(id)
            | Self::Change(id, _)
            | Self::Limit(id, ..) => id.to_string(),
            Self::RetryMessage(session, id)
            | Self::CancelMessage(session, id)
            | Self::DiscardMessage(session, id)
            | Self::Reveal(session, id) => format!("{session} {id}"),
            Self::Drain(id, _) => id.to_string(),
            Self::StartJob { filter, .. } => serde_json::to_string(filter).unwrap_or_default(),
            Self::StopJob(id) => id.to_string(),
            Self::ReplayDelivery(_, webhook, id) => format!("{webhook} {id}"),
            Self::ReplayDead(_, id) | Self::ResumeWebhook(_, id) => id.to_string(),
            Self::CreateOrganization(name) => name.clone(),
            Self::Suspend(id, _) | Self::CreateKey(id, _) => id.to_string(),
            Self::RevokeKey(_, id) => id.to_string(),
        }
    }

    fn session(&self) -> Option<&SessionId> {
        match self {
            Self::PauseLane(id)
            | Self::ResumeLane(id)
            | Self::Change(id, _)
            | Self::Limit(id, ..)
            | Self::RetryMessage(id, _)
            | Self::CancelMessage(id, _)
            | Self::DiscardMessage(id, _)
            | Self::Reveal(id, _) => Some(id),
            _ => None,
        }
    }
}

/// Does something, unless the actor is a viewer. It is in the audit log before it is done: what can not be
/// recorded is not done.
///
/// # Errors
/// 403 for a viewer, 404 where there is no such thing, 400 and 409 where it can not be done; nothing was
/// done then. 503 when Redis does not answer; it may have been done.
pub(crate) async fn act(app: &Arc<App>, actor: &Actor, action: Action) -> Result<Done, ApiError> {
    if actor.role != Role::Admin {
        return Err(
            ApiError::new(Code::Forbidden, "a viewer sees and changes nothing")
                .with("requiredCapability", "super_admin"),
        );
    }
    let of = match action.session() {
        Some(session) => Some(session_of(app, session).await?),
        None => None,
    };
    let before = before(app, &action, of.as_ref()).await?;
    let entry = AuditEntry {
        operator: &actor.name,
        from: &actor.from,
        action: &action.name(),
        target: &action.target(),
        detail: &before,
    };
    app.operators.audit(entry).await?;
    let done = match of {
        Some(of) => on_session(app, &of, action).await,
        None => on_installation(app, actor, action).await,
    };
    app.censuses.forget();
    done
}

/// The session of this id, whosever it is.
///
/// # Errors
/// 404 where there is none.
pub(crate) async fn session_of(app: &App, session: &SessionId) -> Result<SessionRef, ApiError> {
    let organization = app.registry.organization_of(session).await?;
    let organization = organization.ok_or_else(|| ApiError::not_found("session"))?;
    Ok(SessionRef {
        organization,
        session: session.clone(),
    })
}

/// What is there before an action, and what will be, for the audit log.
async fn before(app: &App, action: &Action, of: Option<&SessionRef>) -> Result<String, ApiError> {
    let Some(of) = of else {
        return Ok(match action {
            Action::StartJob { typed, .. } => {
                typed.map_or_else(String::new, |typed| format!("typed {typed}"))
            }
            Action::CreateKey(_, name) => name.clone(),
            _ => String::new(),
        });
    };
    if let Action::RetryMessage(_, id)
    | Action::CancelMessage(_, id)
    | Action::DiscardMessage(_, id) = action
    {
        let entry = app.lanes.entry(of, id).await?;
        let entry = entry.ok_or_else(|| ApiError::not_found("message"))?;
        let code = entry.error.map(|error| format!(" ({})", error.code));
        return Ok(format!("was {}{}", entry.status, code.unwrap_or_default()));
    }
    let session = app.sessions.get(of).await?;
    let session = session.ok_or_else(|| ApiError::not_found("session"))?;
    Ok(match action {
        Action::PauseLane(_) | Action::ResumeLane(_) => {
            format!(
                "was {}",
                if session.paused {
                    "paused"
                } else {
                    "not paused"
                }
            )
        }
        Action::Limit(_, minute, hour) => format!(
            "was {} a minute and {} an hour, becomes {minute} and {hour}",
            session.limits.rate_per_min, session.limits.rate_per_hour
        ),
        Action::Change(..) => format!("was {}", session.status),
        _ => String::new(),
    })
}

async fn on_session(app: &App, of: &SessionRef, action: Action) -> Result<Done, ApiError> {
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
            let sentence = format!("The session was told to {}.", change.as_str());
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
        _ => Ok(Done::said("Recorded in the audit log.")),
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

async fn on_installation(app: &Arc<App>, actor: &Actor, action: Action) -> Result<Done, ApiError> {
    let now = app.now();
    match action {
        Action::Drain(worker, drain) => {
            if !app.registry.drain(&worker, drain).await? {
                return Err(ApiError::not_found("worker"));
            }
            Ok(Done::said(if drain {
                "It gives its sessions to the other workers and takes none."
            } else {
                "It takes its share of sessions again."
            }))
        }
        Action::StartJob {
            action,
            filter,
            typed,
        } => jobs::begin(app, actor, action, filter, typed).await,
        Action::StopJob(id) => {
            if app.operators.stop_job(&id).await? {
                return Ok(Done::said("It stops before its next step."));
            }
            match app.operators.job(&id).await? {
                Some(_) => Err(ApiError::conflict("already_ended", "it has ended")),
                None => Err(ApiError::not_found("job")),
            }
        }
        Action::ReplayDelivery(organization, webhook, id) => {
            let of = webhook_of(app, organization, webhook).await?;
            let queued = app
                .webhooks
                .replay(&of, std::slice::from_ref(&id), app.config.webhooks.max_held)
                .await?;
            app.webhooks.announce(&of).await?;
            match queued {
                Replayed::Queued(0) => Err(ApiError::not_found("delivery")),
                Replayed::Queued(_) => Ok(Done::said("It is delivered again.")),
                Replayed::NotFound => Err(ApiError::not_found("webhook")),
                Replayed::Full => Err(too_many_held()),
            }
        }
        Action::ReplayDead(organization, webhook) => {
            let of = webhook_of(app, organization, webhook).await?;
            let mut replayed = 0;
            while replayed < REPLAYED_AT_ONCE {
                let ids = app.webhooks.dead_between(&of, 0, now, 200).await?;
                if ids.is_empty() {
                    break;
                }
                let most = app.config.webhooks.max_held;
                match app.webhooks.replay(&of, &ids, most).await? {
                    Replayed::Queued(queued) => replayed += queued,
                    Replayed::NotFound => return Err(ApiError::not_found("webhook")),
                    Replayed::Full if replayed == 0 => return Err(too_many_held()),
                    Replayed::Full => break,
                }
            }
            app.webhooks.announce(&of).await?;
            Ok(Done::said(format!("{replayed} deliveries are made again.")))
        }
        Action::ResumeWebhook(organization, webhook) => {
            let of = webhook_of(app, organization, webhook).await?;
            if !app.webhooks.resume(&of, Resume::Stopped).await? {
                return Err(ApiError::not_found("webhook"));
            }
            Ok(Done::said("It goes on where it stopped."))
        }
        Action::CreateOrganization(name) => {
            let name = legible_name(&name)?;
            if app.organizations.named(&name).await?.is_some() {
                return Err(ApiError::conflict(
                    "name_taken",
                    "there is an organization of this name",
                ));
            }
            let made = app.organizations.named_or_new(now, &name).await?;
            Ok(Done {
                organization: Some(made.id),
                ..Done::said("The organization was made. It needs a key.")
            })
        }
        Action::Suspend(organization, suspend) => self::suspend(app, &organization, suspend).await,
        Action::CreateKey(organization, name) => {
            if app.organizations.get(&organization).await?.is_none() {
                return Err(ApiError::not_found("organization"));
            }
            let new = NewApiKey {
                organization,
                name: if name.trim().is_empty() {
                    String::new()
                } else {
                    legible_name(&name)?
                },
                capabilities: Capabilities::all(),
                sessions: None,
                expires_at: None,
            };
            let (secret, _) = app.keys.create(now, new).await?;
            Ok(Done {
                secret: Some(secret.reveal().to_owned()),
                ..Done::said("The key was made. It is shown this once.")
            })
        }
        Action::RevokeKey(organization, id) => {
            let revoked = app.keys.revoke(&organization, &id).await?;
            let hash = revoked.ok_or_else(|| ApiError::not_found("API key"))?;
            app.authenticators.keys().changed(hash.as_str());
            Ok(Done::said("Revoked: it is refused from now on."))
        }
        _ => Err(ApiError::not_found("action")),
    }
}

/// A name of 1 to 200 characters, none of them a control character.
fn legible_name(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    let legible = (1..=200).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if legible {
        return Ok(name.to_owned());
    }
    let mut problems = Problems::default();
    problems.add("name", "must be 1 to 200 characters in one line");
    Err(ApiError::validation(&problems))
}

fn too_many_held() -> ApiError {
    ApiError::conflict(
        "too_many_held",
        "too many deliveries of this webhook wait already; try again when they are done",
    )
}

async fn webhook_of(
    app: &App,
    organization: OrganizationId,
    webhook: WebhookId,
) -> Result<WebhookRef, ApiError> {
    let of = WebhookRef {
        organization,
        webhook,
    };
    match app.webhooks.get(&of).await? {
        Some(_) => Ok(of),
        None => Err(ApiError::not_found("webhook")),
    }
}

/// Refuses the keys first and then pauses the lanes; lets the lanes go on first and then the keys. What a
/// crash cuts short, a repeat finishes.
async fn suspend(
    app: &App,
    organization: &OrganizationId,
    suspend: bool,
) -> Result<Done, ApiError> {
    let now = app.now();
    if suspend && !app.organizations.suspend(now, organization, true).await? {
        return Err(ApiError::not_found("organization"));
    }
    app.suspensions.look(&app.organizations).await;
    let sessions = app.sessions.list(organization).await?;
    let mut changed = 0;
    for some in sessions.chunks(TOGETHER) {
        let steps = some.iter().map(async |session| {
            let of = SessionRef {
                organization: organization.clone(),
                session: session.id.clone(),
            };
            let standing = app.lanes.standing(now, &of).await?;
            let ours = standing.pause_reason.as_deref() == Some(SUSPENDED);
            Ok::<_, ApiError>(match suspend {
                true if !standing.paused => app.lanes.pause(now, &of, None, SUSPENDED).await?,
                false if standing.paused && ours => app.lanes.resume(now, &of).await?,
                _ => false,
            })
        });
        let steps = try_join_all(steps).await?;
        changed += steps.into_iter().filter(|changed| *changed).count();
    }
    if !suspend && !app.organizations.suspend(now, organization, false).await? {
        return Err(ApiError::not_found("organization"));
    }
    app.suspensions.look(&app.organizations).await;
    Ok(Done::said(if suspend {
        format!("Suspended: its keys are refused and the sends of {changed} sessions wait.")
    } else {
        format!("It goes on, with {changed} sessions.")
    }))
}
