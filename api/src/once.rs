//! Work that is done once for each `Idempotency-Key`, and whose answer is kept: for every request
//! that makes something and is no send (sends keep their record with their outbox entry).
//!
//! A handler reads its body with [`Keyed::read`], and does its work in [`Keyed::once`].

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use gateway_shared::answers::{Begun, KeptAnswer};
use gateway_shared::lane::IdempotencyKey;
use serde_json::json;
use sha2::{Digest, Sha256};
use ulid::Ulid;

use crate::access::Caller;
use crate::error::{ApiError, Code};
use crate::request::{Fields, Limits, Problems, idempotency_key, read_json};
use crate::state::App;

/// Says that an answer is that of an earlier request with the same key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Most bytes of an answer that is kept.
const LARGEST: usize = 1 << 20;
/// When to try again where the same key is under way.
const RETRY_MS: u64 = 1_000;

/// What was read of a request, and its key.
pub(crate) struct Keyed<T> {
    /// What the body says.
    pub(crate) value: T,
    key: Option<IdempotencyKey>,
}

impl<T> Keyed<T> {
    /// Reads a small body, which may be left out, with `read`, which reports every problem in it, and
    /// the request's key.
    ///
    /// # Errors
    /// 400 with every problem, 413, 415.
    pub(crate) async fn read(
        app: &App,
        caller: &Caller,
        request: Request,
        read: impl FnOnce(Fields, &mut Problems) -> T,
    ) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let mut problems = Problems::default();
        let key = idempotency_key(&parts.headers, &mut problems);
        let limits = Limits::of_small(app.config.api.body_limit_bytes);
        let map = read_json(&parts, body, limits, &mut problems).await?;
        problems.settle()?;
        let (map, _) = map.unwrap_or_default();
        // A field that is null counts as absent, and the order of fields does not matter.
        let said: serde_json::Map<_, _> = map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let print = json!([parts.method.as_str(), parts.uri.path(), said]);
        let key = key.map(|key| IdempotencyKey {
            hash: caller.idempotency_scope().hash(key),
            fingerprint: hex::encode(Sha256::digest(print.to_string())),
        });
        let value = read(Fields::of_body(map), &mut problems);
        problems.settle()?;
        Ok(Self { value, key })
    }

    /// Does the work, or answers as it was answered before under the same key. With a key the work goes
    /// on when its caller has gone: the answer is there for the repeat.
    ///
    /// # Errors
    /// 409 where the key was used with another request, or the same one is under way; else those of
    /// the work, which leave the key unused.
    pub(crate) async fn once<F>(
        self,
        app: Arc<App>,
        caller: Arc<Caller>,
        work: impl FnOnce(T) -> F,
    ) -> Result<Response, ApiError>
    where
        F: Future<Output = Result<Response, ApiError>> + Send + 'static,
    {
        let work = work(self.value);
        let Some(key) = self.key else {
            return work.await;
        };
        let token = Ulid::new().to_string();
        let organization = caller.organization.clone();
        match app.answers.begin(&organization, &key, &token).await? {
            Begun::Begun => {}
            Begun::Answered(kept) => return Ok(replayed(kept)),
            Begun::KeyReused => {
                return Err(ApiError::conflict(
                    "idempotency_key_reused",
                    "the Idempotency-Key was used before with another request",
                ));
            }
            Begun::UnderWay => {
                return Err(ApiError::conflict(
                    "idempotency_key_in_use",
                    "a request with this Idempotency-Key is under way",
                )
                .retry_after(RETRY_MS));
            }
        }
        let done = tokio::spawn(async move {
            let (answered, kept) = match work.await {
                Ok(response) => keep(response).await,
                Err(error) => (Err(error), None),
            };
            let settled = app
                .answers
                .settle(&organization, &key, &token, kept.as_ref());
            if let Err(error) = settled.await {
                tracing::warn!(%organization, %error, "the answer of a key could not be kept");
            }
            answered
        });
        // A panic leaves the key under way until its lease ends.
        done.await.unwrap_or_else(|error| {
            Err(ApiError::new(Code::Internal, "internal error").caused_by(error))
        })
    }
}

/// An answer, and what is kept of it.
async fn keep(response: Response) -> (Result<Response, ApiError>, Option<KeptAnswer>) {
    let (parts, body) = response.into_parts();
    match to_bytes(body, LARGEST).await {
        Ok(body) => {
            let kept = KeptAnswer {
                status: parts.status.as_u16(),
                body: body.to_vec(),
            };
            let kept = parts.status.is_success().then_some(kept);
            (Ok(Response::from_parts(parts, Body::from(body))), kept)
        }
        Err(error) => {
            let error = ApiError::new(Code::Internal, "internal error").caused_by(error);
            (Err(error), None)
        }
    }
}

fn replayed(kept: KeptAnswer) -> Response {
    let empty = kept.body.is_empty();
    let mut response = Response::new(Body::from(kept.body));
    *response.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if !empty {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}
