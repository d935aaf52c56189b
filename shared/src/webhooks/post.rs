//! The request of a delivery.

use std::fmt;

use bytes::Bytes;

use super::record::{CustomHeaders, reserved_header};
use super::secret::Secrets;
use super::sign::sign;
use crate::clock::Millis;
use crate::egress::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use crate::egress::{Egress, EgressError, Limits, Method, Request, StatusCode};

/// How much of an answer is read, in bytes.
const READ: u64 = 64 * 1024;
/// How much of it is kept, in bytes.
const KEPT: usize = 4 * 1024;

/// What is posted.
pub struct Post<'a> {
    /// Where to.
    pub url: &'a str,
    /// Headers of one's own.
    pub custom_headers: &'a CustomHeaders,
    /// What signs.
    pub secrets: &'a Secrets,
    /// The event's id: the same for every attempt.
    pub id: &'a str,
    /// The moment of this attempt.
    pub now: Millis,
    /// The body.
    pub body: Bytes,
}

/// Without what it holds.
impl fmt::Debug for Post<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "post of {}", self.id)
    }
}

/// What an endpoint answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The beginning of its body as text.
    pub body: String,
}

/// Signs and posts a body. Whatever is answered is an answer, redirects too.
///
/// # Errors
/// When there is no answer.
pub async fn post(egress: &Egress, post: Post<'_>) -> Result<Answer, EgressError> {
    let target = egress.target(post.url)?;
    let request = Request {
        method: Method::POST,
        target,
        headers: headers(&post),
        body: post.body,
    };
    let limits = Limits::of(egress.config(), READ);
    let response = egress.send(request, limits).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = match response.beginning(KEPT).await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // Its status was an answer already.
        Err(_) => String::new(),
    };
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// The headers of a delivery. Headers of one's own come first, so that none overrides another.
fn headers(post: &Post<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in post.custom_headers {
        let (Ok(known), Ok(mut value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
        else {
            continue;
        };
        if !reserved_header(name) {
            value.set_sensitive(true);
            headers.insert(known, value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in sign(post.secrets, post.id, post.now, &post.body) {
        if let Ok(value) = value.parse() {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_ones_own_override_none() {
        let own = [
            ("authorization", "Bearer theirs"),
            ("webhook-id", "forged"),
            ("x-webhook-hmac", "forged"),
            ("content-type", "text/plain"),
            ("host", "elsewhere"),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = headers(&Post {
            url: "https://example.com/",
            custom_headers: &own.into(),
            secrets: &Secrets::generate(),
            id: "evt_1",
            now: 5_000,
            body: Bytes::from_static(b"{}"),
        });
        assert_eq!(headers["authorization"], "Bearer theirs");
        assert_eq!(headers["webhook-id"], "evt_1");
        assert_eq!(headers["webhook-timestamp"], "5");
        assert_eq!(headers["x-webhook-timestamp"], "5000");
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["x-webhook-hmac"].len(), 128);
        assert!(!headers.contains_key("host"));
    }
}
