//! A page with which somebody links a phone to a session, behind a one-time address.
//!
//! Whoever holds the address needs no key: it is worth one pairing, for some minutes. The page shows
//! the QR code or a code to type, follows what happens, helps with a passkey where WhatsApp asks for
//! one, and says when the phone is linked. It loads nothing from elsewhere.

pub(crate) mod docs;
mod page;

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::header::{CACHE_CONTROL, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use gateway_shared::clock::Millis;
use gateway_shared::domain::SessionStatus;
use gateway_shared::lane::SessionRef;
use gateway_shared::session::{DesiredChange, LinkToken, LinkTokens, SessionRecord};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::access::{Caller, session_not_found};
use crate::error::{ApiError, Code};
use crate::request::{Fields, Named, Problems, RequestId, read_body};
use crate::sessions::{account, pairing, passkey, picture};
use crate::state::App;

type Shared = State<Arc<App>>;

/// How long an address is good: unless said otherwise, and for the least and the most.
const EXPIRES_MS: Millis = 15 * 60_000;
const EXPIRY_MS: std::ops::RangeInclusive<i64> = 60_000..=24 * 3_600_000;

/// An address to link a phone with.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkAddress {
    /// The page.
    url: String,
    /// Until when it is good.
    expires_at: Millis,
}

/// Where a pairing stands, for the page.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkState {
    /// `waiting`, `qr`, `passkey`, `confirm`, `linked` or `failed`.
    status: &'static str,
    /// What is the matter, for people.
    message: Option<String>,
    /// The QR code as a picture (SVG).
    qr: Option<String>,
    /// WebAuthn request options of a passkey that WhatsApp asks for.
    passkey: Option<Value>,
    /// A code that the phone must show as well.
    code: Option<String>,
    /// How long what is shown is good, in milliseconds from now.
    left_ms: Option<Millis>,
    /// The number that was linked.
    phone: Option<String>,
}

/// `POST /sessions/{session}:link`: makes an address, and starts the session if it does not run.
pub(crate) async fn create(
    State(app): Shared,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
    uri: OriginalUri,
    headers: HeaderMap,
    request: Request,
) -> Result<(StatusCode, Json<LinkAddress>), ApiError> {
    let of = caller.session(&session)?;
    let rebinds = account::rebinds(&uri)?;
    let life = read_body(&app, request, life).await?;
    let record = pairing::unpaired(&app, &of).await?;
    if rebinds && !app.sessions.allow_rebind(app.now(), &of).await? {
        return Err(session_not_found());
    }
    if !matches!(
        record.session.status,
        SessionStatus::ScanQrCode | SessionStatus::PasskeyRequired
    ) {
        let now = app.now();
        app.sessions
            .desired_change(now, &of, DesiredChange::Start)
            .await?;
    }
    let expires_at = app.now().saturating_add(life);
    let tokens = LinkTokens::new(app.store.clone());
    let token = tokens.create(app.now(), &of, expires_at).await?;
    tracing::info!(organization = %of.organization, session = %of.session, "a link address was made");
    let url = format!("{}/link/{token}", base(&app, &headers));
    Ok((StatusCode::CREATED, Json(LinkAddress { url, expires_at })))
}

/// `GET /link/{token}`.
pub(crate) async fn show(
    State(app): Shared,
    Named(token): Named<String>,
) -> Result<Response, ApiError> {
    match LinkTokens::new(app.store.clone())
        .find(app.now(), &token)
        .await?
    {
        LinkToken::Valid { .. } => Ok(page::of(StatusCode::OK)),
        LinkToken::Gone => Ok(page::of(StatusCode::GONE)),
        LinkToken::Unknown => Err(ApiError::not_found("link")),
    }
}

/// `GET /link/{token}/state`: where the pairing stands. The one that says `linked` is the last.
pub(crate) async fn state(
    State(app): Shared,
    Named(token): Named<String>,
) -> Result<Response, ApiError> {
    let (of, record) = linking(&app, &token).await?;
    let state = standing(&app, &of, &record).await?;
    if state.status == "linked" {
        LinkTokens::new(app.store.clone()).used(&token).await?;
    }
    Ok(([(CACHE_CONTROL, "no-store")], Json(state)).into_response())
}

/// `POST /link/{token}/pairing-code {phone}`: a code to type in place of a picture to scan.
pub(crate) async fn code(
    State(app): Shared,
    Extension(request_id): Extension<RequestId>,
    Named(token): Named<String>,
    request: Request,
) -> Result<Json<pairing::PairingCode>, ApiError> {
    let (of, record) = linking(&app, &token).await?;
    let phone = read_body(&app, request, pairing::phone).await?;
    let phone = phone.unwrap_or_default();
    pairing::code_for(&app, &of, &record, &request_id, phone)
        .await
        .map(Json)
}

/// `POST /link/{token}/passkey {assertion}` or `{confirmed}`.
pub(crate) async fn answer_passkey(
    State(app): Shared,
    Extension(request_id): Extension<RequestId>,
    Named(token): Named<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let (of, record) = linking(&app, &token).await?;
    passkey::take(&app, &of, &record, &request_id, request).await
}

/// The session of a token that is still good.
async fn linking(app: &App, token: &str) -> Result<(SessionRef, SessionRecord), ApiError> {
    let tokens = LinkTokens::new(app.store.clone());
    match tokens.find(app.now(), token).await? {
        LinkToken::Valid { of, .. } => {
            let record = app.sessions.record(&of).await?;
            let record = record.ok_or_else(|| ApiError::not_found("link"))?;
            Ok((of, record))
        }
        LinkToken::Gone => Err(ApiError::new(
            Code::Gone,
            "this link was used, or is too old: ask for another one",
        )
        .with("reason", "link_over")),
        LinkToken::Unknown => Err(ApiError::not_found("link")),
    }
}

async fn standing(
    app: &App,
    of: &SessionRef,
    record: &SessionRecord,
) -> Result<LinkState, ApiError> {
    let now = app.now();
    let session = &record.session;
    let message = session.last_error.clone();
    Ok(match session.status {
        SessionStatus::Working => LinkState {
            status: "linked",
            phone: session
                .wa_jid
                .as_deref()
                .and_then(|jid| jid.split('@').next())
                .map(str::to_owned),
            ..LinkState::default()
        },
        SessionStatus::ScanQrCode => {
            let code = app.sessions.qr(of).await?;
            match code.filter(|code| code.expires_at > now) {
                Some(code) => LinkState {
                    status: "qr",
                    qr: Some(svg(&code.code)?),
                    left_ms: Some(code.expires_at - now),
                    message,
                    ..LinkState::default()
                },
                None => waiting(message),
            }
        }
        SessionStatus::PasskeyRequired => match app.sessions.passkey(of).await? {
            Some(asked) if asked.expires_at > now => LinkState {
                status: if asked.code.is_some() {
                    "confirm"
                } else {
                    "passkey"
                },
                passkey: serde_json::from_str(&asked.options).ok(),
                code: asked.code,
                left_ms: Some(asked.expires_at - now),
                message,
                ..LinkState::default()
            },
            _ => waiting(message),
        },
        SessionStatus::Starting => waiting(message),
        SessionStatus::Failed
        | SessionStatus::Stopped
        | SessionStatus::LoggedOut
        | SessionStatus::Deleted => LinkState {
            status: "failed",
            message,
            ..LinkState::default()
        },
    })
}

fn waiting(message: Option<String>) -> LinkState {
    LinkState {
        status: "waiting",
        message,
        ..LinkState::default()
    }
}

fn svg(code: &str) -> Result<String, ApiError> {
    let drawn = picture::of(code, picture::Format::Svg);
    let drawn =
        drawn.map_err(|error| ApiError::new(Code::Internal, "internal error").caused_by(error))?;
    Ok(String::from_utf8_lossy(&drawn).into_owned())
}

/// What the address of a page begins with: as configured, or as the caller reached this process.
fn base(app: &App, headers: &HeaderMap) -> String {
    let configured = app.config.api.public_url.trim_end_matches('/');
    if !configured.is_empty() {
        return configured.to_owned();
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    format!("http://{}", host.unwrap_or("localhost"))
}

/// The body of `POST …:link`: how long the address is good.
fn life(mut fields: Fields, problems: &mut Problems) -> Millis {
    let life = fields.integer(problems, "expiresInMs", EXPIRY_MS);
    fields.finish(problems, &[], "");
    life.unwrap_or(EXPIRES_MS)
}
