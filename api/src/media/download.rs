//! `GET /sessions/{session}/messages/{mid}/media`: the file of a message.
//!
//! It is served from the store. What is not there yet is fetched from WhatsApp by this process; a
//! reference that has expired is renewed once, by the author's phone, which the session's worker asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use gateway_shared::command::{Command, MediaCommand};
use gateway_shared::domain::{Content, Download, Jid, OrganizationId};
use gateway_shared::lane::SessionRef;
use gateway_shared::media::{FetchError, Reference, StoredFile};
use gateway_shared::messages::{Found, Located, Wanted, Whole};
use serde_json::Value;

use super::serve::{Labels, serve};
use crate::access::{Caller, session_not_found};
use crate::error::{ApiError, Code};
use crate::replies::{Unanswered, ask};
use crate::request::{Named, Problems, Query, RequestId};
use crate::state::App;

/// Files that are being fetched: whoever asks for one of them waits for it.
#[derive(Debug, Default)]
pub(crate) struct Fetches(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Fetches {
    fn of(&self, file: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody waits for any more.
        all.retain(|_, fetch| Arc::strong_count(fetch) > 1);
        Arc::clone(all.entry(file.to_owned()).or_default())
    }
}

/// `GET /sessions/{session}/messages/{mid}/media?chat=`.
pub(crate) async fn download(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Extension(request_id): Extension<RequestId>,
    Named((session, mid)): Named<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let from = caller.session(&session)?;
    let mut problems = Problems::default();
    let chat = Query::of(request.uri()).parsed::<Jid>(&mut problems, "chat");
    problems.settle()?;
    let place = Place {
        of: &from,
        mid: &mid,
        chat: chat.as_ref(),
    };
    serve_file_of(&app, place, &request_id, request.headers()).await
}

/// `GET /media/{mediaToken}`: the same, for whoever has a signed address.
pub(crate) async fn linked(
    State(app): State<Arc<App>>,
    Extension(request_id): Extension<RequestId>,
    Named(token): Named<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let link = app.links.read(&token);
    let link = link.ok_or_else(|| ApiError::not_found("file"))?;
    if link.expires_at <= app.now() {
        let over = ApiError::new(Code::Gone, "the address is not good any more");
        return Err(over.with("reason", "link_expired"));
    }
    let chat = link.chat.parse().ok();
    let place = Place {
        of: &link.of,
        mid: &link.message,
        chat: chat.as_ref(),
    };
    serve_file_of(&app, place, &request_id, request.headers()).await
}

/// Which message.
struct Place<'a> {
    of: &'a SessionRef,
    mid: &'a str,
    chat: Option<&'a Jid>,
}

async fn serve_file_of(
    app: &App,
    place: Place<'_>,
    request_id: &RequestId,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let Place {
        of: from,
        mid,
        chat,
    } = place;
    let wanted = Wanted {
        id: mid,
        chat,
        idempotency: None,
        whole: true,
    };
    let found = match app.messages.locate(from, wanted).await? {
        Located::Found(found) => found,
        Located::SessionNotFound => return Err(session_not_found()),
        Located::KeyKnown | Located::Unknown | Located::OfFormerAccount => {
            return Err(ApiError::not_found("message"));
        }
    };
    let organization = &from.organization;
    let keep = app.config.media.keep_ms;
    let (file, labels) = match sent(&found, mid) {
        Some((sha256, labels)) => {
            let file = app.media.hold(organization, &sha256, 0, keep).await?;
            (file.ok_or_else(gone)?, labels)
        }
        None => {
            let download = app.media.download_of(from, mid, &found.message)?;
            let download = download.ok_or_else(|| ApiError::not_found("media"))?;
            let message = Message {
                of: from,
                mid,
                found: &found,
                request_id,
            };
            (fetched(app, &message, &download).await?, received(&found))
        }
    };
    serve(app, organization, &file, labels, headers).await
}

fn gone() -> ApiError {
    ApiError::new(Code::Gone, "the file is not to be had any more").with("reason", "media_gone")
}

/// The file of a message that this session sent.
fn sent(found: &Found, mid: &str) -> Option<(String, Labels)> {
    let Some(Whole::Sent(body)) = &found.content else {
        return None;
    };
    let content: Content = serde_json::from_str(body).ok()?;
    let (_, media) = content.file_of(mid)?;
    let labels = Labels {
        mimetype: Some(media.mimetype.clone()),
        filename: media.filename.clone(),
    };
    Some((media.sha256.clone(), labels))
}

/// What the event says of the file of a message that came in, while it is kept.
fn received(found: &Found) -> Labels {
    let Some(Whole::Emitted(payload)) = &found.content else {
        return Labels::default();
    };
    let payload: Value = serde_json::from_str(payload).unwrap_or_default();
    let kind = payload["type"].as_str().unwrap_or_default();
    let text = |name: &str| payload[kind][name].as_str().map(str::to_owned);
    Labels {
        mimetype: text("mimetype"),
        filename: text("fileName"),
    }
}

struct Message<'a> {
    of: &'a SessionRef,
    mid: &'a str,
    found: &'a Found,
    request_id: &'a RequestId,
}

/// The file of a message that came in: from the store, or from WhatsApp.
async fn fetched(
    app: &App,
    message: &Message<'_>,
    download: &Download,
) -> Result<StoredFile, ApiError> {
    let organization = &message.of.organization;
    let mut reference = Reference::of(download).ok_or_else(gone)?;
    let sha256 = reference.name().ok_or_else(gone)?;
    if let Some(file) = stored(app, organization, &sha256).await? {
        return Ok(file);
    }
    let fetch = app.fetches.of(&format!("{organization} {sha256}"));
    let _alone = fetch.lock().await;
    if let Some(file) = stored(app, organization, &sha256).await? {
        return Ok(file);
    }
    let _turn = app.fetching.acquire().await;
    match app.fetcher.fetch(organization, &reference).await {
        Err(FetchError::Expired(_)) => {
            reference.direct_path = uploaded_again(app, message, &reference).await?;
        }
        other => return other.map_err(not_fetched),
    }
    match app.fetcher.fetch(organization, &reference).await {
        Err(FetchError::Expired(_)) => Err(gone()),
        other => other.map_err(not_fetched),
    }
}

async fn stored(
    app: &App,
    organization: &OrganizationId,
    sha256: &str,
) -> Result<Option<StoredFile>, ApiError> {
    let keep = app.config.media.keep_ms;
    Ok(app.media.hold(organization, sha256, 0, keep).await?)
}

fn not_fetched(error: FetchError) -> ApiError {
    match error {
        FetchError::Store(error) => error.into(),
        FetchError::NoReference => gone(),
        FetchError::TooLarge(limit) => super::too_large(limit),
        error @ (FetchError::Expired(_) | FetchError::Unreachable(_)) => ApiError::unavailable(
            "media_unreachable",
            "WhatsApp does not give the file at the moment",
        )
        .caused_by(error),
    }
}

/// Has the author's phone upload the file again, and gives where it is then.
async fn uploaded_again(
    app: &App,
    message: &Message<'_>,
    reference: &Reference,
) -> Result<String, ApiError> {
    let media_key = reference.media_key.as_ref().ok_or_else(gone)?;
    let session = app.sessions.get(message.of).await?;
    let worker = session.and_then(|session| session.worker);
    let not_connected = || {
        ApiError::unavailable(
            "session_not_connected",
            "the reference to the file has expired, and only a session that is connected can ask for \
             another one",
        )
    };
    let worker = worker.ok_or_else(not_connected)?;
    let known = &message.found.message;
    let command = Command::Media(MediaCommand::UploadAgain {
        message: message.mid.to_owned(),
        chat: known.chat.clone(),
        sender: known.sender.clone(),
        media_key: gateway_shared::domain::HexBytes(media_key.clone()),
    });
    match ask(app, message.of, &worker, message.request_id, command).await {
        Ok(answer) => answer["directPath"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(gone),
        Err(Unanswered::Refused(error)) if error.code == "media_gone" => Err(gone()),
        Err(Unanswered::Refused(_)) => Err(not_connected()),
        Err(Unanswered::Failed(error)) => Err(error),
    }
}
