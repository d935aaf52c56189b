//! The passkey that WhatsApp asks some accounts for before it links a device.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway_shared::clock::Millis;
use gateway_shared::command::{AccountCommand, Command};
use gateway_shared::domain::SessionStatus;
use gateway_shared::lane::SessionRef;
use gateway_shared::session::{Desired, PasskeyRequest, SessionRecord};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::access::{Caller, session_not_found};
use crate::error::ApiError;
use crate::replies::ask;
use crate::request::{Fields, Named, Problems, RequestId, read_body};
use crate::state::App;

/// Where an assertion has to be made: passkeys of WhatsApp work for its own site only.
const ORIGIN: &str = "https://web.whatsapp.com";

/// A passkey that WhatsApp asks for.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasskeyAsked {
    /// What to give `navigator.credentials.get` as `publicKey`, in the tab of web.whatsapp.com.
    options: Value,
    /// The code that the phone shows too, once an assertion was taken: answer `confirmed`.
    code: Option<String>,
    /// Until when WhatsApp waits.
    expires_at: Millis,
}

/// `GET /sessions/{session}/passkey`.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(session): Named<String>,
) -> Result<Json<PasskeyAsked>, ApiError> {
    let of = caller.session(&session)?;
    let record = found(&app, &of).await?;
    let asked = asked(&app, &of, &record).await?;
    Ok(Json(PasskeyAsked {
        options: serde_json::from_str(&asked.options).unwrap_or_default(),
        code: asked.code,
        expires_at: asked.expires_at,
    }))
}

/// `POST /sessions/{session}/passkey {assertion}`, and then `{confirmed: true}`.
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Extension(request_id): Extension<RequestId>,
    Named(session): Named<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let of = caller.session(&session)?;
    let record = found(&app, &of).await?;
    take(&app, &of, &record, &request_id, request).await
}

/// Takes an answer and gives it to the session's worker.
pub(crate) async fn take(
    app: &App,
    of: &SessionRef,
    record: &SessionRecord,
    request_id: &RequestId,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let asked = asked(app, of, record).await;
    // What is wrong with the body is answered before that nothing was asked for.
    let challenge = asked.as_ref().ok().and_then(|asked| {
        let options: Value = serde_json::from_str(&asked.options).ok()?;
        options["challenge"].as_str().map(str::to_owned)
    });
    let read =
        |fields: Fields, problems: &mut Problems| answer(fields, problems, challenge.as_deref());
    let command = read_body(app, request, read).await?;
    asked?;
    let (Some(command), Some(worker)) = (command, &record.session.worker) else {
        return Err(ApiError::unavailable(
            "not_ready",
            "no worker has the session",
        ));
    };
    let taken = ask(app, of, worker, request_id, Command::Account(command)).await;
    taken.map_err(super::account::refusal)?;
    Ok(StatusCode::ACCEPTED)
}

async fn found(app: &App, of: &SessionRef) -> Result<SessionRecord, ApiError> {
    let record = app.sessions.record(of).await?;
    record
        .filter(|record| record.desired != Desired::Deleted)
        .ok_or_else(session_not_found)
}

async fn asked(
    app: &App,
    of: &SessionRef,
    record: &SessionRecord,
) -> Result<PasskeyRequest, ApiError> {
    let asked = match record.session.status {
        SessionStatus::PasskeyRequired => app.sessions.passkey(of).await?,
        _ => None,
    };
    asked
        .filter(|asked| asked.expires_at > app.now())
        .ok_or_else(|| {
            ApiError::conflict(
                "no_passkey_requested",
                "WhatsApp does not wait for a passkey of this session",
            )
        })
}

/// The body: an assertion made for `challenge`, or the word that the codes are the same.
fn answer(
    mut fields: Fields,
    problems: &mut Problems,
    challenge: Option<&str>,
) -> Option<AccountCommand> {
    let confirmed = fields.flag(problems, "confirmed");
    let given = fields.has("assertion");
    let assertion = fields.any("assertion");
    fields.finish(problems, &[], "");
    match (confirmed, assertion) {
        (Some(true), None) => Some(AccountCommand::ConfirmPasskey),
        (None, Some(assertion)) => {
            check(&assertion, challenge, problems);
            Some(AccountCommand::AnswerPasskey {
                assertion: assertion.to_string(),
            })
        }
        _ => {
            let name = if given { "confirmed" } else { "assertion" };
            problems.add(
                name,
                "must be given: an assertion, or confirmed: true, and not both",
            );
            None
        }
    }
}

fn check(assertion: &Value, challenge: Option<&str>, problems: &mut Problems) {
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
    let mut bytes = |value: &Value, field: &str| {
        let found = value.as_str().and_then(decoded).filter(|b| !b.is_empty());
        if found.is_none() {
            problems.add(field.to_owned(), "must be bytes in base64url");
        }
        found
    };
    bytes(&assertion["rawId"], "assertion.rawId");
    let response = &assertion["response"];
    bytes(
        &response["authenticatorData"],
        "assertion.response.authenticatorData",
    );
    bytes(&response["signature"], "assertion.response.signature");
    let data = bytes(
        &response["clientDataJSON"],
        "assertion.response.clientDataJSON",
    );
    let Some(data) = data else { return };
    let data: Value = serde_json::from_slice(&data).unwrap_or_default();
    let field = "assertion.response.clientDataJSON";
    if data["origin"] != ORIGIN {
        problems.add(field, format!("must be made at {ORIGIN}"));
    }
    let same = |asked: &str| {
        data["challenge"]
            .as_str()
            .is_some_and(|made| made.trim_end_matches('=') == asked.trim_end_matches('='))
    };
    if challenge.is_some_and(|asked| !same(asked)) {
        problems.add(
            field,
            "is for another challenge than WhatsApp's present one",
        );
    }
}

/// What these routes say of themselves.
pub(crate) mod docs {
    use serde_json::json;

    use super::PasskeyAsked;
    use crate::error::Code;
    use crate::openapi::{Object, Operation, flag};

    pub(crate) fn get() -> Operation {
        let example = json!({
            "options": {"challenge": "c29tZSBieXRlcw", "rpId": "web.whatsapp.com"},
            "code": null,
            "expiresAt": 1_763_700_120_000_i64,
        });
        Operation::new(
            "Sessions",
            "getPasskeyRequest",
            "The passkey that WhatsApp asks for",
        )
        .about(
            "Some accounts can be linked with a passkey only: status `passkey_required`, event \
                 `auth.passkey`. The assertion has to be made for the origin \
                 `https://web.whatsapp.com`; the page of `:link` explains how.",
        )
        .answer::<PasskeyAsked>(200, "It.", example)
        .error(Code::Conflict, "`no_passkey_requested`")
    }

    pub(crate) fn post() -> Operation {
        taken(Operation::new(
            "Sessions",
            "answerPasskeyRequest",
            "Answer WhatsApp's request for a passkey",
        ))
    }

    pub(crate) fn taken(operation: Operation) -> Operation {
        let assertion = json!({
            "type": "object",
            "description": "A PublicKeyCredential as JSON: id, rawId, type and response, with bytes in \
                            base64url.",
        });
        let confirmed = flag("That the phone shows the same code as `auth.code` told.");
        operation
            .about(
                "First the assertion. WhatsApp then shows a code on the phone, and `auth.code` tells \
                 the one to compare it with: answer `confirmed: true` where they are the same.",
            )
            .optional_body(
                "PasskeyAnswer",
                Object::new()
                    .optional("assertion", assertion)
                    .optional("confirmed", confirmed),
                [("The codes are the same", json!({"confirmed": true}))],
            )
            .answer_empty(202, "It was given to WhatsApp; events tell what comes of it.")
            .error(Code::Conflict, "`no_passkey_requested`, `refused`")
            .error(Code::GatewayUnavailable, "`not_ready`, `no_answer`")
    }
}
