//! JSON bodies.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use super::intake::Share;
use super::json;
use super::{Fields, Problems};
use crate::error::{ApiError, Code};
use crate::quota::Allowance;
use crate::state::App;

/// A body must arrive by so many bytes at a time within the body's deadline.
const STRIDE: usize = 1 << 20;

/// How large a body may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// In bytes.
    pub(crate) bytes: usize,
    /// For bodies of some types more. Such a body must show its type within the other limit.
    pub(crate) larger: Option<Larger>,
    /// Whether an empty body stands for `{}`.
    pub(crate) may_be_empty: bool,
}

/// A limit for some types of body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Larger {
    /// Whether it holds for this `type`.
    pub(crate) holds_for: fn(&str) -> bool,
    /// The field that only bodies of such a type have.
    pub(crate) field: &'static str,
    /// In bytes.
    pub(crate) bytes: usize,
}

impl Limits {
    /// Those of a small body that may be left out.
    pub(crate) fn of_small(bytes: usize) -> Self {
        Self {
            bytes,
            larger: None,
            may_be_empty: true,
        }
    }
}

/// Reads a body as a JSON object, with its size in bytes. A body that is no JSON object is a
/// problem among the others; `None` is returned then.
///
/// # Errors
/// 415 where it says that it is no JSON, 413 where it is too large, 503 where all bodies together
/// are, 400 where it does not arrive in time.
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
    let largest = limits.larger.map_or(limits.bytes, |larger| larger.bytes);
    if length.is_some_and(|length| length > largest) {
        return Err(too_large(largest));
    }
    let share = Share::of(&parts.extensions)?;
    let allowance = parts.extensions.get::<Allowance>();
    // Before it is read where its length is known.
    let announced = length.unwrap_or(0);
    if let Some(allowance) = allowance {
        allowance.spend_bytes(announced)?;
    }
    let bytes = receive(body, limits, &share).await?;
    let size = bytes.len();
    if let Some(allowance) = allowance {
        allowance.spend_bytes(size.saturating_sub(announced))?;
    }
    if size == 0 && limits.may_be_empty {
        return Ok(Some((Map::new(), 0)));
    }
    let read = share.work(size, move || json::object(&bytes)).await?;
    Ok(read
        .map(|map| (map, size))
        .map_err(|problem| problems.add("body", problem))
        .ok())
}

/// The bytes of a body.
async fn receive(
    mut body: Body,
    mut limits: Limits,
    share: &Arc<Share>,
) -> Result<Vec<u8>, ApiError> {
    let patience = share.patience();
    let mut limit = limits.bytes;
    let mut bytes = Vec::new();
    let mut deadline = Instant::now() + patience;
    loop {
        let frame = timeout_at(deadline, body.frame()).await;
        let frame = match frame.map_err(|_| late(patience))? {
            None => return Ok(bytes),
            Some(frame) => frame.map_err(|_| broken("could not be read to its end"))?,
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let size = bytes.len() + data.len();
        if size > limit
            && let Some(larger) = limits.larger.take()
        {
            let had = bytes.len();
            bytes.extend_from_slice(&data[..limit - had]);
            if json::is_of(&bytes, larger.holds_for, larger.field) {
                limit = larger.bytes;
            }
            bytes.truncate(had);
        }
        if size > limit {
            return Err(too_large(limit));
        }
        share.take(data.len())?;
        if bytes.len() / STRIDE < size / STRIDE {
            deadline = Instant::now() + patience;
        }
        bytes.extend_from_slice(&data);
    }
}

fn late(patience: Duration) -> ApiError {
    let seconds = patience.as_secs_f64();
    broken(&format!(
        "did not arrive in time: {seconds} seconds for each MiB"
    ))
}

fn broken(problem: &str) -> ApiError {
    let mut problems = Problems::default();
    problems.add("body", problem);
    ApiError::validation(&problems)
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
    let limits = Limits::of_small(app.config.api.body_limit_bytes);
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
