//! Pairing a session with a phone, and who it is once paired.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use gateway_shared::clock::Millis;
use gateway_shared::command::Command;
use gateway_shared::domain::{PhoneNumber, SessionStatus};
use gateway_shared::lane::SessionRef;
use gateway_shared::session::{Desired, SessionRecord};
use schemars::JsonSchema;
use serde::Serialize;

use super::picture;
use crate::access::{Caller, session_not_found};
use crate::error::{ApiError, Code};
use crate::replies::{Unanswered, ask};
use crate::request::{Fields, Named, Problems, RequestId, read_body};
use crate::state::App;

/// A QR code to scan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Qr {
    /// What the QR code says.
    code: String,
    /// When it is replaced by another.
    expires_at: Millis,
}

/// A code to type into a phone.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PairingCode {
    /// The code.
    code: String,
}

/// Who a session is at WhatsApp.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Me {
    /// Its address by number.
    wa_jid: String,
    /// Its address by LID.
    wa_lid: Option<String>,
    /// Its number.
    phone: String,
}

/// `GET /sessions/{session}/qr`: the code to scan, as JSON or as a picture.
pub(crate) async fn qr(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let of = caller.session(&session)?;
    let record = unpaired(&app, &of).await?;
    let now = app.now();
    let code = app.sessions.qr(&of).await?;
    let Some(code) = code.filter(|code| code.expires_at > now) else {
        return Err(not_offered(&record));
    };
    let body = match picture::Format::wanted(&headers, ACCEPT) {
        None => Json(Qr {
            code: code.code,
            expires_at: code.expires_at,
        })
        .into_response(),
        Some(format) => {
            let picture = picture::of(&code.code, format).map_err(|error| {
                ApiError::new(Code::Internal, "internal error").caused_by(error)
            })?;
            ([(CONTENT_TYPE, format.mimetype())], picture).into_response()
        }
    };
    // The code is replaced after seconds, and it is a secret.
    Ok(([(CACHE_CONTROL, "no-store")], body).into_response())
}

/// `POST /sessions/{session}/pairing-code`: a code to be typed into the phone of this number.
pub(crate) async fn pairing_code(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Extension(request_id): Extension<RequestId>,
    Named(session): Named<String>,
    request: Request,
) -> Result<Json<PairingCode>, ApiError> {
    let of = caller.session(&session)?;
    let phone = read_body(&app, request, phone).await?.unwrap_or_default();
    let record = unpaired(&app, &of).await?;
    code_for(&app, &of, &record, &request_id, phone)
        .await
        .map(Json)
}

/// Asks the session's worker for a code that the phone of this number can type.
pub(crate) async fn code_for(
    app: &App,
    of: &SessionRef,
    record: &SessionRecord,
    request_id: &RequestId,
    phone: String,
) -> Result<PairingCode, ApiError> {
    if !record.rebind && record.account.as_ref().is_some_and(|bound| *bound != phone) {
        return Err(ApiError::conflict(
            "account_mismatch",
            "the session belongs to another number; start it with ?rebind=true to move it",
        ));
    }
    let Some(worker) = &record.session.worker else {
        return Err(not_offered(record));
    };
    let command = Command::PairingCode { phone };
    let code = ask(app, of, worker, request_id, command);
    let code = code.await.map_err(refused)?;
    let code = code["code"].as_str().unwrap_or_default().to_owned();
    Ok(PairingCode { code })
}

/// `GET /sessions/{session}/me`: who the session is at WhatsApp.
pub(crate) async fn me(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
) -> Result<Json<Me>, ApiError> {
    let of = caller.session(&session)?;
    let session = app.sessions.get(&of).await?.ok_or_else(session_not_found)?;
    let Some(jid) = session.wa_jid else {
        return Err(ApiError::conflict(
            "not_paired",
            "the session is not paired with a phone",
        ));
    };
    let phone = jid.split(['@', ':']).next().unwrap_or_default().to_owned();
    Ok(Json(Me {
        wa_jid: jid,
        wa_lid: session.wa_lid,
        phone,
    }))
}

/// The record of a session that is not paired yet.
pub(crate) async fn unpaired(app: &App, of: &SessionRef) -> Result<SessionRecord, ApiError> {
    let record = app.sessions.record(of).await?;
    let record = record
        .filter(|record| record.desired != Desired::Deleted)
        .ok_or_else(session_not_found)?;
    let status = record.session.status;
    let paired = record.session.wa_jid.is_some() && status != SessionStatus::LoggedOut;
    if paired || status == SessionStatus::Working {
        return Err(ApiError::conflict(
            "already_paired",
            "the session is paired with a phone already",
        ));
    }
    Ok(record)
}

/// Why an unpaired session offers no code at the moment.
fn not_offered(record: &SessionRecord) -> ApiError {
    match (record.desired, record.session.status) {
        (Desired::Stopped, _) | (_, SessionStatus::LoggedOut) => ApiError::conflict(
            "session_stopped",
            "the session is stopped; start it to get a code",
        ),
        (_, SessionStatus::Failed) => {
            ApiError::conflict("session_failed", "the session failed; see its lastError")
        }
        _ => ApiError::unavailable("not_ready", "the session has no code to offer yet")
            .with("status", record.session.status.as_str()),
    }
}

pub(crate) fn phone(mut fields: Fields, problems: &mut Problems) -> Option<String> {
    fields.require(problems, "phone");
    let phone = fields.parsed::<PhoneNumber>(problems, "phone");
    fields.finish(problems, &[], "");
    phone.map(|phone| phone.digits().to_owned())
}

fn refused(unanswered: Unanswered) -> ApiError {
    let error = match unanswered {
        Unanswered::Refused(error) => error,
        Unanswered::Failed(error) => return error,
    };
    match error.code.as_str() {
        "already_paired" => ApiError::conflict("already_paired", error.message),
        "refused" => ApiError::conflict("refused", error.message),
        "superseded" => ApiError::conflict("superseded", error.message),
        _ => ApiError::unavailable(&error.code, error.message),
    }
}
