//! The message about a file.

use buffa::MessageField;
use gateway_shared::domain::{FileKind, HexBytes, Media};
use gateway_shared::media::Uploaded;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::{
    AudioMessage, DocumentMessage, FutureProofMessage, ImageMessage, StickerMessage, VideoMessage,
};

/// The message about `media`, which is where `uploaded` says.
pub(super) fn about(
    media: &Media,
    uploaded: &Uploaded,
    context: MessageField<wa::ContextInfo>,
) -> wa::Message {
    let facts = &media.facts;
    let bytes = |bytes: &Option<HexBytes>| bytes.as_ref().map(|bytes| bytes.0.clone());
    let once = media.view_once.then_some(true);
    macro_rules! file {
        ($part:ident { $($name:ident: $value:expr),* $(,)? }) => {
            MessageField::some($part {
                url: Some(uploaded.url.clone()),
                direct_path: Some(uploaded.direct_path.clone()),
                media_key: Some(uploaded.media_key.0.clone()),
                file_sha256: Some(uploaded.sha256.0.clone()),
                file_enc_sha256: Some(uploaded.enc_sha256.0.clone()),
                file_length: Some(uploaded.size),
                media_key_timestamp: Some(uploaded.media_key_timestamp),
                mimetype: Some(media.mimetype.clone()),
                context_info: context,
                $($name: $value,)*
                ..Default::default()
            })
        };
    }
    let mut message = wa::Message::default();
    match media.kind {
        FileKind::Image => {
            message.image_message = file!(ImageMessage {
                caption: media.caption.clone(),
                width: facts.width,
                height: facts.height,
                jpeg_thumbnail: bytes(&facts.thumbnail),
                view_once: once,
            });
        }
        FileKind::Video | FileKind::Gif | FileKind::Ptv => {
            let film = file!(VideoMessage {
                caption: media.caption.clone(),
                width: facts.width,
                height: facts.height,
                seconds: facts.seconds,
                jpeg_thumbnail: bytes(&facts.thumbnail),
                view_once: once,
                gif_playback: (media.kind == FileKind::Gif).then_some(true),
                streaming_sidecar: bytes(&uploaded.sidecar),
            });
            if media.kind == FileKind::Ptv {
                message.ptv_message = film;
            } else {
                message.video_message = film;
            }
        }
        FileKind::Audio | FileKind::Voice => {
            message.audio_message = file!(AudioMessage {
                seconds: facts.seconds,
                ptt: Some(media.kind == FileKind::Voice),
                waveform: bytes(&facts.waveform),
                view_once: once,
                streaming_sidecar: bytes(&uploaded.sidecar),
            });
        }
        FileKind::Document => {
            message.document_message = file!(DocumentMessage {
                caption: media.caption.clone(),
                file_name: media.filename.clone(),
                title: media.filename.clone(),
                page_count: facts.page_count,
                jpeg_thumbnail: bytes(&facts.thumbnail),
            });
            // As phones send a document with words below it.
            if media.caption.is_some() {
                message = wa::Message {
                    document_with_caption_message: MessageField::some(FutureProofMessage {
                        message: MessageField::some(message),
                    }),
                    ..Default::default()
                };
            }
        }
        FileKind::Sticker => {
            message.sticker_message = file!(StickerMessage {
                width: facts.width,
                height: facts.height,
                is_animated: Some(facts.animated),
            });
        }
    }
    message
}
