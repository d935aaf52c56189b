//! The operations room: pages over the queues for the operators of an installation, on a listener of
//! its own.
//!
//! - `access`: signing in, the cookie, and what every action must carry
//! - `layout`: the frame of every page; `assets`: its style and script, in the binary
//! - `overview`, `queues`, `messages`, `story` (one message), `sessions`, `workers`, `webhooks`,
//!   `organizations`, `jobs`, `audit`: the pages, by noun; `charts`, `icons`, `words`: what they are made of
//! - `actions`: the forms of everything that changes something; what they do is [`crate::control`]'s
//!
//! Live update is the page itself, asked for every other second while its tab is seen, and put in place
//! where it differs: 40 lines of the script. htmx 2 would be 50 kB for the same requests, and its swaps
//! replace what somebody has focused, selected or opened, unless an extension morphs.

mod access;
mod actions;
mod assets;
mod audit;
mod charts;
mod icons;
mod jobs;
mod layout;
mod messages;
mod organizations;
mod overview;
mod queues;
mod sessions;
mod story;
mod webhooks;
mod words;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::{Markup, html};

use crate::error::ApiError;
use crate::state::App;

/// Nothing inline and nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

/// The operations room.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let pages = Router::new()
        .route("/ops", get(overview::page))
        .route("/ops/queues", get(queues::page))
        .route("/ops/messages", get(messages::search))
        .route("/ops/messages/{session}/{outbox}", get(story::page))
        .route("/ops/sessions", get(sessions::list))
        .route("/ops/sessions/{session}", get(sessions::one))
        .route("/ops/workers", get(workers::page))
        .route("/ops/webhooks", get(webhooks::list))
        .route("/ops/webhooks/{organization}/{webhook}", get(webhooks::one))
        .route("/ops/organizations", get(organizations::list))
        .route("/ops/organizations/{organization}", get(organizations::one))
        .route("/ops/jobs", get(jobs::list))
        .route("/ops/jobs/{job}", get(jobs::one))
        .route("/ops/audit", get(audit::page))
        .route("/ops/actions", post(actions::act_on))
        .route("/ops/sign-out", post(access::sign_out))
        .layer(from_fn_with_state(app.clone(), access::admit));
    Router::new()
        .merge(pages)
        .route("/", get(async || Redirect::to("/ops")))
        .route(
            "/ops/sign-in",
            get(access::sign_in_page).post(access::sign_in),
        )
        .route("/ops/assets/{name}", get(assets::serve))
        .fallback(async || Failure::missing("page"))
        .layer(map_response(guard))
        .with_state(app.clone())
}

async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: with it browsers send `Origin: null` along with our own forms.
        (REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry("cache-control")
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Why a page could not be shown: for people, with what to do.
pub(crate) struct Failure {
    status: axum::http::StatusCode,
    title: String,
    advice: String,
}

impl Failure {
    fn missing(what: &str) -> Self {
        Self {
            status: axum::http::StatusCode::NOT_FOUND,
            title: format!("There is no such {what}"),
            advice: "It may have ended with its retention, or the address is not whole.".into(),
        }
    }

    fn refused(title: &str, advice: &str) -> Self {
        Self {
            status: axum::http::StatusCode::FORBIDDEN,
            title: title.into(),
            advice: advice.into(),
        }
    }

    fn bad(title: &str, advice: &str) -> Self {
        Self {
            status: axum::http::StatusCode::BAD_REQUEST,
            title: title.into(),
            advice: advice.into(),
        }
    }
}

impl<E: Into<ApiError>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error: ApiError = error.into();
        let code = error.code();
        if code.status().is_server_error() {
            tracing::warn!(?error, "a page of the operations room could not be made");
            return Self {
                status: axum::http::StatusCode::SERVICE_UNAVAILABLE,
                title: "Redis does not answer".into(),
                advice:
                    "Nothing is lost by that. Look at Redis first; this page works again when it \
                         answers."
                        .into(),
            };
        }
        let message = error.message().to_owned();
        let mut letters = message.chars();
        let title = letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect()
        });
        Self {
            status: code.status(),
            title,
            advice: "Nothing was done.".into(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body: Markup = html! { h1 { (self.title) } p { (self.advice) } p { a href="/ops" { "To the overview" } } };
        (self.status, layout::bare("Not here", &body)).into_response()
    }
}
