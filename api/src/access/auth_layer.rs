//! The gate before a route: who calls, and whether they may.

use std::sync::Arc;

use axum::RequestExt;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gateway_shared::domain::{OrganizationId, SessionId};

use super::{Caller, Requirement, Token};
use crate::error::{ApiError, Code};
use crate::events::ticket;
use crate::quota::Allowance;
use crate::request::Problems;
use crate::state::App;

/// The header by which an operator chooses the organization to act for.
pub(crate) const ORGANIZATION: &str = "x-organization-id";

/// What a route asks of its callers.
#[derive(Debug, Clone)]
pub(crate) struct AuthLayer {
    /// The process.
    pub(crate) app: Arc<App>,
    /// What its callers need.
    pub(crate) need: Requirement,
}

/// Lets a request through with its [`Caller`](super::Caller) and the [`Allowance`] of its organization
/// as extensions, or answers 401, 403, 429, or 503 where it can not be told.
pub(crate) async fn admit(
    State(gate): State<AuthLayer>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(foreign) = gate.app.installation.foreign() {
        return ApiError::from(foreign).into_response();
    }
    let token = match Token::of(request.headers()) {
        Some(token) => Some(token),
        None => match ticket::redeem(&gate.app, &mut request).await {
            Ok(token) => token,
            Err(failure) => return ApiError::from(failure).into_response(),
        },
    };
    let Some(token) = token else {
        return unauthorized("a token is needed: Authorization: Bearer <token>, or x-api-key")
            .into_response();
    };
    let caller = match gate.app.authenticators.authenticate(&token).await {
        Ok(Some(caller)) => caller,
        Ok(None) => {
            return unauthorized("the token is unknown, expired or revoked").into_response();
        }
        Err(failure) => return ApiError::from(failure).into_response(),
    };
    let caller = match placed(&gate, caller, &mut request).await {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    if !caller.operator && gate.app.suspensions.has(&caller.organization) {
        return ApiError::new(
            Code::Forbidden,
            "the organization is suspended; ask the operators of the gateway",
        )
        .with("reason", "organization_suspended")
        .into_response();
    }
    match gate.app.quotas.request(&caller.organization) {
        Ok(allowance) => request.extensions_mut().insert::<Allowance>(allowance),
        Err(error) => return error.into_response(),
    };
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(token);
    next.run(request).await
}

/// The caller in the organization that this request is about, if it may use the route. Operators
/// act for whichever organization the session in the path is of, or the header names.
async fn placed(
    gate: &AuthLayer,
    mut caller: Arc<Caller>,
    request: &mut Request,
) -> Result<Arc<Caller>, ApiError> {
    caller.require(gate.need)?;
    if !matches!(gate.need, Requirement::AnyOf(_)) {
        return Ok(caller);
    }
    if caller.operator
        && let Some(organization) = chosen(gate, request).await?
    {
        caller = Arc::new(Caller {
            organization,
            has_organization: true,
            ..Caller::clone(&caller)
        });
    }
    if !caller.has_organization {
        return Err(ApiError::new(
            Code::Forbidden,
            "this login acts for no organization: choose one first",
        )
        .with("reason", "no_active_organization")
        .with(
            "requiredCapability",
            gate.need.names().first().copied().unwrap_or_default(),
        ));
    }
    Ok(caller)
}

/// The organization that an operator's request is about.
async fn chosen(
    gate: &AuthLayer,
    request: &mut Request,
) -> Result<Option<OrganizationId>, ApiError> {
    let params: Option<RawPathParams> = request.extract_parts().await.ok();
    let session = params.as_ref().and_then(|params| {
        let (_, text) = params.iter().find(|(name, _)| *name == "session")?;
        text.split(':').next()?.parse::<SessionId>().ok()
    });
    if let Some(session) = session {
        return Ok(gate.app.registry.organization_of(&session).await?);
    }
    let Some(header) = request.headers().get(ORGANIZATION) else {
        return Ok(None);
    };
    let named = header.to_str().ok().and_then(|text| text.parse().ok());
    named.map(Some).ok_or_else(|| {
        let mut problems = Problems::default();
        problems.add("X-Organization-Id", "must be the id of an organization");
        ApiError::validation(&problems)
    })
}

fn unauthorized(message: &'static str) -> ApiError {
    ApiError::new(Code::Unauthorized, message)
}
