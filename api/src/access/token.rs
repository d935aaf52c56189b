//! The token of a request.

use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// The text of a token, from `Authorization: Bearer …` or `x-api-key`. It is in no log.
#[derive(Clone)]
pub(crate) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Token {
    /// The token of a request. Where both headers carry one, `Authorization` counts; another
    /// scheme than `Bearer` is no token of ours.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        });
        let token = match bearer {
            Some(token) => token,
            None => headers.get("x-api-key")?.to_str().ok()?,
        };
        let token = token.trim();
        (!token.is_empty()).then(|| Self(token.to_owned()))
    }

    /// A token by its text.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
