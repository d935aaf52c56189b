//! Bodies that are answered before they were read: the client must know whether the connection can
//! carry another request.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::timeout;

/// What is left of a body is read to its end if it is no more than this, in bytes: cheaper for both
/// sides than another connection.
const LITTLE: u64 = 64 << 10;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the body of a request has got to.
#[derive(Debug, Default)]
enum Progress {
    /// Somebody may read on.
    #[default]
    Reading,
    /// All of it was read.
    Read,
    /// Nobody wants the rest.
    Left(Incoming),
}

/// What became of the body of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Remainder(Arc<Mutex<Progress>>);

impl Remainder {
    /// A body that leaves here what is not read of it.
    pub(super) fn of(&self, body: Incoming) -> Body {
        if body.is_end_stream() {
            self.set(Progress::Read);
            return Body::empty();
        }
        Body::new(Followed {
            body: Some(body),
            remainder: self.clone(),
        })
    }

    fn set(&self, progress: Progress) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    fn take(&self) -> Progress {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads a little rest to its end. With a larger one the connection can not be used again, and the
    /// answer says so: a client that did not know would lose its next request.
    pub(super) async fn settle<B>(self, response: &mut Response<B>) {
        let reusable = match self.take() {
            Progress::Read => true,
            Progress::Left(body) => match body.size_hint().exact() {
                Some(rest) if rest <= LITTLE => {
                    timeout(PATIENCE, discarded(body)).await.unwrap_or(false)
                }
                _ => false,
            },
            Progress::Reading => response.status() == StatusCode::SWITCHING_PROTOCOLS,
        };
        if !reusable {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
    }
}

/// Reads a body and keeps nothing of it; whether its end was reached.
async fn discarded(mut body: Incoming) -> bool {
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            return false;
        }
    }
    true
}

struct Followed {
    body: Option<Incoming>,
    remainder: Remainder,
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.remainder.set(match self.body.take() {
            Some(body) if !body.is_end_stream() => Progress::Left(body),
            _ => Progress::Read,
        });
    }
}
