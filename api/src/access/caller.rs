//! A caller whose token was accepted.

use gateway_shared::apikey::{ApiKey, Capabilities};
use gateway_shared::clock::Millis;
use gateway_shared::domain::{OrganizationId, SessionId};
use gateway_shared::lane::SessionRef;
use sha2::{Digest, Sha256};

use super::Requirement;
use crate::error::{ApiError, Code};

/// A caller: for whom it acts and what it may do.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The organization it acts for.
    pub(crate) organization: OrganizationId,
    /// Whether it chose one: a login without an active organization acts for none.
    pub(crate) has_organization: bool,
    /// What it may do.
    pub(crate) capabilities: Capabilities,
    /// The sessions it is confined to; `None` = all of the organization.
    pub(crate) sessions: Option<Vec<SessionId>>,
    /// When its token ends by itself.
    pub(crate) expires_at: Option<Millis>,
    /// Whether it is an operator of the installation.
    pub(crate) operator: bool,
    /// Who it is, for the audit log: the subject of a login, the id of a key.
    pub(crate) name: String,
    /// Whether it came with an API key, as opposed to a login.
    pub(crate) is_key: bool,
}

impl Caller {
    /// Fails unless the caller may use a route that asks for this.
    ///
    /// # Errors
    /// 403, naming the first thing that would do.
    pub(crate) fn require(&self, need: Requirement) -> Result<(), ApiError> {
        let may = match need {
            Requirement::Nothing => true,
            Requirement::AnyOf(any_of) => any_of.iter().any(|one| self.capabilities.has(*one)),
            Requirement::Operator => self.operator,
        };
        if may {
            return Ok(());
        }
        let named = need.names().first().copied().unwrap_or_default();
        Err(ApiError::new(
            Code::Forbidden,
            format!("this needs the capability {named}"),
        )
        .with("requiredCapability", named))
    }

    /// The session that a path names, as far as this caller may see it. Whether it exists shows
    /// when its record is asked for, which is in the caller's own organization only.
    ///
    /// # Errors
    /// 404 for what is no session id, and for a session outside the caller's scope.
    pub(crate) fn session(&self, text: &str) -> Result<SessionRef, ApiError> {
        let session: SessionId = text.parse().map_err(|_| session_not_found())?;
        if !self.sees(&session) {
            return Err(session_not_found());
        }
        Ok(SessionRef {
            organization: self.organization.clone(),
            session,
        })
    }

    /// What its idempotency keys are told apart by within the organization: those of a caller who is
    /// confined to sessions are not those of others.
    pub(crate) fn idempotency_scope(&self) -> IdempotencyScope {
        let mut sessions: Vec<&str> = self
            .sessions
            .iter()
            .flatten()
            .map(SessionId::as_str)
            .collect();
        sessions.sort_unstable();
        sessions.dedup();
        IdempotencyScope(sessions.join(","))
    }

    /// Whether a session is in the caller's scope.
    pub(crate) fn sees(&self, session: &SessionId) -> bool {
        self.sessions
            .as_ref()
            .is_none_or(|scope| scope.contains(session))
    }
}

/// To whom an idempotency key belongs within an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyScope(String);

impl IdempotencyScope {
    /// The hash by which Redis knows a key of this scope.
    pub(crate) fn hash(&self, key: &str) -> String {
        if self.0.is_empty() {
            return hex::encode(Sha256::digest(key));
        }
        // No key of a client's has a line end.
        hex::encode(Sha256::digest(format!("{}\n{key}", self.0)))
    }
}

/// There is no such session, as far as the caller can know.
pub(crate) fn session_not_found() -> ApiError {
    ApiError::not_found("session")
}

impl From<ApiKey> for Caller {
    fn from(key: ApiKey) -> Self {
        Self {
            name: key.id.to_string(),
            organization: key.organization,
            has_organization: true,
            capabilities: key.capabilities,
            sessions: key.sessions,
            expires_at: key.expires_at,
            operator: false,
            is_key: true,
        }
    }
}
