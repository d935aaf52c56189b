//! Files in bodies: as they are, as a part of a form, or as base64.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::{Spool, safe_name, too_large};
use crate::error::{ApiError, Code};
use crate::request::Problems;

/// A body that says nothing for so long has been left by its sender.
const SILENCE: Duration = Duration::from_secs(30);

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A file that came in a body.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) spool: Spool,
    pub(super) filename: Option<String>,
    /// The type that the sender names.
    pub(super) mimetype: Option<String>,
}

/// Reads a file out of a body: the `file` of a form, or all of it.
///
/// # Errors
/// 413 where it is too large, 400 where the form has no file or the body breaks off.
pub(super) async fn receive(
    headers: &HeaderMap,
    body: Body,
    most: u64,
    patience: Duration,
) -> Result<Received, ApiError> {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    // A form is a little larger than its file.
    if length.is_some_and(|length| length > most.saturating_add(1 << 20)) {
        return Err(too_large(most));
    }
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut source = Source {
        deadline: Instant::now() + patience,
        spool: Spool::new(most).await?,
    };
    if kind.to_ascii_lowercase().starts_with("multipart/") {
        let boundary = multer::parse_boundary(kind)
            .map_err(|_| invalid("body", "is a form whose Content-Type names no boundary"))?;
        return source
            .form(multer::Multipart::new(body.into_data_stream(), boundary))
            .await;
    }
    let mut body = body.into_data_stream();
    while let Some(chunk) = source.next(body.next()).await? {
        source.spool.write(&chunk.map_err(|_| broken())?).await?;
    }
    let plain = !kind.is_empty()
        && !kind.starts_with("application/octet-stream")
        && !kind.starts_with("application/x-www-form-urlencoded");
    Ok(Received {
        spool: source.spool,
        filename: None,
        mimetype: plain.then(|| kind.to_owned()),
    })
}

struct Source {
    deadline: Instant,
    spool: Spool,
}

impl Source {
    async fn next<T>(&self, next: impl Future<Output = T>) -> Result<T, ApiError> {
        let until = self.deadline.min(Instant::now() + SILENCE);
        let late = |_| invalid("body", "did not arrive in time");
        timeout_at(until, next).await.map_err(late)
    }

    async fn form(mut self, mut form: multer::Multipart<'static>) -> Result<Received, ApiError> {
        let mut found = None;
        while let Some(mut field) = self
            .next(form.next_field())
            .await?
            .map_err(|error| unreadable(&error))?
        {
            if field.name() != Some("file") || found.is_some() {
                let name = field
                    .name()
                    .unwrap_or_default()
                    .chars()
                    .take(64)
                    .collect::<String>();
                let problem = "is no field of this form: it has one file, called `file`";
                return Err(invalid(&name, problem));
            }
            let filename = field.file_name().and_then(safe_name);
            let mimetype = field.content_type().map(ToString::to_string);
            while let Some(chunk) = self
                .next(field.chunk())
                .await?
                .map_err(|error| unreadable(&error))?
            {
                self.spool.write(&chunk).await?;
            }
            found = Some((filename, mimetype));
        }
        let Some((filename, mimetype)) = found else {
            return Err(invalid("file", "is required"));
        };
        Ok(Received {
            spool: self.spool,
            filename,
            mimetype: mimetype.filter(|kind| kind != "application/octet-stream"),
        })
    }
}

/// Decodes base64, or a `data:` URI of it, into a file.
///
/// # Errors
/// What is wrong with it, in words for its sender; 413 where it is too large.
pub(super) async fn decode(data: &str, most: u64) -> Result<Spool, ApiError> {
    const NEEDED: &str = "must be base64, or a data: URI with base64";
    let encoded = match data.strip_prefix("data:") {
        Some(uri) => {
            let (kind, encoded) = uri.split_once(',').ok_or(invalid("media.data", NEEDED))?;
            if !kind.ends_with(";base64") {
                return Err(invalid("media.data", NEEDED));
            }
            encoded
        }
        None => data,
    };
    let mut spool = Spool::new(most).await?;
    // Four characters are three bytes: pieces of a multiple of four decode by themselves, and only
    // the last one may be short or padded.
    let pieces = encoded.as_bytes().chunks(64 << 10);
    let last = pieces.len().saturating_sub(1);
    for (number, piece) in pieces.enumerate() {
        let bytes = BASE64
            .decode(piece)
            .map_err(|_| invalid("media.data", NEEDED))?;
        if number < last && bytes.len() != piece.len() / 4 * 3 {
            return Err(invalid("media.data", NEEDED));
        }
        spool.write(&bytes).await?;
    }
    if spool.size() == 0 {
        return Err(invalid("media.data", "must not be empty"));
    }
    Ok(spool)
}

pub(super) fn invalid(field: &str, problem: &str) -> ApiError {
    let mut problems = Problems::default();
    problems.add(field.to_owned(), problem.to_owned());
    ApiError::validation(&problems)
}

fn broken() -> ApiError {
    invalid("body", "could not be read to its end")
}

fn unreadable(error: &multer::Error) -> ApiError {
    ApiError::new(Code::ValidationError, "the form can not be read").with(
        "errors",
        serde_json::json!([{ "field": "body", "message": format!("is no readable form: {error}") }]),
    )
}
