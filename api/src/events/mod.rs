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
//! nothing is ever dropped for it, and nothing is kept in memory for it either. One that stays behind
//! for too long (`api.events_slow_ms`) is told so by `stream.slow`, and its stream ends.

mod batch;
pub(crate) mod docs;
mod form;
mod hub;
mod input;
mod listener;
mod payloads;
#[cfg(test)]
mod slow_listener;
pub(crate) mod ticket;
mod web_socket;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::access::{Caller, Token, session_not_found};
use crate::error::ApiError;
use crate::request::Problems;
use crate::state::App;
use form::Form;
pub(crate) use hub::Hubs;
use input::Wanted;
use listener::Listener;
pub(crate) use payloads::schemas;

/// `GET /events?types=&session=&since=`: Server-Sent Events, NDJSON by `Accept`, or a WebSocket.
pub(crate) async fn listen(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Extension(token): Extension<Token>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
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
    let limit = Duration::from_millis(app.config.api.events_slow_ms);
    if let Ok(upgrade) = upgrade {
        let form = Form::WebSocket;
        let listener = Listener::join(app, &caller, Some(token), wanted, form).await?;
        return Ok(web_socket::upgrade(upgrade, listener, limit));
    }
    let form = Form::wanted(&headers);
    let mut listener = Listener::join(app, &caller, Some(token), wanted, form).await?;
    let (pass_on, chunks) = mpsc::channel(1);
    // A client that takes nothing for too long is dropped, whatever the connection says.
    tokio::spawn(async move {
        loop {
            let chunk = tokio::select! {
                chunk = listener.next() => chunk,
                () = pass_on.closed() => return,
            };
            let Some(chunk) = chunk else { return };
            match timeout(limit, pass_on.send(chunk)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    });
    let chunks = stream::unfold(chunks, |mut chunks| async move {
        let chunk = chunks.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), chunks))
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
