//! An operator acts: who may, what is recorded, and what it answers.

use std::sync::Arc;

use gateway_shared::domain::{OrganizationId, SessionId};
use gateway_shared::lane::SessionRef;
use gateway_shared::operator::{AuditEntry, Job, Role};

use super::action::Action;
use super::on_installation::on_installation;
use super::on_session::on_session;
use crate::error::{ApiError, Code};
use crate::state::App;

/// An operator who acts.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) name: String,
    /// From which address, as far as it is known.
    pub(crate) from: String,
    pub(crate) role: Role,
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
    pub(super) fn said(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            ..Self::default()
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
