//! Serving the page.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The page: one file without anything from elsewhere. It asks where the pairing stands, and so needs
/// nothing filled in.
const PAGE: &str = include_str!("page.html");

/// What it may do: run its own script and style, known by their hashes, show the picture that it was
/// given, and ask its own origin.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |begin: &str, end: &str| {
        let inside = PAGE
            .split_once(begin)
            .and_then(|(_, rest)| rest.split_once(end))
            .map_or("", |(inside, _)| inside);
        STANDARD.encode(Sha256::digest(inside))
    };
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("<style>", "</style>"),
        hash("<script>", "</script>"),
    )
});

/// The page, with a status that says whether its address is still good.
pub(super) fn of(status: StatusCode) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The address is a secret.
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, PAGE).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        for outside in ["http://", "src=\"", "@import", "url("] {
            assert!(!PAGE.contains(outside), "{outside}");
        }
        // The one address of somebody else is shown to people, and not loaded.
        assert!(!PAGE.contains("href=\"https://"));
        assert_eq!(PAGE.matches("<script>").count(), 1);
        assert_eq!(PAGE.matches("<style>").count(), 1);
        assert!(!PAGE.contains("style=\""), "the policy would refuse it");
    }
}
