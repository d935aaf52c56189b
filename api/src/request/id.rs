//! The id of a request.

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use gateway_shared::clock::Millis;
use ulid::Ulid;

/// The header that carries it, both ways.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Its greatest length.
const MOST: usize = 128;

/// The id of a request: the client's, if it is one (visible ASCII, at most 128), or a new one. It
/// is echoed, logged, and carried with a send into its events.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    pub(crate) fn of(headers: &HeaderMap, now: Millis) -> Self {
        let given = headers.get(HEADER).filter(|value| {
            let bytes = value.as_bytes();
            (1..=MOST).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        match given.and_then(|value| value.to_str().ok()) {
            Some(text) => Self(text.into()),
            None => {
                let millis = u64::try_from(now).unwrap_or(0);
                let fresh = Ulid::from_parts(millis, Ulid::new().random());
                Self(format!("req_{fresh}").into())
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
