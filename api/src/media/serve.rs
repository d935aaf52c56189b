//! A stored file as an answer: all of it or a part, with a type and a name that do no harm.

use std::ops::Range;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use gateway_shared::domain::OrganizationId;
use gateway_shared::media::StoredFile;

use super::name::{name_for, safe_name};
use super::upload::is_mimetype;
use crate::error::ApiError;
use crate::state::App;

/// What is said of a file besides its content.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// What its sender says that it is.
    pub(super) mimetype: Option<String>,
    /// What its sender calls it.
    pub(super) filename: Option<String>,
}

/// What a request asks of a file.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    All,
    Part(Range<u64>),
    /// Nothing of what the file has.
    Beyond,
}

/// Answers with a file.
///
/// # Errors
/// 410 where its object is gone, 503 where the store does not answer. A file that turns out to be
/// damaged on the way breaks the connection.
pub(super) async fn serve(
    app: &App,
    organization: &OrganizationId,
    file: &StoredFile,
    labels: Labels,
    request: &HeaderMap,
) -> Result<Response, ApiError> {
    let etag = format!("\"{}\"", file.sha256);
    let mut headers = headers(file, labels, &etag);
    let known = request
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known == "*" || known.split(',').any(|one| one.trim() == etag)) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    // A part of what the caller has a part of, and of nothing newer.
    let same = request
        .get(IF_RANGE)
        .is_none_or(|value| value.as_bytes() == etag.as_bytes());
    let range = request
        .get(RANGE)
        .filter(|_| same)
        .and_then(|value| value.to_str().ok());
    let (status, part) = match range.map_or(Asked::All, |range| asked(range, file.size)) {
        Asked::All => (StatusCode::OK, 0..file.size),
        Asked::Part(part) => {
            let place = format!("bytes {}-{}/{}", part.start, part.end - 1, file.size);
            headers.insert(CONTENT_RANGE, value(&place));
            (StatusCode::PARTIAL_CONTENT, part)
        }
        Asked::Beyond => {
            headers.insert(CONTENT_RANGE, value(&format!("bytes */{}", file.size)));
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
    };
    headers.insert(CONTENT_LENGTH, value(&(part.end - part.start).to_string()));
    let reading = app.media.read(organization, file, part).await?;
    // Read as fast as it is taken, one chunk ahead of whoever reads slowly.
    let chunks = stream::try_unfold(reading, async |mut reading| {
        let chunk = reading.chunk().await?;
        Ok::<_, gateway_shared::media::MediaError>(chunk.map(|chunk| (chunk, reading)))
    });
    Ok((status, headers, Body::from_stream(chunks)).into_response())
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

fn headers(file: &StoredFile, labels: Labels, etag: &str) -> HeaderMap {
    let mimetype = labels.mimetype.filter(|text| is_mimetype(text));
    let mimetype = mimetype.unwrap_or_else(|| file.facts.mimetype.clone());
    let filename = labels.filename.as_deref().and_then(safe_name);
    let filename = filename.unwrap_or_else(|| name_for(&mimetype));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, value(&mimetype));
    headers.insert(CONTENT_DISPOSITION, value(&disposition(&filename)));
    headers.insert(ETAG, value(etag));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=86400, immutable"),
    );
    // A stranger's file: nothing in it is run, whatever a browser takes it for.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'"),
    );
    headers
}

/// `attachment`, with the name in both forms that browsers read (RFC 6266).
fn disposition(filename: &str) -> String {
    let plain: String = filename
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let mut encoded = String::new();
    for byte in filename.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// Reads one range. What is none, or several, counts as not asked.
fn asked(range: &str, size: u64) -> Asked {
    let Some((from, to)) = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Asked::All;
    };
    if range.contains(',') {
        return Asked::All;
    }
    let part = match (from.trim().parse::<u64>(), to.trim().parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => from..to.saturating_add(1).min(size),
        (Ok(from), Err(_)) if to.trim().is_empty() => from..size,
        (Err(_), Ok(last)) if from.trim().is_empty() => size.saturating_sub(last)..size,
        _ => return Asked::All,
    };
    if part.start < part.end {
        Asked::Part(part)
    } else {
        Asked::Beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        for (range, expected) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=2-5", Asked::Part(2..6)),
            ("bytes=2-500", Asked::Part(2..10)),
            ("bytes=9-", Asked::Part(9..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-300", Asked::Part(0..10)),
            ("bytes=10-", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=5-2", Asked::All),
            ("bytes=0-1,3-4", Asked::All),
            ("bytes=x-", Asked::All),
            ("lines=0-1", Asked::All),
            ("bytes=99999999999999999999-", Asked::All),
        ] {
            assert_eq!(asked(range, 10), expected, "{range}");
        }
        assert_eq!(asked("bytes=0-", 0), Asked::Beyond);
    }

    #[test]
    fn names_can_not_leave_their_header() {
        assert_eq!(
            disposition("a\"b\\c; d=é.pdf"),
            "attachment; filename=\"a_b_c; d=_.pdf\"; filename*=UTF-8''a%22b%5Cc%3B%20d%3D%C3%A9.pdf"
        );
        assert!(HeaderValue::from_str(&disposition("a\r\nSet-Cookie: x")).is_ok());
    }
}
