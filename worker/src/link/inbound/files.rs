//! Pictures, videos, recordings, documents, stickers: what is told of them, and how they are fetched.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway_shared::domain::{Download, MediaKind};
use gateway_shared::events::inbound::{
    Audio, Content, Document, File, Image, Sticker, StickerPack, Video,
};
use waproto::whatsapp::message::{
    AudioMessage, DocumentMessage, ImageMessage, StickerMessage, StickerPackMessage, VideoMessage,
};

use super::reading::Reading;

/// Most bytes of a small picture that an event carries.
const THUMBNAIL: usize = 32 * 1024;
/// Most values of a waveform.
const WAVEFORM: usize = 64;

/// Bytes as base64.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A small picture, if there is one and it is small.
pub(super) fn thumbnail(jpeg: Option<&[u8]>) -> Option<String> {
    let jpeg = jpeg?;
    (!jpeg.is_empty() && jpeg.len() <= THUMBNAIL).then(|| base64(jpeg))
}

macro_rules! download {
    ($kind:ident, $message:expr) => {
        download!($kind, $message, None)
    };
    ($kind:ident, $message:expr, $static_url:expr) => {
        fetchable(Download {
            kind: MediaKind::$kind,
            direct_path: $message.direct_path.clone(),
            static_url: $static_url,
            media_key: $message.media_key.as_deref().map(base64),
            sha256: $message.file_sha256.as_deref().map(base64),
            enc_sha256: $message.file_enc_sha256.as_deref().map(base64),
            size: $message.file_length.unwrap_or_default(),
        })
    };
}

macro_rules! file {
    ($message:expr, $mimetype:expr, $jpeg:expr) => {
        File {
            mimetype: $mimetype,
            size: $message.file_length,
            sha256: $message.file_sha256.as_deref().map(base64),
            thumbnail: thumbnail($jpeg),
            ..File::default()
        }
    };
}

fn fetchable(download: Download) -> Option<Download> {
    (download.direct_path.is_some() || download.static_url.is_some()).then_some(download)
}

fn with(content: Content, text: Option<String>, download: Option<Download>) -> Reading {
    Reading {
        download,
        ..Reading::of(content, text)
    }
}

/// A picture.
pub(super) fn image(image: &ImageMessage) -> Reading {
    let content = Content::Image(Image {
        file: file!(
            image,
            image.mimetype.clone(),
            image.jpeg_thumbnail.as_deref()
        ),
        width: image.width,
        height: image.height,
    });
    let download = download!(Image, image, image.static_url.clone());
    with(content, image.caption.clone(), download)
}

/// A video, a GIF, or a short one.
pub(super) fn video(video: &VideoMessage, short: bool) -> Reading {
    let film = Video {
        file: file!(
            video,
            video.mimetype.clone(),
            video.jpeg_thumbnail.as_deref()
        ),
        seconds: video.seconds,
        width: video.width,
        height: video.height,
    };
    let content = if short {
        Content::Short(film)
    } else if video.gif_playback == Some(true) {
        Content::Gif(film)
    } else {
        Content::Video(film)
    };
    let download = download!(Video, video, video.static_url.clone());
    with(content, video.caption.clone(), download)
}

/// A piece of audio or a voice message.
pub(super) fn audio(audio: &AudioMessage) -> Reading {
    let waveform = audio.waveform.as_deref().unwrap_or_default();
    let sound = Audio {
        file: file!(audio, audio.mimetype.clone(), None),
        seconds: audio.seconds,
        waveform: waveform
            .iter()
            .take(WAVEFORM)
            .map(|loud| (*loud).min(100))
            .collect(),
    };
    let content = if audio.ptt == Some(true) {
        Content::Voice(sound)
    } else {
        Content::Audio(sound)
    };
    with(content, None, download!(Audio, audio))
}

/// A document.
pub(super) fn document(document: &DocumentMessage) -> Reading {
    let content = Content::Document(Document {
        file: file!(
            document,
            document.mimetype.clone(),
            document.jpeg_thumbnail.as_deref()
        ),
        file_name: document.file_name.clone(),
        title: document.title.clone(),
        page_count: document.page_count,
    });
    with(
        content,
        document.caption.clone(),
        download!(Document, document),
    )
}

/// A sticker.
pub(super) fn sticker(sticker: &StickerMessage) -> Reading {
    let content = Content::Sticker(Sticker {
        file: file!(sticker, sticker.mimetype.clone(), None),
        width: sticker.width,
        height: sticker.height,
        animated: sticker.is_animated.unwrap_or_default(),
        lottie: sticker.is_lottie.unwrap_or_default(),
        emojis: sticker.emojis.clone().filter(|emojis| !emojis.is_empty()),
    });
    with(content, None, download!(Image, sticker))
}

/// A pack of stickers.
pub(super) fn sticker_pack(pack: &StickerPackMessage) -> Reading {
    let content = Content::StickerPack(StickerPack {
        file: file!(pack, Some("application/zip".to_owned()), None),
        pack_id: pack.sticker_pack_id.clone().unwrap_or_default(),
        name: pack.name.clone().unwrap_or_default(),
        publisher: pack.publisher.clone(),
        stickers: pack.stickers.len(),
    });
    with(content, pack.caption.clone(), download!(StickerPack, pack))
}
