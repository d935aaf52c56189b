//! Pictures, videos, recordings, documents and stickers. Where the file itself is, is made up unless
//! it is given.

use buffa::MessageField;
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::Value;
use waproto::whatsapp::Message;
use waproto::whatsapp::message::{
    AudioMessage, DocumentMessage, ImageMessage, StickerMessage, StickerPackMessage, VideoMessage,
    sticker_pack_message,
};

use super::read;

pub(super) const KINDS: &[&str] = &[
    "image",
    "video",
    "gif",
    "short",
    "audio",
    "voice",
    "document",
    "sticker",
    "sticker_pack",
];

/// A file, and what is said of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    mimetype: Option<String>,
    size: Option<u64>,
    caption: Option<String>,
    seconds: Option<u32>,
    width: Option<u32>,
    height: Option<u32>,
    file_name: Option<String>,
    title: Option<String>,
    page_count: Option<u32>,
    #[serde(default)]
    waveform: Vec<u8>,
    #[serde(default)]
    animated: bool,
    #[serde(default)]
    lottie: bool,
    #[serde(default)]
    view_once: bool,
    /// Where WhatsApp's media hosts have it, and with which key (hexadecimal).
    direct_path: Option<String>,
    media_key: Option<String>,
    sha256: Option<String>,
    enc_sha256: Option<String>,
    name: Option<String>,
    publisher: Option<String>,
}

/// Where a file is and how it is read.
struct Place {
    direct_path: String,
    media_key: Vec<u8>,
    sha256: Vec<u8>,
    enc_sha256: Vec<u8>,
}

impl File {
    fn place(&self) -> Result<Place, String> {
        let bytes = |given: &Option<String>| match given {
            Some(text) => hex::decode(text).map_err(|error| error.to_string()),
            None => {
                let made_up: [u8; 32] = rand::rng().random();
                Ok(made_up.to_vec())
            }
        };
        let made_up = || {
            format!(
                "/v/t62.7118-24/{}",
                hex::encode(rand::rng().random::<[u8; 8]>())
            )
        };
        Ok(Place {
            direct_path: self.direct_path.clone().unwrap_or_else(made_up),
            media_key: bytes(&self.media_key)?,
            sha256: bytes(&self.sha256)?,
            enc_sha256: bytes(&self.enc_sha256)?,
        })
    }
}

macro_rules! filed {
    ($type:ident, $file:ident, $place:ident, { $($field:ident: $value:expr),* $(,)? }) => {
        MessageField::some($type {
            direct_path: Some($place.direct_path.clone()),
            media_key: Some($place.media_key.clone()),
            file_sha256: Some($place.sha256.clone()),
            file_enc_sha256: Some($place.enc_sha256.clone()),
            file_length: Some($file.size.unwrap_or(1_000)),
            $($field: $value,)*
            ..Default::default()
        })
    };
}

pub(super) fn build(kind: &str, wanted: &Value) -> Result<Message, String> {
    let file: File = read(wanted)?;
    let place = file.place()?;
    let mimetype = |usual: &str| Some(file.mimetype.clone().unwrap_or_else(|| usual.to_owned()));
    let once = file.view_once.then_some(true);
    let mut message = Message::default();
    match kind {
        "image" => {
            message.image_message = filed!(ImageMessage, file, place, {
                mimetype: mimetype("image/jpeg"), caption: file.caption.clone(),
                width: file.width, height: file.height, view_once: once,
                jpeg_thumbnail: Some(vec![0xff, 0xd8, 0xff]),
            });
        }
        "video" | "gif" | "short" => {
            let video = filed!(VideoMessage, file, place, {
                mimetype: mimetype("video/mp4"), caption: file.caption.clone(),
                width: file.width, height: file.height, seconds: file.seconds,
                gif_playback: (kind == "gif").then_some(true), view_once: once,
            });
            if kind == "short" {
                message.ptv_message = video;
            } else {
                message.video_message = video;
            }
        }
        "audio" | "voice" => {
            message.audio_message = filed!(AudioMessage, file, place, {
                mimetype: mimetype("audio/ogg; codecs=opus"), seconds: file.seconds,
                ptt: (kind == "voice").then_some(true),
                waveform: (!file.waveform.is_empty()).then(|| file.waveform.clone()),
                view_once: once,
            });
        }
        "document" => {
            message.document_message = filed!(DocumentMessage, file, place, {
                mimetype: mimetype("application/pdf"), caption: file.caption.clone(),
                file_name: file.file_name.clone(), title: file.title.clone(),
                page_count: file.page_count,
            });
        }
        "sticker" => {
            message.sticker_message = filed!(StickerMessage, file, place, {
                mimetype: mimetype("image/webp"), width: file.width, height: file.height,
                is_animated: Some(file.animated), is_lottie: Some(file.lottie),
            });
        }
        _ => {
            message.sticker_pack_message = filed!(StickerPackMessage, file, place, {
                sticker_pack_id: Some("pack".to_owned()), name: file.name.clone(),
                publisher: file.publisher.clone(), caption: file.caption.clone(),
                stickers: vec![sticker_pack_message::Sticker::default(); 3],
            });
        }
    }
    Ok(message)
}
