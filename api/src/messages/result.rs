//! What a send is answered with.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gateway_shared::clock::Millis;
use gateway_shared::domain::{OutboxId, SendFailure, SendStatus};
use gateway_shared::identity::Names;
use gateway_shared::lane::{EnqueueRequest, Mode, Replay, SessionRef};
use schemars::JsonSchema;
use serde::Serialize;

use crate::envelope::About;
use crate::error::{ApiError, Code};

/// The result of a send, as the contract names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendResult {
    /// How the send was accepted.
    pub(crate) mode: Mode,
    /// Its id.
    pub(crate) outbox_id: OutboxId,
    /// The WhatsApp message id, pinned at acceptance.
    pub(crate) wa_message_id: String,
    /// Both names of the person written to, as far as the session knows them; neither for a group.
    #[serde(flatten)]
    pub(crate) names: Names,
    /// How far it is.
    pub(crate) status: SendStatus,
    /// Since when.
    pub(crate) timestamp: Millis,
    /// Whether this is the result of an earlier send with the same key.
    pub(crate) replayed: bool,
}

/// The answer for a send of this session, with what its log line needs.
///
/// # Errors
/// None: an error is answered as well, and its log line needs the same.
pub(super) fn answer(
    of: SessionRef,
    answered: Result<SendResult, ApiError>,
) -> Result<Response, ApiError> {
    let outbox_id = match &answered {
        Ok(result) => Some(result.outbox_id.clone()),
        Err(error) => error.outbox_id(),
    };
    let mut response = answered.map(SendResult::into_answer).into_response();
    response.extensions_mut().insert(About { of, outbox_id });
    Ok(response)
}

impl SendResult {
    /// Of a send that was accepted just now.
    pub(super) fn of_new(
        acceptance: &EnqueueRequest,
        status: SendStatus,
        at: Millis,
        names: Names,
    ) -> Self {
        Self {
            mode: acceptance.mode,
            outbox_id: acceptance.id.clone(),
            wa_message_id: acceptance.wa_message_id.clone(),
            names,
            status,
            timestamp: at,
            replayed: false,
        }
    }

    /// Of a send that was accepted before under the same key.
    pub(super) fn of_replay(replay: Replay) -> Self {
        Self {
            mode: replay.mode,
            outbox_id: replay.id,
            wa_message_id: replay.wa_message_id,
            names: replay.names,
            status: replay.status,
            timestamp: replay.at,
            replayed: true,
        }
    }

    /// 200 where WhatsApp has it, 202 while it is under way.
    pub(crate) fn into_answer(self) -> (StatusCode, Json<Self>) {
        let status = if self.status.is_settled() {
            StatusCode::OK
        } else {
            StatusCode::ACCEPTED
        };
        (status, Json(self))
    }

    /// The answer for a send in this state: a send that failed for good is an error, now and
    /// whenever it is repeated.
    ///
    /// # Errors
    /// 502 for a failed send, 409 for one that was cancelled.
    pub(crate) fn or_failure(self, error: Option<SendFailure>) -> Result<Self, ApiError> {
        match self.status {
            SendStatus::Failed => Err(self.failed(error)),
            SendStatus::Cancelled => Err(ApiError::conflict(
                "cancelled",
                "the send was cancelled before it was attempted",
            )
            .with("outboxId", self.outbox_id.as_str())),
            _ => Ok(self),
        }
    }

    fn failed(self, error: Option<SendFailure>) -> ApiError {
        let failure = error.unwrap_or_else(|| SendFailure::new("unknown", "the send failed"));
        let code = match failure.code.as_str() {
            "not_group_admin" => Code::Forbidden,
            _ => Code::SendFailed,
        };
        let answer = ApiError::new(code, failure.message)
            .with("reason", failure.code)
            .with("outboxId", self.outbox_id.as_str())
            .with("waMessageId", self.wa_message_id)
            .with("replayed", self.replayed);
        match failure.wa_code {
            Some(code) => answer.with("waCode", code),
            None => answer,
        }
    }
}
