//! The parameters of a path.

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use crate::error::ApiError;

/// The verb behind the last parameter of a path (`{session}:start`). The router puts it into the
/// request's extensions, and [`Named`] leaves it out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verb(pub(crate) &'static str);

/// The parameters of a path as texts: one, two or three of them, in order. What is no text (a
/// broken percent encoding) names nothing: 404.
#[derive(Debug)]
pub(crate) struct Named<T>(pub(crate) T);

/// So many texts.
pub(crate) trait Names: Sized {
    /// These, if they are as many.
    fn of(texts: Vec<String>) -> Option<Self>;
}

impl Names for String {
    fn of(texts: Vec<String>) -> Option<Self> {
        <[Self; 1]>::try_from(texts).ok().map(|[one]| one)
    }
}

impl Names for (String, String) {
    fn of(texts: Vec<String>) -> Option<Self> {
        <[String; 2]>::try_from(texts).ok().map(Into::into)
    }
}

impl Names for (String, String, String) {
    fn of(texts: Vec<String>) -> Option<Self> {
        <[String; 3]>::try_from(texts).ok().map(Into::into)
    }
}

impl<S, T> FromRequestParts<S> for Named<T>
where
    S: Send + Sync,
    T: Names,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let not_found = || ApiError::not_found("path");
        let params: RawPathParams = parts.extract().await.map_err(|_| not_found())?;
        let mut texts: Vec<String> = params.iter().map(|(_, text)| text.to_owned()).collect();
        if let (Some(Verb(verb)), Some(last)) = (parts.extensions.get(), texts.last_mut())
            && let Some(bare) = last
                .strip_suffix(verb)
                .and_then(|rest| rest.strip_suffix(':'))
        {
            *last = bare.to_owned();
        }
        T::of(texts).map(Self).ok_or_else(not_found)
    }
}
