//! `/events`: an organization's events as they happen, resumable.
//!
//! ```text
//!  stream in Redis ──XREAD BLOCK──▶ hub (one for each organization that is listened to)
//!        │                            │ broadcast
//!        └──XRANGE──▶ listener ◀──────┘
//!       catching up            following
//! ```
//!
//! A listener first joins the hub, then reads the stream from its cursor until it has caught up,
//! then follows the hub. One that is too slow for the hub goes back to reading the stream, so
//! nothing is ever dropped for it, and nothing is kept in memory for it either.

pub(crate) mod docs;
mod hub;
mod input;
mod listener;
mod payloads;
#[cfg(test)]
mod slow_listener;

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use crate::access::{Caller, Token, session_not_found};
use crate::error::ApiError;
use crate::request::Problems;
use crate::state::App;
pub(crate) use hub::Hubs;
use input::Wanted;
use listener::{Form, Listener};
pub(crate) use payloads::schemas;

/// `GET /events?types=&session=&since=`: Server-Sent Events, or NDJSON by `Accept`.
pub(crate) async fn listen(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut problems = Problems::default();
    let wanted = Wanted::read(&uri, &headers, &caller, &mut problems);
    problems.settle()?;
    if let Some(session) = &wanted.session {
        let of = caller.session(session.as_str())?;
        if app.sessions.get(&of).await?.is_none() {
            return Err(session_not_found());
        }
    }
    let form = Form::wanted(&headers);
    let token = Token::of(&headers);
    let listener = Listener::join(app, &caller, token, wanted, form).await?;
    let chunks = stream::unfold(listener, |mut listener| async move {
        let chunk = listener.next().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), listener))
    });
    let headers = [
        (CONTENT_TYPE, form.mimetype()),
        (CACHE_CONTROL, "no-cache, no-transform"),
    ];
    let mut response = (headers, Body::from_stream(chunks)).into_response();
    // Proxies that buffer would hold events back.
    response.headers_mut().insert(
        "x-accel-buffering",
        axum::http::HeaderValue::from_static("no"),
    );
    Ok(response)
}
