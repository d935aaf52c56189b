//! The requests that the CDN answers.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio_util::io::ReaderStream;

use super::faults::{Direction, Fault, Host};
use super::state::{Found, Held};
use super::{disk, state};
use crate::world::World;

/// How a file is read and written.
const CHUNK: usize = 64 * 1024;

pub(super) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/mms/{kind}/{token}", post(upload))
        .fallback(download)
        .with_state(world)
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    auth: Option<String>,
    token: Option<String>,
    resume: Option<String>,
    file_offset: Option<u64>,
}

fn host(headers: &HeaderMap) -> Host {
    let name = headers
        .get(header::HOST)
        .and_then(|name| name.to_str().ok());
    if name.is_some_and(|name| name.starts_with("localhost")) {
        Host::Fallback
    } else {
        Host::Primary
    }
}

/// Does what a fault says before the request is looked at.
async fn suffer(fault: Option<&Fault>) -> Result<(), StatusCode> {
    let Some(fault) = fault else { return Ok(()) };
    if let Some(delay) = fault.delay {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    match fault.status {
        Some(status) => {
            Err(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        }
        None => Ok(()),
    }
}

/// `POST /mms/{kind}/{hash of the ciphertext}`: the ciphertext, or, with `resume=1`, how much of it
/// is here already.
async fn upload(
    State(world): State<Arc<World>>,
    Path((_, token)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, StatusCode> {
    let cdn = &world.cdn;
    if asked.auth.as_deref() != Some(cdn.auth().as_str()) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    if asked.resume.is_some() {
        return Ok(axum::Json(progress(&world, &token, &headers)).into_response());
    }
    cdn.count(|counts| counts.begun += 1);
    let fault = cdn.strike(host(&headers), Direction::Upload);
    suffer(fault.as_ref()).await?;
    let cut_after = fault.and_then(|fault| fault.cut_after);

    let resumed = asked.file_offset.filter(|offset| *offset > 0);
    let mut receiving = Receiving::begin(&world, &token, resumed)?;
    let mut body = body.into_data_stream();
    while let Some(chunk) = body.next().await {
        // What came until the client broke off is kept.
        let chunk = chunk.map_err(|_| StatusCode::BAD_REQUEST)?;
        receiving.write(&chunk).map_err(|error| disk(&error))?;
        if cut_after.is_some_and(|most| receiving.length >= most) {
            // The rest of the body stays unread, so the connection is closed under the client.
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
    }
    let length = receiving.end()?;
    cdn.count(|counts| {
        counts.uploads += 1;
        counts.resumed += u64::from(resumed.is_some());
        counts.uploaded_bytes += length - resumed.unwrap_or_default();
    });
    Ok(axum::Json(referred(&world, &token, &headers)).into_response())
}

fn progress(world: &World, token: &str, headers: &HeaderMap) -> serde_json::Value {
    match world.cdn.held(token) {
        Some(held) if held.whole => {
            let mut answer = referred(world, token, headers);
            answer["resume"] = "complete".into();
            answer
        }
        held => json!({ "resume": held.map_or(0, |held| held.length).to_string() }),
    }
}

fn referred(world: &World, token: &str, headers: &HeaderMap) -> serde_json::Value {
    let path = world.cdn.refer(token);
    let hosts = world.cdn.hosts().unwrap_or_default();
    let host = match host(headers) {
        Host::Primary => &hosts[0],
        Host::Fallback => &hosts[1],
    };
    json!({ "url": format!("https://{host}{path}"), "direct_path": path })
}

/// A file that is being received. What there is of it is kept when the client breaks off.
struct Receiving<'a> {
    world: &'a World,
    token: &'a str,
    path: std::path::PathBuf,
    file: File,
    length: u64,
    hash: Sha256,
    ended: bool,
}

impl<'a> Receiving<'a> {
    fn begin(world: &'a World, token: &'a str, from: Option<u64>) -> Result<Self, StatusCode> {
        let (path, file, hash) = match from {
            None => {
                let path = world.cdn.new_path();
                let file = File::create(&path).map_err(|error| disk(&error))?;
                (path, file, Sha256::new())
            }
            Some(offset) => {
                let held = world.cdn.take(token).ok_or(StatusCode::CONFLICT)?;
                if held.whole || held.length != offset {
                    world.cdn.keep(token, held);
                    return Err(StatusCode::CONFLICT);
                }
                let hash = hash_of(&held.path).map_err(|error| disk(&error))?;
                let file = OpenOptions::new().append(true).open(&held.path);
                (held.path, file.map_err(|error| disk(&error))?, hash)
            }
        };
        Ok(Self {
            world,
            token,
            path,
            file,
            length: from.unwrap_or_default(),
            hash,
            ended: false,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.length += u64::try_from(bytes.len()).unwrap_or_default();
        Ok(())
    }

    /// All of it is here: it is what its name says, or it is refused.
    fn end(mut self) -> Result<u64, StatusCode> {
        self.ended = true;
        let hash = std::mem::take(&mut self.hash).finalize();
        if state::token_of(&hash) != self.token {
            std::fs::remove_file(&self.path).ok();
            tracing::warn!("a file was uploaded under a hash that is not its own");
            return Err(StatusCode::BAD_REQUEST);
        }
        self.keep(true);
        Ok(self.length)
    }

    fn keep(&self, whole: bool) {
        let held = Held {
            path: self.path.clone(),
            length: self.length,
            whole,
        };
        self.world.cdn.keep(self.token, held);
    }
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.keep(false);
        }
    }
}

fn hash_of(path: &FilePath) -> io::Result<Sha256> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hash);
        }
        hash.update(&buffer[..read]);
    }
}

/// `GET {direct path}`: the ciphertext.
async fn download(
    State(world): State<Arc<World>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, StatusCode> {
    let fault = world.cdn.strike(host(&headers), Direction::Download);
    suffer(fault.as_ref()).await?;
    let held = match world.cdn.find(uri.path(), asked.token.as_deref()) {
        Found::File(held) => held,
        Found::Refused(status) => {
            return Err(StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND));
        }
    };
    let file = tokio::fs::File::open(&held.path).await;
    let file = file.map_err(|error| disk(&error))?;
    world.cdn.count(|counts| counts.downloads += 1);
    let (cut_after, damage) = fault.map_or((None, false), |fault| (fault.cut_after, fault.damage));
    let mut sent = 0;
    let chunks = ReaderStream::with_capacity(file, CHUNK).map(move |chunk| {
        let mut chunk = chunk?;
        if damage && sent == 0 {
            let mut changed = chunk.to_vec();
            changed[0] ^= 1;
            chunk = changed.into();
        }
        sent += u64::try_from(chunk.len()).unwrap_or_default();
        match cut_after {
            Some(most) if sent > most => Err(io::Error::other("cut")),
            _ => Ok(chunk),
        }
    });
    let length = [
        (header::CONTENT_LENGTH, held.length.to_string()),
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
    ];
    Ok((length, Body::from_stream(chunks)).into_response())
}
