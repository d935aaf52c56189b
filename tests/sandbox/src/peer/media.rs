//! Files that a phone sends and gets.

use std::fs::File;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{alphabet, engine::DecodePaddingMode};
use buffa::{Message as _, MessageField};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use wacore::download::{DownloadUtils, MediaType};
use wacore::proto_helpers::MessageExt as _;
use wacore::upload::encrypt_media;
use waproto::whatsapp::Message;
use waproto::whatsapp::message::{
    AudioMessage, DocumentMessage, FutureProofMessage, ImageMessage, StickerMessage, VideoMessage,
};

use super::Phone;
use crate::clock;
use crate::world::World;

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The file of a message: where it is, and how it is decrypted.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) kind: &'static str,
    media_type: MediaType,
    direct_path: String,
    media_key: Vec<u8>,
    sha256: Vec<u8>,
    enc_sha256: Vec<u8>,
    mimetype: String,
    /// What the message says about the file.
    pub(super) content: Map<String, Value>,
}

/// What a phone needs to upload a file again.
#[derive(Debug)]
pub(crate) struct MediaKey {
    pub(crate) media_key: Vec<u8>,
    pub(crate) enc_sha256: Vec<u8>,
}

/// Why a phone cannot open the file of a message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("the person has no message with this id and a file")]
    NoFile,
    #[error("nothing was ever uploaded under this hash")]
    NotUploaded,
    #[error("the file cannot be decrypted with the key of the message: {0}")]
    Damaged(anyhow::Error),
    #[error("the decrypted file has another hash than the message says")]
    OtherHash,
    #[error("the disk failed: {0}")]
    Disk(#[from] io::Error),
}

/// A message without its wrappers, and the album it belongs to.
fn unwrapped(message: &Message) -> (&Message, Option<&str>) {
    let base = message.get_base_message();
    let association = message
        .message_context_info
        .as_option()
        .and_then(|info| info.message_association.as_option())
        .and_then(|association| association.parent_message_key.as_option());
    let album = association.and_then(|key| key.id.as_deref());
    let child = base.associated_child_message.as_option();
    match child.and_then(|child| child.message.as_option()) {
        Some(child) => (child.get_base_message(), album),
        None => (base, album),
    }
}

/// The file of a message, if it has one.
pub(super) fn attached(message: &Message) -> Option<Attached> {
    let view_once = message.is_view_once();
    let (message, album) = unwrapped(message);
    macro_rules! file {
        ($part:expr, $kind:expr, $media_type:expr, { $($name:literal: $value:expr),* $(,)? }) => {{
            let part = $part;
            let bytes = |bytes: &Option<Vec<u8>>| bytes.clone().unwrap_or_default();
            let mut content = Map::new();
            let mut say = |name: &str, value: Value| {
                if !value.is_null() {
                    content.insert(name.to_owned(), value);
                }
            };
            say("mimetype", json!(part.mimetype));
            say("fileLength", json!(part.file_length));
            say("fileSha256", json!(part.file_sha256.as_ref().map(hex::encode)));
            say("directPath", json!(part.direct_path));
            say("url", json!(part.url));
            say("mediaKeyTimestamp", json!(part.media_key_timestamp));
            $(say($name, json!($value));)*
            if view_once {
                say("viewOnce", true.into());
            }
            say("album", json!(album));
            Some(Attached {
                kind: $kind,
                media_type: $media_type,
                direct_path: part.direct_path.clone().unwrap_or_default(),
                media_key: bytes(&part.media_key),
                sha256: bytes(&part.file_sha256),
                enc_sha256: bytes(&part.file_enc_sha256),
                mimetype: part.mimetype.clone().unwrap_or_default(),
                content,
            })
        }};
    }
    let base64 = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
    if let Some(image) = message.image_message.as_option() {
        return file!(image, "image", MediaType::Image, {
            "caption": image.caption, "width": image.width, "height": image.height,
            "thumbnail": base64(&image.jpeg_thumbnail),
        });
    }
    let film = message.video_message.as_option();
    let note = message.ptv_message.as_option();
    if let Some(video) = film.or(note) {
        let kind = match (note.is_some() && film.is_none(), video.gif_playback) {
            (true, _) => "ptv",
            (false, Some(true)) => "gif",
            (false, _) => "video",
        };
        return file!(video, kind, MediaType::Video, {
            "caption": video.caption, "width": video.width, "height": video.height,
            "seconds": video.seconds, "thumbnail": base64(&video.jpeg_thumbnail),
            "sidecar": base64(&video.streaming_sidecar),
        });
    }
    if let Some(audio) = message.audio_message.as_option() {
        let kind = if audio.ptt == Some(true) {
            "voice"
        } else {
            "audio"
        };
        return file!(audio, kind, MediaType::Audio, {
            "seconds": audio.seconds, "waveform": audio.waveform,
            "sidecar": base64(&audio.streaming_sidecar),
        });
    }
    if let Some(document) = message.document_message.as_option() {
        return file!(document, "document", MediaType::Document, {
            "caption": document.caption, "filename": document.file_name,
            "title": document.title, "pageCount": document.page_count,
            "thumbnail": base64(&document.jpeg_thumbnail),
        });
    }
    let sticker = message.sticker_message.as_option()?;
    file!(sticker, "sticker", MediaType::Sticker, {
        "width": sticker.width, "height": sticker.height, "animated": sticker.is_animated,
    })
}

/// Says of a file whether its reference led to it when the message came.
pub(super) fn look_up(world: &World, message: &Message, content: &mut Value) {
    if let Some(file) = attached(message)
        && let Value::Object(content) = content
    {
        let found = world.cdn.leads_to(&file.direct_path, &file.enc_sha256);
        content.insert("uploaded".to_owned(), found.into());
    }
}

impl Phone {
    /// What is needed to upload the file of an own or a received message again; none where the phone
    /// has no such file, or not any more.
    pub(crate) fn media_key(&self, id: &str) -> Option<MediaKey> {
        if self.has_forgotten_files() {
            return None;
        }
        let file = self.file(id)?;
        Some(MediaKey {
            media_key: file.media_key,
            enc_sha256: file.enc_sha256,
        })
    }

    fn file(&self, id: &str) -> Option<Attached> {
        let raw = self.shown().find(id)?.raw.clone();
        attached(&Message::decode_from_slice(&raw).ok()?)
    }

    /// Opens the file of a message: decrypted, and verified by its HMAC and its hash. Gives it with
    /// its type.
    pub(crate) fn open_file(&self, world: &World, id: &str) -> Result<(File, String), FileError> {
        let file = self.file(id).ok_or(FileError::NoFile)?;
        let ciphertext = world.cdn.ciphertext(&file.enc_sha256);
        let ciphertext = File::open(ciphertext.ok_or(FileError::NotUploaded)?)?;
        let mut plaintext = Hashing {
            file: world.cdn.scratch()?,
            hash: Sha256::new(),
        };
        DownloadUtils::decrypt_stream_to_writer(
            ciphertext,
            &file.media_key,
            file.media_type,
            &mut plaintext,
        )
        .map_err(FileError::Damaged)?;
        if plaintext.hash.finalize().as_slice() != file.sha256 {
            return Err(FileError::OtherHash);
        }
        let mut opened = plaintext.file;
        io::Seek::rewind(&mut opened)?;
        Ok((opened, file.mimetype))
    }
}

struct Hashing {
    file: File,
    hash: Sha256,
}

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A file that a person is asked to send, and what is to be said of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WantedFile {
    /// Base64.
    data: String,
    mimetype: Option<String>,
    caption: Option<String>,
    filename: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    seconds: Option<u32>,
    page_count: Option<u32>,
    animated: Option<bool>,
    /// JPEG, base64.
    thumbnail: Option<String>,
    /// Base64.
    waveform: Option<String>,
    #[serde(default)]
    view_once: bool,
    pub(super) reply_to: Option<String>,
    /// The id of the album that it belongs to.
    pub(super) parent: Option<String>,
}

/// The kinds of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Image,
    Video,
    Gif,
    Ptv,
    Audio,
    Voice,
    Document,
    Sticker,
}

/// Encrypts a file, uploads it, and makes the message about it.
pub(super) fn message(
    world: &World,
    kind: FileKind,
    wanted: WantedFile,
) -> Result<Message, String> {
    let decode = |text: &str, name: &str| {
        BASE64
            .decode(text)
            .map_err(|_| format!("{name} is not base64"))
    };
    let bytes = |text: Option<&String>, name: &str| text.map(|text| decode(text, name)).transpose();
    let data = decode(&wanted.data, "data")?;
    let thumbnail = bytes(wanted.thumbnail.as_ref(), "thumbnail")?;
    let wave = bytes(wanted.waveform.as_ref(), "waveform")?;
    let (media_type, mimetype) = match kind {
        FileKind::Image => (MediaType::Image, "image/jpeg"),
        FileKind::Video | FileKind::Gif | FileKind::Ptv => (MediaType::Video, "video/mp4"),
        FileKind::Audio => (MediaType::Audio, "audio/mpeg"),
        FileKind::Voice => (MediaType::Audio, "audio/ogg; codecs=opus"),
        FileKind::Document => (MediaType::Document, "application/octet-stream"),
        FileKind::Sticker => (MediaType::Sticker, "image/webp"),
    };
    let mimetype = Some(wanted.mimetype.unwrap_or_else(|| mimetype.to_owned()));
    let encrypted = encrypt_media(&data, media_type).map_err(|error| error.to_string())?;
    let direct_path = world
        .cdn
        .put(&encrypted.file_enc_sha256, &encrypted.data_to_upload)
        .map_err(|error| error.to_string())?;
    let host = world.cdn.hosts().unwrap_or_default();
    let once = wanted.view_once.then_some(true);
    macro_rules! file {
        ($part:ident { $($name:ident: $value:expr),* $(,)? }) => {
            MessageField::some($part {
                url: Some(format!("https://{}{direct_path}", host[0])),
                direct_path: Some(direct_path),
                media_key: Some(encrypted.media_key.to_vec()),
                file_sha256: Some(encrypted.file_sha256.to_vec()),
                file_enc_sha256: Some(encrypted.file_enc_sha256.to_vec()),
                file_length: u64::try_from(data.len()).ok(),
                media_key_timestamp: i64::try_from(clock::now_secs()).ok(),
                mimetype,
                $($name: $value,)*
                ..Default::default()
            })
        };
    }
    let mut message = Message::default();
    match kind {
        FileKind::Image => {
            message.image_message = file!(ImageMessage {
                caption: wanted.caption,
                width: wanted.width,
                height: wanted.height,
                jpeg_thumbnail: thumbnail,
                view_once: once,
            });
        }
        FileKind::Video | FileKind::Gif | FileKind::Ptv => {
            let video = file!(VideoMessage {
                caption: wanted.caption,
                width: wanted.width,
                height: wanted.height,
                seconds: wanted.seconds,
                jpeg_thumbnail: thumbnail,
                view_once: once,
                gif_playback: (kind == FileKind::Gif).then_some(true),
                streaming_sidecar: encrypted.streaming_sidecar,
            });
            if kind == FileKind::Ptv {
                message.ptv_message = video;
            } else {
                message.video_message = video;
            }
        }
        FileKind::Audio | FileKind::Voice => {
            message.audio_message = file!(AudioMessage {
                seconds: wanted.seconds,
                ptt: (kind == FileKind::Voice).then_some(true),
                waveform: wave,
                view_once: once,
                streaming_sidecar: encrypted.streaming_sidecar,
            });
        }
        FileKind::Document => {
            let captioned = wanted.caption.is_some();
            message.document_message = file!(DocumentMessage {
                caption: wanted.caption,
                title: wanted.filename.clone(),
                file_name: wanted.filename,
                page_count: wanted.page_count,
                jpeg_thumbnail: thumbnail,
            });
            if captioned {
                // As phones send a document with words below it.
                message = Message {
                    document_with_caption_message: MessageField::some(FutureProofMessage {
                        message: MessageField::some(message),
                    }),
                    ..Default::default()
                };
            }
        }
        FileKind::Sticker => {
            message.sticker_message = file!(StickerMessage {
                width: wanted.width,
                height: wanted.height,
                is_animated: wanted.animated,
            });
        }
    }
    Ok(message)
}
