//! The outermost layer: request ids, panics, and the log of what went wrong.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use gateway_shared::domain::OutboxId;
use gateway_shared::lane::SessionRef;

use crate::error::{ApiError, Cause, Code};
use crate::metrics;
use crate::request::{REQUEST_ID, RequestId};
use crate::state::App;

/// What a request was about, for its log line.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// The session, and whose it is.
    pub(crate) of: SessionRef,
    /// The send, once it has an id.
    pub(crate) outbox_id: Option<OutboxId>,
}

/// Gives every request an id, turns a panic into a masked 500, and logs what went wrong, once.
pub(crate) async fn wrap(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::of(request.headers(), app.now());
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(id.clone());
    // What the body takes is given back when the request is answered.
    request.extensions_mut().insert(app.intake.share());
    let began = Instant::now();

    // The request ends with the panic: nothing of it is looked at again.
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = match answered {
        Ok(response) => response,
        Err(panic) => {
            let what = panic_text(panic.as_ref());
            tracing::error!(request_id = %id, panic = what, "a handler panicked");
            ApiError::new(Code::Internal, "internal error").into_response()
        }
    };

    let status = response.status();
    let path = path.as_ref().map_or("-", MatchedPath::as_str);
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    metrics::answered(&method, path, status, began.elapsed());
    let cause = response.extensions_mut().remove::<Cause>();
    let about = response.extensions_mut().remove::<About>();
    let organization = about.as_ref().map(|about| about.of.organization.as_str());
    let session = about.as_ref().map(|about| about.of.session.as_str());
    let outbox_id = about
        .as_ref()
        .and_then(|about| about.outbox_id.as_ref().map(OutboxId::as_str));
    if status.is_server_error() {
        let cause = cause.as_ref().map(|cause| cause.0.to_string());
        tracing::warn!(
            request_id = %id, organization, session, outbox_id, %method, path,
            status = status.as_u16(), micros, cause,
            "answered with an error"
        );
    } else {
        tracing::debug!(
            request_id = %id, organization, session, outbox_id, %method, path,
            status = status.as_u16(), micros,
            "answered"
        );
    }
    if let Some(value) = id.header() {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    // What somebody else wrote (a label, a message) is never taken for a page or a script.
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no text)")
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use gateway_shared::config::Config;
    use gateway_shared::secrets::Keyring;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_a_masked_error() {
        let app = App::open(Config::defaults().unwrap(), Keyring::generate().unwrap())
            .await
            .unwrap();
        let service: Router = Router::new()
            .route("/", get(async || -> () { panic!("the secret reason") }))
            .layer(from_fn_with_state(app, wrap));
        let request = Request::get("/").body(Body::empty()).unwrap();
        let answer = service.oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 500);
        assert!(answer.headers().contains_key(REQUEST_ID));
        let body = to_bytes(answer.into_body(), 1_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains(r#""code":"internal""#), "{body}");
        assert!(!body.contains("secret"));
    }
}
