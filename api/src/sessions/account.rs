//! The account of a session: how it is seen, whom it can reach, its encryption.
//!
//! All of it is asked of WhatsApp while the caller waits, so it needs a connected session.

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use gateway_shared::command::{AccountCommand, CHECKED_AT_ONCE, Checked, Command, Renewed};
use gateway_shared::domain::{Jid, Session};
use gateway_shared::session::Desired;
use serde::de::DeserializeOwned;

use crate::access::{Caller, session_not_found};
use crate::error::{ApiError, Code};
use crate::page::Page;
use crate::replies::{Unanswered, ask};
use crate::request::{Fields, Named, Problems, Query, RequestId, read_body};
use crate::state::App;

type Shared = State<Arc<App>>;
type By = Extension<Arc<Caller>>;
type Id = Extension<RequestId>;

/// `PUT /sessions/{session}/presence {presence}`: kept, and shown at once where it is connected.
pub(crate) async fn presence(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named(session): Named<String>,
    request: Request,
) -> Result<(StatusCode, Json<Session>), ApiError> {
    let of = caller.session(&session)?;
    let available = read_body(&app, request, wished_presence).await?;
    let available = available.unwrap_or_default();
    if !app.sessions.set_presence(app.now(), &of, available).await? {
        return Err(session_not_found());
    }
    let command = AccountCommand::ShowPresence { available };
    let shown: Result<serde_json::Value, _> =
        command_of(&app, &caller, &request_id, &session, command).await;
    let session = super::found(&app, &of).await?;
    // What could not be shown now is shown as soon as the session is connected.
    let status = match shown {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::ACCEPTED,
    };
    Ok((status, Json(session)))
}

/// `POST /sessions/{session}/presence:subscribe {to}`: their presence is emitted as `presence.update`.
pub(crate) async fn follow(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named(session): Named<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    caller.session(&session)?;
    let person = read_body(&app, request, person).await?;
    let person = person.ok_or_else(|| ApiError::new(Code::Internal, "internal error"))?;
    let command = AccountCommand::FollowPresence { person };
    let _: serde_json::Value = command_of(&app, &caller, &request_id, &session, command).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /sessions/{session}/contacts:check {phones}`: which of them are on WhatsApp.
pub(crate) async fn check(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named(session): Named<String>,
    request: Request,
) -> Result<Json<Page<Checked>>, ApiError> {
    caller.session(&session)?;
    let phones = read_body(&app, request, phones).await?;
    let command = AccountCommand::Check { phones };
    let checked = command_of(&app, &caller, &request_id, &session, command).await?;
    Ok(Json(Page::only(checked)))
}

/// `POST /sessions/{session}/signal:renew {jid}`: begins the encryption with somebody anew.
pub(crate) async fn renew(
    State(app): Shared,
    Extension(caller): By,
    Extension(request_id): Id,
    Named(session): Named<String>,
    request: Request,
) -> Result<Json<Renewed>, ApiError> {
    caller.session(&session)?;
    let person = read_body(&app, request, renewed).await?;
    let person = person.ok_or_else(|| ApiError::new(Code::Internal, "internal error"))?;
    let command = AccountCommand::RenewSignal { person };
    command_of(&app, &caller, &request_id, &session, command)
        .await
        .map(Json)
}

/// Whether a request says `?rebind=true`: another number may take the session's place.
pub(crate) fn rebinds(uri: &OriginalUri) -> Result<bool, ApiError> {
    let mut problems = Problems::default();
    let rebinds = Query::of(&uri.0).flag(&mut problems, "rebind");
    problems.settle()?;
    Ok(rebinds)
}

fn wished_presence(mut fields: Fields, problems: &mut Problems) -> Option<bool> {
    fields.require(problems, "presence");
    let presence = fields.text(problems, "presence");
    fields.finish(problems, &[], "");
    match presence?.as_str() {
        "available" => Some(true),
        "unavailable" => Some(false),
        _ => {
            problems.add("presence", "must be available or unavailable");
            None
        }
    }
}

fn one_person(mut fields: Fields, problems: &mut Problems, name: &'static str) -> Option<Jid> {
    fields.require(problems, name);
    let person = fields.parsed::<Jid>(problems, name);
    fields.finish(problems, &[], "");
    if person.as_ref().is_some_and(Jid::is_group) {
        problems.add(name, "must be a person, not a group");
        return None;
    }
    person
}

fn person(fields: Fields, problems: &mut Problems) -> Option<Jid> {
    one_person(fields, problems, "to")
}

fn renewed(fields: Fields, problems: &mut Problems) -> Option<Jid> {
    one_person(fields, problems, "jid")
}

fn phones(mut fields: Fields, problems: &mut Problems) -> Vec<String> {
    fields.require(problems, "phones");
    let named = fields.has("phones");
    let phones = fields.list::<Jid>(problems, "phones", CHECKED_AT_ONCE);
    fields.finish(problems, &[], "");
    let Some(phones) = phones else {
        return Vec::new();
    };
    if named && phones.length == 0 {
        problems.add("phones", "must name somebody");
    }
    let mut numbers = Vec::with_capacity(phones.items.len());
    for (field, jid) in phones.items {
        if jid.as_str().ends_with("@s.whatsapp.net") {
            numbers.push(jid.user().to_owned());
        } else {
            problems.add(field, "must be an international number of 5 to 15 digits");
        }
    }
    numbers
}

/// Asks the session's worker, and reads its answer.
async fn command_of<T: DeserializeOwned>(
    app: &App,
    caller: &Caller,
    request_id: &RequestId,
    session: &str,
    command: AccountCommand,
) -> Result<T, ApiError> {
    let of = caller.session(session)?;
    let record = app.sessions.record(&of).await?;
    let record = record
        .filter(|record| record.desired != Desired::Deleted)
        .ok_or_else(session_not_found)?;
    let Some(worker) = &record.session.worker else {
        return Err(not_connected());
    };
    let answer = ask(app, &of, worker, request_id, Command::Account(command)).await;
    let answer = answer.map_err(refusal)?;
    serde_json::from_value(answer)
        .map_err(|error| ApiError::new(Code::Internal, "internal error").caused_by(error))
}

/// The answer to a caller whose command a worker refused.
pub(crate) fn refusal(unanswered: Unanswered) -> ApiError {
    match unanswered {
        Unanswered::Failed(error) => error,
        Unanswered::Refused(error) => match error.code.as_str() {
            "session_not_connected" | "not_owned" => not_connected(),
            "no_answer" => ApiError::unavailable("no_answer", error.message),
            _ => ApiError::conflict(&error.code, error.message),
        },
    }
}

fn not_connected() -> ApiError {
    ApiError::unavailable(
        "session_not_connected",
        "this is asked of WhatsApp, and the session is not connected to it",
    )
}

/// What these routes say of themselves.
pub(crate) mod docs {
    use gateway_shared::command::{CHECKED_AT_ONCE, Checked, Renewed};
    use gateway_shared::domain::Session;
    use serde_json::{Value, json};

    use crate::error::Code;
    use crate::openapi::{Object, Operation, list, person, phone};
    use crate::page::Page;

    const TAG: &str = "Sessions";

    pub(crate) fn presence() -> Operation {
        let wished = json!({
            "type": "string",
            "enum": ["available", "unavailable"],
            "description": "What contacts see.",
        });
        let example = crate::sessions::docs::example();
        Operation::new(TAG, "setPresence", "Show the account as online or offline")
            .about(
                "Offline is the default: an account that is online on one device gets no \
                 notifications on its phone. It is kept and holds after each reconnect.",
            )
            .body(
                "Presence",
                Object::new().required("presence", wished),
                [("Online", json!({"presence": "available"}))],
            )
            .answer::<Session>(200, "It is shown.", example.clone())
            .answer::<Session>(
                202,
                "It is kept, and shown as soon as the session is connected.",
                example,
            )
    }

    pub(crate) fn follow() -> Operation {
        asked(
            Operation::new(TAG, "followPresence", "Follow somebody's presence")
                .about(
                    "Emitted as `presence.update` events until the session reconnects, as far as their \
                     settings allow it. WhatsApp tells it only to accounts that are online.",
                )
                .body(
                    "FollowedPerson",
                    Object::new().required("to", person()),
                    [("A number", json!({"to": "6281234567890"}))],
                )
                .answer_empty(204, "It is followed."),
        )
    }

    pub(crate) fn check() -> Operation {
        let example: Value = json!({"data": [{
            "phone": "5511987654321",
            "exists": true,
            "jid": "551187654321@s.whatsapp.net",
            "lid": "123456789012345@lid",
            "business": false,
        }], "nextCursor": ""});
        asked(
            Operation::new(TAG, "checkContacts", "Which numbers are on WhatsApp")
                .about(
                    "Numbers that a country writes in two ways (Brazil, Mexico, Argentina) are looked \
                     up in both; `jid` is the account that exists. Answers are remembered: a day \
                     that there is an account, ten minutes that there is none.",
                )
                .body(
                    "CheckedPhones",
                    Object::new().required(
                        "phones",
                        list(phone(), 1..=CHECKED_AT_ONCE, "The numbers to look up."),
                    ),
                    [("One", json!({"phones": ["5511987654321"]}))],
                )
                .answer::<Page<Checked>>(200, "Each of them, in order.", example),
        )
    }

    pub(crate) fn renew() -> Operation {
        asked(
            Operation::new(
                TAG,
                "renewSignal",
                "Begin the encryption with somebody anew",
            )
            .about(
                "For a conversation that stays broken: messages of one side never decrypt. The \
                     next message, from either side, begins it anew; nothing is lost by it.",
            )
            .body(
                "RenewedPerson",
                Object::new().required("jid", person()),
                [("A number", json!({"jid": "6281234567890"}))],
            )
            .answer::<Renewed>(200, "With how many devices.", json!({"devices": 2})),
        )
    }

    fn asked(operation: Operation) -> Operation {
        operation
            .error(Code::Conflict, "`refused`: WhatsApp did not take it")
            .error(
                Code::GatewayUnavailable,
                "`session_not_connected`, `no_answer`",
            )
    }
}
