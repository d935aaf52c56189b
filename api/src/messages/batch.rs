//! Many sends in one request.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use gateway_shared::clock::Millis;
use gateway_shared::domain::Jid;
use gateway_shared::lane::{EnqueueOutcome, EnqueueRequest, Mode, SessionRef};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::fingerprint;
use super::input::{Body, Built};
use super::result::SendResult;
use super::submit::{Submission, Times, refusal, refuse_new};
use crate::access::{Caller, IdempotencyScope, session_not_found};
use crate::error::{ApiError, Code, ErrorBody};
use crate::request::{
    Limits, Named, Problems, RequestId, Share, idempotency_key, is_idempotency_key, read_json,
};
use crate::state::App;

/// Sends of a batch.
pub(super) const SENDS: RangeInclusive<usize> = 1..=1_000;
/// Most sends, and about the most bytes of content, that are accepted in one step in Redis, which
/// does nothing else meanwhile.
const STEP: usize = 100;
const STEP_BYTES: usize = 128 << 10;
/// Problems of all sends together after which each tells one only.
const PROBLEMS: usize = 1_000;

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
    scope: &'a IdempotencyScope,
    request_id: &'a RequestId,
    /// The key of the request: that of a send without its own follows from it and its place.
    key: Option<&'a str>,
}

/// `POST /sessions/{session}/messages:batch`: 1 to 1,000 asynchronous sends. Those that can be
/// accepted are, in their order; each of the others is answered with all its problems and holds up
/// nothing.
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
        larger: None,
        may_be_empty: false,
    };
    let read = read_json(&parts, body, limits, &mut problems).await?;
    let (map, size) = match read {
        Some((map, size)) => (Some(map), size),
        None => (None, 0),
    };
    let sends = map.map(|map| sends(map, &mut problems)).unwrap_or_default();
    problems.settle()?;
    let from = from?;
    let reading = move || Item::read_all(sends);
    let items = Share::of(&parts.extensions)?.work(size, reading).await?;
    if items.iter().all(|item| item.problems.settle().is_err()) {
        if app.sessions.get(&from).await?.is_none() {
            return Err(session_not_found());
        }
        return Err(all_invalid(&items));
    }
    let batch = Batch {
        app: &app,
        now: app.now(),
        from: &from,
        scope: &caller.idempotency_scope(),
        request_id: &request_id,
        key,
    };
    let mut asked = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        asked.push(batch.acceptance(index, item).await);
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

/// One send as it was read.
struct Item {
    /// The key of its own.
    key: Option<String>,
    /// What is to be sent; `None` where there are problems.
    body: Option<(Jid, Built, Times)>,
    problems: Problems,
}

impl Item {
    fn read_all(sends: Vec<Value>) -> Vec<Self> {
        let mut reported = 0;
        let read = sends.into_iter().enumerate().map(|(index, send)| {
            // Beyond so many in all, each send says its first problem and counts the others.
            let most = if reported < PROBLEMS { usize::MAX } else { 1 };
            let item = Self::read(index, send, Problems::at_most(most));
            reported += item.problems.list().len();
            item
        });
        read.collect()
    }

    fn read(index: usize, send: Value, mut problems: Problems) -> Self {
        let Value::Object(mut map) = send else {
            problems.add(format!("messages[{index}]"), "must be an object");
            return Self {
                key: None,
                body: None,
                problems,
            };
        };
        let key = match map.remove("idempotencyKey") {
            None | Some(Value::Null) => None,
            Some(Value::String(key)) if is_idempotency_key(key.as_bytes()) => Some(key),
            Some(_) => {
                let what = "must be a text of 1 to 255 visible ASCII characters";
                problems.add("idempotencyKey", what);
                None
            }
        };
        let body = Body::read(map, Mode::Async, &mut problems).complete();
        Self {
            key,
            body,
            problems,
        }
    }
}

/// Nothing of a batch can be accepted: the problems of its sends, each with its place.
fn all_invalid(items: &[Item]) -> ApiError {
    let mut problems = Problems::default();
    for (index, item) in items.iter().enumerate() {
        for problem in item.problems.list() {
            let place = format!("messages[{index}]");
            let field = match problem.field.strip_prefix(&place) {
                Some(_) => problem.field.clone(),
                None => format!("{place}.{}", problem.field),
            };
            problems.add(field, problem.message.clone());
        }
        problems.omit(item.problems.omitted());
    }
    ApiError::validation(&problems)
}

impl Batch<'_> {
    /// One send as the lane is asked.
    async fn acceptance(&self, index: usize, item: Item) -> Result<EnqueueRequest, ApiError> {
        item.problems.settle()?;
        let Some((to, built, times)) = item.body else {
            return Err(ApiError::new(Code::Internal, "internal error"));
        };
        let asked = built.as_asked();
        // No key of a client's has a space.
        let key = item
            .key
            .or_else(|| self.key.map(|key| format!("{key} {index}")));
        let session = self.from.session.as_str();
        let mut submission = Submission {
            idempotency: key
                .map(|key| fingerprint::of_send(&key, self.scope, session, &to, &asked, times)),
            from: self.from.clone(),
            to,
            content: asked,
            mode: Mode::Async,
            times,
            request_id: self.request_id.clone(),
        };
        refuse_new(self.app, self.now, &submission).await?;
        if !matches!(built, Built::Ready(_)) {
            submission.content = super::ready(self.app, &submission, built).await?;
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
        let mut outcomes = Vec::with_capacity(sound.len());
        for step in steps(&sound) {
            let lanes = &self.app.lanes;
            outcomes.extend(lanes.accept_all(self.now, organization, step).await?);
            if outcomes.contains(&EnqueueOutcome::SessionNotFound) {
                return Err(session_not_found());
            }
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

/// A batch in steps. Each is one step in Redis, and others get their turn between two of them.
fn steps(mut sends: &[EnqueueRequest]) -> impl Iterator<Item = &[EnqueueRequest]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fit = sends.iter().take(STEP).take_while(|send| {
            let first = bytes == 0;
            bytes += send.content.size();
            first || bytes <= STEP_BYTES
        });
        let (step, rest) = sends.split_at(fit.count());
        sends = rest;
        (!step.is_empty()).then_some(step)
    })
}

fn result(
    now: Millis,
    acceptance: &EnqueueRequest,
    outcome: EnqueueOutcome,
) -> Result<SendResult, ApiError> {
    match outcome {
        EnqueueOutcome::New { status, at, names } => {
            Ok(SendResult::of_new(acceptance, status, at, names))
        }
        EnqueueOutcome::Replayed(replay) => {
            let error = replay.error.clone();
            SendResult::of_replay(replay).or_failure(error)
        }
        refused => Err(refusal(now, refused)),
    }
}
