//! Actions on workers, jobs, webhooks, organizations and keys.

use std::sync::Arc;

use futures_util::future::try_join_all;
use gateway_shared::apikey::{Capabilities, NewApiKey};
use gateway_shared::domain::{OrganizationId, WebhookId};
use gateway_shared::lane::SessionRef;
use gateway_shared::organization::SUSPENDED;
use gateway_shared::webhooks::{Resume, Webhook, WebhookRef};

use super::act::{Actor, Done};
use super::action::Action;
use super::jobs;
use crate::error::ApiError;
use crate::request::Problems;
use crate::state::App;
use crate::webhooks::{replay_dead, replay_one};

/// Lanes that are paused together.
const TOGETHER: usize = 100;

pub(super) async fn on_installation(
    app: &Arc<App>,
    actor: &Actor,
    action: Action,
) -> Result<Done, ApiError> {
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
            let (of, webhook) = webhook_of(app, organization, webhook).await?;
            replay_one(app, &of, &webhook, &id).await?;
            Ok(Done::said("It is delivered again."))
        }
        Action::ReplayDead(organization, webhook) => {
            let (of, webhook) = webhook_of(app, organization, webhook).await?;
            let replayed = replay_dead(app, &of, &webhook, 0, now).await?;
            Ok(Done::said(format!(
                "{} deliveries are made again{}.",
                replayed.replayed,
                if replayed.more {
                    ", and more are left"
                } else {
                    ""
                }
            )))
        }
        Action::ResumeWebhook(organization, webhook) => {
            let (of, _) = webhook_of(app, organization, webhook).await?;
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

async fn webhook_of(
    app: &App,
    organization: OrganizationId,
    webhook: WebhookId,
) -> Result<(WebhookRef, Webhook), ApiError> {
    let of = WebhookRef {
        organization,
        webhook,
    };
    match app.webhooks.get(&of).await? {
        Some((webhook, _)) => Ok((of, webhook)),
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
        format!(
            "Suspended: its keys are refused, by every process within two seconds, and the sends of {changed} sessions wait."
        )
    } else {
        format!("It goes on, with {changed} sessions.")
    }))
}
