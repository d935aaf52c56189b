//! Sending messages, and operations on them.

mod batch;
mod contact;
pub(crate) mod docs;
mod fingerprint;
mod input;
mod location;
mod media;
mod operations;
mod poll;
mod result;
mod submit;
mod text;
mod types;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use gateway_shared::lane::Mode;

use crate::access::Caller;
use crate::error::{ApiError, Code};
use crate::request::{
    Limits, Named, Problems, Query, RequestId, idempotency_key, read_json, too_large,
};
use crate::state::App;
use input::{Body, Built};
pub(crate) use operations::docs as operation_docs;
pub(crate) use operations::{edit, forward, react, revoke, unreact, vote};
use result::answer;
use submit::{Submission, submit};

pub(crate) use batch::batch;
pub(crate) use submit::{lane_full, logged_out};

/// `POST /sessions/{session}/messages?async=`: one message of any type.
pub(crate) async fn send(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Extension(request_id): Extension<RequestId>,
    Named(session): Named<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let from = caller.session(&session);
    let (parts, body) = request.into_parts();
    let mut problems = Problems::default();

    let wait = !Query::of(&parts.uri).flag(&mut problems, "async");
    let mode = if wait { Mode::Sync } else { Mode::Async };
    let key = idempotency_key(&parts.headers, &mut problems);
    // Which limit holds is known once the type is.
    let limits = Limits {
        bytes: app.config.api.media_body_limit_bytes,
        may_be_empty: false,
    };
    let read = read_json(&parts, body, limits, &mut problems).await?;
    let body = match read {
        Some((map, size)) => {
            let body = Body::read(map, mode, &mut problems);
            let limit = app.config.api.body_limit_bytes;
            if size > limit && !body.is_media {
                return Err(too_large(limit));
            }
            Some(body)
        }
        None => None,
    };
    problems.settle()?;
    // Without problems there is a complete body.
    let Some((to, built, times)) = body.and_then(Body::complete) else {
        return Err(ApiError::new(Code::Internal, "internal error"));
    };
    let content = match built {
        Built::Ready(content) => content,
        Built::Later(kind) => return Err(type_not_built(kind)),
    };

    let submission = Submission {
        idempotency: key.map(|key| fingerprint::of_send(key, &session, &to, &content, times)),
        from: from?,
        to,
        content,
        mode,
        times,
        request_id,
    };
    let of = submission.from.clone();
    answer(of, submit(&app, submission).await)
}

/// Messages of this type are validated and can not be sent yet.
fn type_not_built(kind: &str) -> ApiError {
    ApiError::new(
        Code::NotImplemented,
        format!("messages of type {kind} are not built yet"),
    )
    .with("reason", "type_not_built")
}
