//! Sessions: making, finding, steering and pairing them.

pub(crate) mod account;
pub(crate) mod docs;
mod input;
pub(crate) mod pairing;
pub(crate) mod passkey;
pub(crate) mod picture;
mod served;

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use gateway_shared::domain::Session;
use gateway_shared::lane::{Hold, SessionRef};
use gateway_shared::proxy::Proxy;
use gateway_shared::session::{DesiredChange, KeptProxy, NewSession, SessionPatch};

use crate::access::{Caller, session_not_found};
use crate::error::{ApiError, Code};
use crate::once::Keyed;
use crate::page::Page;
use crate::request::{Named, read_body};
use crate::router::BASE;
use crate::state::App;

use input::Given;
pub(crate) use pairing::{me, pairing_code, qr};
pub(crate) use picture::svg_of;
use served::as_served;

/// `GET /sessions`: all of the organization that the caller may see, in one page.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
) -> Result<Json<Page<Session>>, ApiError> {
    let mut sessions = app.sessions.list(&caller.organization).await?;
    sessions.retain(|session| caller.sees(&session.id));
    let sessions = sessions.into_iter().map(|session| shown(&app, session));
    Ok(Json(Page::only(sessions.collect())))
}

/// `POST /sessions`.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
) -> Result<Response, ApiError> {
    if caller.sessions.is_some() {
        return Err(ApiError::new(
            Code::Forbidden,
            "a key confined to sessions can not create another one",
        )
        .with("requiredCapability", "manage"));
    }
    let keyed = Keyed::read(&app, &caller, request, input::new_session).await?;
    let (of, by) = (app.clone(), caller.clone());
    keyed
        .once(app, caller, |new| async move { make(&of, &by, &new).await })
        .await
}

/// Makes a session, and the answer that says so.
async fn make(app: &App, caller: &Caller, new: &Given<NewSession>) -> Result<Response, ApiError> {
    let proxy = new.proxy.as_ref().and_then(Option::as_ref);
    let new = &NewSession {
        proxy: proxy.map(|proxy| sealed(app, caller, proxy)).transpose()?,
        ..new.what.clone()
    };
    let session = app
        .sessions
        .create(app.now(), &caller.organization, new)
        .await?;
    tracing::info!(
        organization = %session.organization_id, session = %session.id, start = new.start,
        "session created"
    );
    let location = HeaderValue::from_str(&format!("{BASE}/sessions/{}", session.id));
    let mut response = (StatusCode::CREATED, Json(session)).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// `GET /sessions/{session}`.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
) -> Result<Json<Session>, ApiError> {
    found(&app, &caller.session(&session)?).await.map(Json)
}

/// `PATCH /sessions/{session}`: label, limits and habits.
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
    request: Request,
) -> Result<Json<Session>, ApiError> {
    let of = caller.session(&session)?;
    let given = read_body(&app, request, input::patch).await?;
    let seal = |proxy: &Option<Proxy>| {
        let proxy = proxy.as_ref();
        proxy.map(|proxy| sealed(&app, &caller, proxy)).transpose()
    };
    let patch = SessionPatch {
        proxy: given.proxy.as_ref().map(seal).transpose()?,
        ..given.what
    };
    let session = app.sessions.update(app.now(), &of, &patch).await?;
    let session = session.ok_or_else(session_not_found)?;
    Ok(Json(shown(&app, session)))
}

/// A proxy as it is kept: its credentials are in nothing that is read back.
fn sealed(app: &App, caller: &Caller, proxy: &Proxy) -> Result<KeptProxy, ApiError> {
    let sealed = proxy.seal(&app.keyring, &caller.organization);
    Ok(KeptProxy {
        shown: proxy.shown(),
        sealed: sealed
            .map_err(|error| ApiError::new(Code::Internal, "internal error").caused_by(error))?,
    })
}

/// `DELETE /sessions/{session}`: it logs out where it can, and all that belongs to it goes.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
) -> Result<StatusCode, ApiError> {
    let of = caller.session(&session)?;
    desired_change(&app, &of, DesiredChange::Delete).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /sessions/{session}:start`.
pub(crate) async fn start(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
    uri: OriginalUri,
) -> Result<Json<Session>, ApiError> {
    let of = caller.session(&session)?;
    if account::rebinds(&uri)? && !app.sessions.allow_rebind(app.now(), &of).await? {
        return Err(session_not_found());
    }
    act(&app, &caller, &session, DesiredChange::Start).await
}

/// `POST /sessions/{session}:stop`.
pub(crate) async fn stop(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
) -> Result<Json<Session>, ApiError> {
    act(&app, &caller, &session, DesiredChange::Stop).await
}

/// `POST /sessions/{session}:restart`.
pub(crate) async fn restart(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
) -> Result<Json<Session>, ApiError> {
    act(&app, &caller, &session, DesiredChange::Restart).await
}

/// `POST /sessions/{session}:logout`.
pub(crate) async fn logout(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
) -> Result<Json<Session>, ApiError> {
    act(&app, &caller, &session, DesiredChange::Logout).await
}

async fn act(
    app: &App,
    caller: &Caller,
    session: &str,
    wished: DesiredChange,
) -> Result<Json<Session>, ApiError> {
    let of = caller.session(session)?;
    desired_change(app, &of, wished).await?;
    found(app, &of).await.map(Json)
}

/// `POST /sessions/{session}:pause`: async sends are accepted and wait, synchronous ones are refused.
pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
    request: Request,
) -> Result<Json<Session>, ApiError> {
    let of = caller.session(&session)?;
    let reason = read_body(&app, request, input::pause_reason).await?;
    if !app.lanes.pause(app.now(), &of, None, &reason).await? {
        return Err(session_not_found());
    }
    tracing::info!(organization = %of.organization, session = %of.session, "lane paused");
    found(&app, &of).await.map(Json)
}

/// `POST /sessions/{session}:resume`.
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
) -> Result<Json<Session>, ApiError> {
    let of = caller.session(&session)?;
    if !app.lanes.resume(app.now(), &of).await? {
        return Err(session_not_found());
    }
    tracing::info!(organization = %of.organization, session = %of.session, "lane resumed");
    found(&app, &of).await.map(Json)
}

/// `GET /sessions/{session}/lane`: whether it is paused, rests or holds new chats, and what waits.
pub(crate) async fn lane(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
) -> Result<Json<Hold>, ApiError> {
    let of = caller.session(&session)?;
    found(&app, &of).await?;
    Ok(Json(app.lanes.standing(app.now(), &of).await?))
}

async fn desired_change(
    app: &App,
    of: &SessionRef,
    desired_change: DesiredChange,
) -> Result<(), ApiError> {
    if !app
        .sessions
        .desired_change(app.now(), of, desired_change)
        .await?
    {
        return Err(session_not_found());
    }
    tracing::info!(organization = %of.organization, session = %of.session, ?desired_change, "session changed");
    Ok(())
}

async fn found(app: &App, of: &SessionRef) -> Result<Session, ApiError> {
    let session = app.sessions.get(of).await?.ok_or_else(session_not_found)?;
    Ok(shown(app, session))
}

/// A session as it is shown: restrictions that have ended are past.
fn shown(app: &App, mut session: Session) -> Session {
    let now = app.now();
    session
        .restrictions
        .retain(|restriction| restriction.until.is_none_or(|until| until > now));
    as_served(app, session)
}
