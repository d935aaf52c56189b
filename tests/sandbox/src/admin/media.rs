//! `/admin/media` and the files of people.

use std::io;

use axum::body::Body as Bytes;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use super::body::Body;
use super::error::{AdminError, account};
use super::{Answer, Shared};
use crate::media::Fault;
use crate::peer::FileError;

/// The file of a message as the person's phone opens it: decrypted and verified.
pub(super) async fn file(
    State(world): Shared,
    Path((phone, id)): Path<(String, String)>,
) -> Result<Response, AdminError> {
    let account = account(&world, &phone)?;
    let opening = tokio::task::spawn_blocking(move || account.phone.open_file(&world, &id));
    let opened = opening.await.unwrap_or_else(|panic| {
        let error = io::Error::other(panic);
        Err(FileError::Disk(error))
    });
    let (file, mimetype) = opened?;
    let stream = ReaderStream::with_capacity(tokio::fs::File::from_std(file), 64 * 1024);
    let mimetype = header::HeaderValue::from_str(&mimetype)
        .unwrap_or(header::HeaderValue::from_static("application/octet-stream"));
    Ok((
        [(header::CONTENT_TYPE, mimetype)],
        Bytes::from_stream(stream),
    )
        .into_response())
}

/// The person's phone has none of its files any more: it uploads none again.
pub(super) async fn forget(State(world): Shared, Path(phone): Path<String>) -> Answer {
    account(&world, &phone)?.phone.forget_files();
    Ok(axum::Json(json!({ "phone": phone })))
}

/// How often what was asked of the CDN.
pub(super) async fn counts(State(world): Shared) -> axum::Json<Value> {
    axum::Json(json!({ "hosts": world.cdn.hosts(), "counts": world.cdn.counts() }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expiry {
    /// What is answered from now on: 403, 404 or 410.
    #[serde(default = "gone")]
    status: u16,
    /// The direct path; all that there are when left out.
    path: Option<String>,
}

fn gone() -> u16 {
    410
}

/// References expire.
pub(super) async fn expire(State(world): Shared, Body(expiry): Body<Expiry>) -> Answer {
    let expired = world.cdn.expire(expiry.path.as_deref(), expiry.status);
    Ok(axum::Json(json!({ "expired": expired })))
}

/// What clients were told to upload with does not hold any more.
pub(super) async fn rotate_auth(State(world): Shared) -> axum::Json<Value> {
    world.cdn.rotate_auth();
    axum::Json(json!({ "rotated": true }))
}

/// Something is to go wrong.
pub(super) async fn fault(State(world): Shared, Body(fault): Body<Fault>) -> Answer {
    world.cdn.add_fault(fault);
    Ok(axum::Json(json!({ "added": true })))
}

/// Nothing is to go wrong any more.
pub(super) async fn clear_faults(State(world): Shared) -> axum::Json<Value> {
    world.cdn.clear_faults();
    axum::Json(json!({ "cleared": true }))
}
