//! Many sends in one request.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use gateway_shared::clock::Millis;
use gateway_shared::lane::{EnqueueOutcome, EnqueueRequest, Mode, SessionRef};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::fingerprint;
use super::input::{Body, Built};
use super::result::SendResult;
use super::submit::{Submission, refusal};
use crate::access::{Caller, session_not_found};
use crate::error::{ApiError, Code, ErrorBody};
use crate::request::{
    Limits, Named, Problems, RequestId, idempotency_key, is_idempotency_key, read_json,
};
use crate::state::App;

/// Sends of a batch.
pub(super) const SENDS: RangeInclusive<usize> = 1..=1_000;

/// What became of a batch.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchResult {
    /// How many are accepted, now or under the same key before.
    accepted: usize,
    /// How many are not.
    refused: usize,
    /// What became of each, in their order.
    results: Vec<ItemResult>,
}

/// What became of one send of a batch: a result, or an error.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ItemResult {
    /// Its place in the request, from 0.
    index: usize,
    /// It is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<SendResult>,
    /// It is not, and nothing of it was kept: what a request of its own would be answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
}

/// What all sends of a batch have in common.
struct Batch<'a> {
    app: &'a App,
    now: Millis,
    from: &'a SessionRef,
    request_id: &'a RequestId,
    /// The key of the request: that of a send without its own follows from it and its place.
    key: Option<&'a str>,
}

/// `POST /sessions/{session}/messages:batch`: 1 to 1,000 asynchronous sends. Those that can be
/// accepted are, in their order and in one atomic step; each of the others is answered with all its
/// problems and holds up nothing.
pub(crate) async fn batch(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Extension(request_id): Extension<RequestId>,
    Named(session): Named<String>,
    request: Request,
) -> Result<(StatusCode, Json<BatchResult>), ApiError> {
    let from = caller.session(&session);
    let (parts, body) = request.into_parts();
    let mut problems = Problems::default();
    let key = idempotency_key(&parts.headers, &mut problems);
    let limits = Limits {
        bytes: app.config.api.batch_body_limit_bytes,
        may_be_empty: false,
    };
    let read = read_json(&parts, body, limits, &mut problems).await?;
    let sends = read.map(|(map, _)| sends(map, &mut problems));
    problems.settle()?;
    let from = from?;
    let batch = Batch {
        app: &app,
        now: app.now(),
        from: &from,
        request_id: &request_id,
        key,
    };
    let mut asked = Vec::new();
    for (index, send) in sends.unwrap_or_default().into_iter().enumerate() {
        asked.push(batch.acceptance(index, send).await);
    }
    let results = batch.accept(asked).await?;
    let accepted = results.iter().filter(|one| one.error.is_none()).count();
    tracing::debug!(
        request_id = %request_id, organization = %from.organization, session = %from.session,
        accepted, refused = results.len() - accepted, "batch accepted"
    );
    let reported = BatchResult {
        accepted,
        refused: results.len() - accepted,
        results,
    };
    Ok((StatusCode::ACCEPTED, Json(reported)))
}

/// The sends of a body.
fn sends(mut map: Map<String, Value>, problems: &mut Problems) -> Vec<Value> {
    let sends = match map.remove("messages") {
        Some(Value::Array(sends)) => sends,
        None | Some(Value::Null) => {
            problems.add("messages", "is required");
            Vec::new()
        }
        Some(_) => {
            problems.add("messages", "must be a list of messages");
            Vec::new()
        }
    };
    if problems.list().is_empty() && !SENDS.contains(&sends.len()) {
        let (least, most) = (SENDS.start(), SENDS.end());
        problems.add("messages", format!("must have {least} to {most} entries"));
    }
    for name in map.keys() {
        problems.add(name, "is unknown; allowed are messages");
    }
    sends
}

impl Batch<'_> {
    /// One send as the lane is asked.
    async fn acceptance(&self, index: usize, send: Value) -> Result<EnqueueRequest, ApiError> {
        let mut problems = Problems::default();
        let Value::Object(mut map) = send else {
            problems.add(format!("messages[{index}]"), "must be an object");
            return Err(ApiError::validation(&problems));
        };
        let own = match map.remove("idempotencyKey") {
            None | Some(Value::Null) => None,
            Some(Value::String(key)) if is_idempotency_key(key.as_bytes()) => Some(key),
            Some(_) => {
                let what = "must be a text of 1 to 255 visible ASCII characters";
                problems.add("idempotencyKey", what);
                None
            }
        };
        let body = Body::read(map, Mode::Async, &mut problems);
        problems.settle()?;
        let Some((to, built, times)) = body.complete() else {
            return Err(ApiError::new(Code::Internal, "internal error"));
        };
        let asked = built.as_asked();
        // No key of a client's has a space.
        let key = own.or_else(|| self.key.map(|key| format!("{key} {index}")));
        let session = self.from.session.as_str();
        let mut submission = Submission {
            idempotency: key.map(|key| fingerprint::of_send(&key, session, &to, &asked, times)),
            from: self.from.clone(),
            to,
            content: asked,
            mode: Mode::Async,
            times,
            request_id: self.request_id.clone(),
        };
        if let Built::File(wanted, context) = built {
            submission.content = super::file(self.app, &submission, &wanted, context).await?;
        }
        let depth = self.app.config.send.max_lane_depth;
        Ok(submission.into_enqueue_request(self.app, self.now, None, depth))
    }

    /// Has the sound ones accepted, and tells what became of each.
    async fn accept(
        &self,
        asked: Vec<Result<EnqueueRequest, ApiError>>,
    ) -> Result<Vec<ItemResult>, ApiError> {
        let sound: Vec<EnqueueRequest> = asked
            .iter()
            .filter_map(|one| one.as_ref().ok().cloned())
            .collect();
        let organization = &self.from.organization;
        if sound.is_empty() && self.app.sessions.get(self.from).await?.is_none() {
            return Err(session_not_found());
        }
        let lanes = &self.app.lanes;
        let outcomes = lanes.accept_all(self.now, organization, &sound).await?;
        if outcomes.contains(&EnqueueOutcome::SessionNotFound) {
            return Err(session_not_found());
        }
        let mut outcomes = outcomes.into_iter();
        let reported = asked.into_iter().enumerate().map(|(index, asked)| {
            let reported = asked.and_then(|acceptance| {
                // There is an outcome for each that was asked for.
                let outcome = outcomes.next().unwrap_or(EnqueueOutcome::SessionNotFound);
                result(self.now, &acceptance, outcome)
            });
            let (result, error) = match reported {
                Ok(result) => (Some(result), None),
                Err(error) => (None, Some(error.into_body())),
            };
            ItemResult {
                index,
                result,
                error,
            }
        });
        Ok(reported.collect())
    }
}

fn result(
    now: Millis,
    acceptance: &EnqueueRequest,
    outcome: EnqueueOutcome,
) -> Result<SendResult, ApiError> {
    match outcome {
        EnqueueOutcome::New { status, at } => Ok(SendResult::of_new(acceptance, status, at)),
        EnqueueOutcome::Replayed(replay) => {
            let error = replay.error.clone();
            SendResult::of_replay(replay).or_failure(error)
        }
        refused => Err(refusal(now, refused)),
    }
}
