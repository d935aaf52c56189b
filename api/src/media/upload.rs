//! `POST /media`: a file is handed in, and can be sent by its name from then on.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use gateway_shared::clock::Millis;
use gateway_shared::domain::{MediaId, OrganizationId};
use gateway_shared::media::{MediaName, NewName, StoredFile};
use schemars::JsonSchema;
use serde::Serialize;

use super::admit::{facts_of, fill};
use super::receive::{invalid, receive};
use super::safe_name;
use crate::access::Caller;
use crate::error::ApiError;
use crate::request::{Problems, Query, idempotency_key};
use crate::state::App;

/// A file that was handed in.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MediaFile {
    /// Its name in `media.id` of a send.
    id: MediaId,
    /// What it is, as its sender says, or by its first bytes.
    mimetype: String,
    /// Bytes.
    size: u64,
    /// SHA-256 of its content, as hex.
    sha256: String,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    /// Pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// How long it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u32>,
    /// Pages of a document, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    page_count: Option<u32>,
    /// When it was handed in.
    created_at: Millis,
    /// Until when it can be sent by this name.
    expires_at: Millis,
}

impl MediaFile {
    fn of(file: StoredFile, name: MediaName) -> Self {
        let facts = file.facts;
        Self {
            id: name.id,
            mimetype: name.mimetype.unwrap_or(facts.mimetype),
            size: file.size,
            sha256: file.sha256,
            filename: name.filename,
            width: facts.width,
            height: facts.height,
            seconds: facts.seconds,
            page_count: facts.page_count,
            created_at: name.created_at,
            expires_at: name.expires_at,
        }
    }
}

/// `POST /media?filename=`: the body is the file, or a form with it.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let mut problems = Problems::default();
    let key = idempotency_key(&parts.headers, &mut problems);
    let query = Query::of(&parts.uri);
    let filename = query.get("filename").and_then(safe_name);
    let mimetype = query.get("mimetype").map(str::to_owned);
    if mimetype.as_deref().is_some_and(|text| !is_mimetype(text)) {
        problems.add("mimetype", "must be a media type such as image/jpeg");
    }
    problems.settle()?;
    let config = &app.config.media;
    let patience = Duration::from_millis(config.receive_timeout_ms);
    let most = config.most_bytes_of_any();
    let mut received = receive(&parts.headers, body, most, patience).await?;
    if received.spool.size() == 0 {
        return Err(invalid("body", "must hold a file"));
    }
    let facts = facts_of(&app, &mut received.spool, "body").await?;
    let organization = &caller.organization;
    let id = match key {
        None => MediaId::generate(app.now()),
        Some(key) => named_by(organization, key),
    };
    let writing = fill(&app, organization, &mut received.spool).await?;
    if key.is_some()
        && let Some(known) = app.media.named(organization, &id).await?
    {
        let same = known.sha256 == writing.sha256_so_far();
        writing.abandon().await;
        let file = app.media.hold(organization, &known.sha256, 0, 0).await?;
        return match file.filter(|_| same) {
            Some(file) => Ok(answer(MediaFile::of(file, known))),
            None => Err(ApiError::conflict(
                "idempotency_key_reused",
                "the Idempotency-Key was used before with another file",
            )),
        };
    }
    let declared = received.mimetype.filter(|text| is_mimetype(text));
    let name = NewName {
        id,
        mimetype: mimetype.or(declared),
        filename: filename.or(received.filename),
    };
    app.organizations.note(organization).await?;
    let (file, name) = writing.finish(facts, config.keep_ms, Some(name)).await?;
    let Some(name) = name else {
        return Err(ApiError::new(
            crate::error::Code::Internal,
            "internal error",
        ));
    };
    tracing::debug!(%organization, media = name.id.as_str(), size = file.size, "a file was handed in");
    Ok(answer(MediaFile::of(file, name)))
}

fn answer(file: MediaFile) -> Response {
    (StatusCode::CREATED, Json(file)).into_response()
}

/// The name that an Idempotency-Key stands for.
fn named_by(organization: &OrganizationId, key: &str) -> MediaId {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(format!("media {organization} {key}"));
    MediaId::of_bytes(hash.first_chunk().copied().unwrap_or_default())
}

/// Whether a text is a media type, with or without parameters.
pub(crate) fn is_mimetype(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.len() <= 255
        && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && essence
            .split_once('/')
            .is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}
