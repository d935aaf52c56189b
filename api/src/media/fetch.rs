//! Files that a send names by their address: fetched through the client for what tenants name, which
//! dials no special address, also not by a redirect.

use std::time::Duration;

use bytes::Bytes;
use gateway_shared::egress::header::{ACCEPT, CONTENT_DISPOSITION, HeaderMap, HeaderValue};
use gateway_shared::egress::{EgressError, Limits, Method, Request, Target};

use super::receive::invalid;
use super::{Spool, safe_name, too_large};
use crate::error::{ApiError, Code};
use crate::state::App;

/// Redirects that are followed, each checked.
const REDIRECTS: usize = 3;

/// A file that was fetched.
pub(super) struct Fetched {
    pub(super) spool: Spool,
    pub(super) filename: Option<String>,
}

/// Fetches a file.
///
/// # Errors
/// 400 where the address is refused or gives no file, 413 where it gives too large a one.
pub(super) async fn fetch(app: &App, url: &str, most: u64) -> Result<Fetched, ApiError> {
    let refused = |problem: &dyn std::fmt::Display| invalid("media.url", &problem.to_string());
    let failed = |error: EgressError| match error {
        EgressError::TooLarge { limit } => too_large(limit),
        error => invalid("media.url", &format!("could not be fetched: {error}")),
    };
    let target = app
        .egress
        .target(url)
        .map_err(|refusal| refused(&refusal))?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    let request = Request {
        method: Method::GET,
        target,
        headers,
        body: Bytes::new(),
    };
    let limits = Limits {
        total: Duration::from_millis(app.config.media.receive_timeout_ms),
        redirects: REDIRECTS,
        ..Limits::of(app.egress.config(), most)
    };
    let mut response = app.egress.send(request, limits).await.map_err(failed)?;
    let status = response.status();
    if !status.is_success() {
        return Err(invalid(
            "media.url",
            &format!("could not be fetched: it answered {status}"),
        ));
    }
    let named = response.headers().get(CONTENT_DISPOSITION);
    let named = named
        .and_then(|value| value.to_str().ok())
        .and_then(filename_in);
    let filename = named.or_else(|| last_segment(response.target()));
    let mut spool = Spool::new(most).await?;
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        spool.write(&chunk).await?;
    }
    if spool.size() == 0 {
        return Err(
            ApiError::new(Code::ValidationError, "the request is not valid").with(
                "errors",
                serde_json::json!([{ "field": "media.url", "message": "gave an empty file" }]),
            ),
        );
    }
    Ok(Fetched { spool, filename })
}

/// The plain `filename` of a Content-Disposition.
fn filename_in(disposition: &str) -> Option<String> {
    let (_, rest) = disposition.split_once("filename=")?;
    let name = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split(';').next()?,
    };
    safe_name(name)
}

/// What the address ends with, if that looks like the name of a file.
fn last_segment(target: &Target) -> Option<String> {
    let path = target.as_str().split(['?', '#']).next()?;
    let name = path.rsplit('/').next()?;
    safe_name(name).filter(|name| name.contains('.') && !name.contains('%'))
}
