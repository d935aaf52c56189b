//! JSON bodies.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use serde_json::{Map, Value};

use super::{Fields, Problems};
use crate::error::{ApiError, Code};
use crate::state::App;

/// How large a body may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// In bytes.
    pub(crate) bytes: usize,
    /// Whether an empty body stands for `{}`.
    pub(crate) may_be_empty: bool,
}

/// Reads a body as a JSON object, with its size in bytes. A body that is no JSON object is a
/// problem among the others; `None` is returned then.
///
/// # Errors
/// 415 where it says that it is no JSON, 413 where it is too large.
pub(crate) async fn read_json(
    parts: &Parts,
    body: Body,
    limits: Limits,
    problems: &mut Problems,
) -> Result<Option<(Map<String, Value>, usize)>, ApiError> {
    let length = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let empty = limits.may_be_empty && length.unwrap_or(0) == 0;
    if !empty && !is_json(parts) {
        return Err(ApiError::new(
            Code::UnsupportedMediaType,
            "the body must be JSON: Content-Type: application/json",
        ));
    }
    if length.is_some_and(|length| length > limits.bytes) {
        return Err(too_large(limits.bytes));
    }
    let bytes = axum::body::to_bytes(body, limits.bytes)
        .await
        .map_err(|error| match too_long(&error) {
            true => too_large(limits.bytes),
            false => {
                let mut problems = Problems::default();
                problems.add("body", "could not be read to its end");
                ApiError::validation(&problems)
            }
        })?;
    if bytes.is_empty() && limits.may_be_empty {
        return Ok(Some((Map::new(), 0)));
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        problems.add("body", "must be UTF-8");
        return Ok(None);
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(Some((map, bytes.len()))),
        Ok(_) => {
            problems.add("body", "must be a JSON object");
            Ok(None)
        }
        Err(error) => {
            problems.add("body", format!("must be JSON: {error}"));
            Ok(None)
        }
    }
}

/// Reads a small body, which may be left out, with `read`, which tells of every problem in it.
///
/// # Errors
/// 400 with every problem, 413, 415.
pub(crate) async fn read_body<T>(
    app: &App,
    request: Request,
    read: impl FnOnce(Fields, &mut Problems) -> T,
) -> Result<T, ApiError> {
    let (parts, body) = request.into_parts();
    let limits = Limits {
        bytes: app.config.api.body_limit_bytes,
        may_be_empty: true,
    };
    let mut problems = Problems::default();
    let map = read_json(&parts, body, limits, &mut problems).await?;
    problems.settle()?;
    let (map, _) = map.unwrap_or_default();
    let value = read(Fields::of_body(map), &mut problems);
    problems.settle()?;
    Ok(value)
}

/// The body is over the limit.
pub(crate) fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        Code::PayloadTooLarge,
        format!("the body may have at most {limit} bytes"),
    )
    .with("limitBytes", limit)
}

fn is_json(parts: &Parts) -> bool {
    let Some(kind) = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > "application/".len()
            && essence.is_char_boundary("application/".len())
            && essence[.."application/".len()].eq_ignore_ascii_case("application/")
            && essence.to_ascii_lowercase().ends_with("+json"))
}

fn too_long(error: &axum::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}
