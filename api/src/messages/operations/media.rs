//! Forwarding files: what is at WhatsApp already is not uploaded again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway_shared::domain::{Content, Download, FileFacts, FileKind, HexBytes, Jid, Media};
use gateway_shared::lane::SessionRef;
use gateway_shared::media::Uploaded;
use gateway_shared::messages::{Found, Located, Wanted, Whole};
use serde_json::Value;

use super::forward::again;
use crate::error::ApiError;
use crate::state::App;

/// What is to be sent of a message with a file; `None` where it has none, or is not known.
///
/// # Errors
/// 409 where it is no longer known where its file is.
pub(super) async fn forwarded(
    app: &App,
    of: &SessionRef,
    mid: &str,
    chat: Option<&Jid>,
) -> Result<Option<Content>, ApiError> {
    let wanted = Wanted {
        id: mid,
        chat,
        idempotency: None,
        whole: true,
    };
    let Located::Found(found) = app.messages.locate(of, wanted).await? else {
        return Ok(None);
    };
    let kind = match found.message.kind.as_str() {
        // Events call it by another name than sends do.
        "short" => Ok(FileKind::Ptv),
        other => other.parse::<FileKind>(),
    };
    let Ok(kind) = kind else {
        return Ok(None);
    };
    let (mut media, times, uploaded) = match &found.content {
        Some(Whole::Sent(body)) => {
            let sent: Content = serde_json::from_str(body).map_err(|_| not_kept())?;
            let (item, media) = sent.file_of(mid).ok_or_else(not_kept)?;
            (
                media.clone(),
                sent.context().map_or(0, |context| context.forwarded),
                app.media.upload_of_message(of, mid, item).await?,
            )
        }
        _ => {
            let download = app.media.download_of(of, mid, &found.message)?;
            let uploaded = download.and_then(|download| as_uploaded(app, &download, &found));
            let uploaded = uploaded.ok_or_else(not_kept)?;
            let (media, times) = told(kind, &found, &uploaded);
            (media, times, Some(uploaded))
        }
    };
    if let Some(uploaded) = uploaded {
        media.reference = Some(app.media.seal_reference(&of.organization, &uploaded)?);
    } else {
        // Its send is not kept any more, but its file may be.
        let keep = app.config.media.keep_ms;
        let file = app
            .media
            .hold(&of.organization, &media.sha256, 0, keep)
            .await?;
        file.ok_or_else(not_kept)?;
    }
    media.view_once = false;
    Ok(Some(Content::Media {
        media: Box::new(media),
        context: again(times),
    }))
}

fn not_kept() -> ApiError {
    ApiError::conflict(
        "content_not_kept",
        "the content of the message is no longer kept",
    )
}

/// Where the file of a message that came in is.
fn as_uploaded(app: &App, download: &Download, found: &Found) -> Option<Uploaded> {
    let bytes = |text: &Option<String>| STANDARD.decode(text.as_ref()?).ok().map(HexBytes);
    let direct_path = download.direct_path.clone()?;
    let host = app.config.media.hosts.first()?;
    Some(Uploaded {
        url: format!("{host}{direct_path}"),
        media_key: bytes(&download.media_key)?,
        sha256: bytes(&download.sha256)?,
        enc_sha256: bytes(&download.enc_sha256)?,
        size: download.size,
        media_key_timestamp: found.message.time / 1_000,
        sidecar: None,
        at: found.message.time,
        direct_path,
    })
}

/// What the event says of the file, while it is kept, and how often it was forwarded.
fn told(kind: FileKind, found: &Found, uploaded: &Uploaded) -> (Media, u32) {
    let payload: Value = match &found.content {
        Some(Whole::Emitted(payload)) => serde_json::from_str(payload).unwrap_or_default(),
        _ => Value::Null,
    };
    let file = &payload[payload["type"].as_str().unwrap_or_default()];
    let text = |name: &str| file[name].as_str().map(str::to_owned);
    let number = |name: &str| {
        file[name]
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
    };
    let mimetype = text("mimetype").unwrap_or_else(|| default_type(kind).to_owned());
    let values = file["waveform"].as_array();
    let waveform = values.map(|values| {
        let value = |value: &Value| u8::try_from(value.as_u64().unwrap_or_default()).unwrap_or(100);
        HexBytes(values.iter().take(64).map(value).collect())
    });
    let media = Media {
        kind,
        sha256: hex::encode(&uploaded.sha256.0),
        size: uploaded.size,
        caption: payload["text"]
            .as_str()
            .map(str::to_owned)
            .filter(|_| kind.has_caption()),
        filename: text("fileName"),
        view_once: false,
        facts: FileFacts {
            mimetype: mimetype.clone(),
            width: number("width"),
            height: number("height"),
            seconds: number("seconds"),
            waveform: waveform.filter(|waveform| !waveform.0.is_empty()),
            page_count: number("pageCount"),
            thumbnail: text("thumbnail")
                .and_then(|jpeg| STANDARD.decode(jpeg).ok())
                .map(HexBytes),
            animated: file["animated"].as_bool().unwrap_or(false),
            plays: true,
        },
        mimetype,
        reference: None,
    };
    let times = payload["forwardingScore"]
        .as_u64()
        .and_then(|times| u32::try_from(times).ok());
    (media, times.unwrap_or_default())
}

fn default_type(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Image => "image/jpeg",
        FileKind::Video | FileKind::Gif | FileKind::Ptv => "video/mp4",
        FileKind::Audio | FileKind::Voice => "audio/ogg; codecs=opus",
        FileKind::Document => "application/octet-stream",
        FileKind::Sticker => "image/webp",
    }
}
