//! Sending messages, and operations on them.

mod album;
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
mod vcard;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use gateway_shared::domain::{AlbumItem, Content, new_message_id};
use gateway_shared::lane::Mode;

use crate::access::{Caller, session_not_found};
use crate::error::{ApiError, Code};
use crate::media::admit;
use crate::request::{
    Larger, Limits, Named, Problems, Query, RequestId, Share, idempotency_key, read_json, too_large,
};
use crate::state::App;
use input::{Body, Built};
pub(crate) use operations::docs as operation_docs;
pub(crate) use operations::{edit, forward, react, revoke, unreact, vote};
use result::answer;
use submit::{Submission, replay, submit};

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
    let limits = Limits {
        bytes: app.config.api.body_limit_bytes,
        larger: Some(Larger {
            holds_for: types::is_media,
            field: "media",
            bytes: app.config.api.media_body_limit_bytes,
        }),
        may_be_empty: false,
    };
    let read = read_json(&parts, body, limits, &mut problems).await?;
    let body = match read {
        Some((map, size)) => {
            if media::goes_to_channel(&map) {
                return Err(media::not_to_channels());
            }
            let share = Share::of(&parts.extensions)?;
            let reading = move || {
                let body = Body::read(map, mode, &mut problems);
                (body, problems)
            };
            let (body, found) = share.work(size, reading).await?;
            problems = found;
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
    let from = from?;
    let asked = built.as_asked();
    let scope = caller.idempotency_scope();
    let mut submission = Submission {
        idempotency: key.map(|key| fingerprint::of_send(key, &scope, &session, &to, &asked, times)),
        from,
        to,
        content: asked,
        mode,
        times,
        request_id,
    };
    if !matches!(built, Built::Ready(_)) {
        // A repeat is answered as its original: what it named is not fetched again.
        if let Some(key) = &submission.idempotency {
            let of = &submission.from;
            if app
                .lanes
                .replay(&of.organization, key, None)
                .await?
                .is_some()
            {
                let result = replay(&app, of, key, mode, &submission.request_id).await;
                return answer(of.clone(), result);
            }
        }
        submission.content = ready(&app, &submission, built).await?;
    }
    let of = submission.from.clone();
    answer(of, submit(&app, submission).await)
}

/// Makes the files of a send ready, one after the other.
async fn ready(app: &App, submission: &Submission, built: Built) -> Result<Content, ApiError> {
    let organization = &submission.from.organization;
    // Nothing is fetched or stored for a session that is not there.
    if app.sessions.get(&submission.from).await?.is_none() {
        return Err(session_not_found());
    }
    let until = submission.ends_at(app);
    Ok(match built {
        Built::Ready(content) => content,
        Built::File(wanted, context) => Content::Media {
            media: Box::new(admit(app, organization, &wanted, "media", until).await?),
            context,
        },
        Built::Album(wanted, context) => {
            let mut items = Vec::with_capacity(wanted.len());
            for (index, wanted) in wanted.iter().enumerate() {
                let field = format!("items[{index}].media");
                items.push(AlbumItem {
                    id: new_message_id(),
                    media: admit(app, organization, wanted, &field, until).await?,
                });
            }
            Content::Album { items, context }
        }
    })
}
