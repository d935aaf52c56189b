//! What a message quotes, whom it mentions, and whether it was forwarded.

use buffa::MessageField;
use gateway_shared::domain::{Jid, KnownMessage, MessageContext};
use waproto::whatsapp as wa;
use waproto::whatsapp::message::{
    AudioMessage, ContactMessage, DocumentMessage, ImageMessage, LocationMessage,
    PollCreationMessage, StickerMessage, VideoMessage,
};

use super::{Frame, poll};

/// From so many times on the official clients show a message as forwarded many times, and count
/// no further.
const MANY_TIMES: u32 = 5;
/// How they write "many times".
const MANY_TIMES_SCORE: u32 = 127;

/// The context of a message; unset where there is none.
pub(super) fn of(context: &MessageContext, frame: Frame<'_>) -> MessageField<wa::ContextInfo> {
    if *context == MessageContext::default() {
        return MessageField::none();
    }
    let mut info = wa::ContextInfo {
        mentioned_jid: context
            .mentions
            .iter()
            .map(|jid| jid.as_str().to_owned())
            .collect(),
        ..Default::default()
    };
    if context.forwarded > 0 {
        info.is_forwarded = Some(true);
        info.forwarding_score = Some(if context.forwarded < MANY_TIMES {
            context.forwarded
        } else {
            MANY_TIMES_SCORE
        });
    }
    if let Some(id) = &context.reply_to {
        info.stanza_id = Some(id.clone());
        // One older than what is remembered goes without author and words, since neither is made up:
        // clients show no quotation then.
        if let Some(quoted) = &context.quoted {
            quote(&mut info, quoted, frame);
        }
    }
    MessageField::some(info)
}

/// The context of an edit, which says whom the new text mentions and nothing else.
pub(super) fn of_mentions(mentions: &[Jid]) -> MessageField<wa::ContextInfo> {
    if mentions.is_empty() {
        return MessageField::none();
    }
    MessageField::some(wa::ContextInfo {
        mentioned_jid: mentions.iter().map(Jid::to_string).collect(),
        ..Default::default()
    })
}

fn quote(info: &mut wa::ContextInfo, quoted: &KnownMessage, frame: Frame<'_>) {
    let author = quoted.sender.as_deref().or_else(|| frame.own.name());
    info.participant = author.map(str::to_owned);
    if !quoted.is_in(frame.chat.as_str()) {
        info.remote_jid = Some(quoted.chat.clone());
    }
    info.quoted_message = MessageField::some(excerpt(quoted));
}

/// As much of the quoted message as is known, as a message of its kind.
fn excerpt(quoted: &KnownMessage) -> wa::Message {
    let said = || quoted.excerpt.clone();
    let caption = || Some(said()).filter(|text| !text.is_empty());
    let mut message = wa::Message::default();
    match quoted.kind.as_str() {
        "poll" => {
            let options = quoted.poll.as_ref().map(|key| key.options.as_slice());
            message.poll_creation_message_v3 = MessageField::some(PollCreationMessage {
                name: Some(said()),
                options: poll::options(options.unwrap_or_default()),
                selectable_options_count: quoted.poll.as_ref().map(|key| key.selectable_count),
                ..Default::default()
            });
        }
        "location" => {
            message.location_message = MessageField::some(LocationMessage {
                name: caption(),
                ..Default::default()
            });
        }
        "contact" => {
            message.contact_message = MessageField::some(ContactMessage {
                display_name: Some(said()),
                ..Default::default()
            });
        }
        "image" => {
            message.image_message = MessageField::some(ImageMessage {
                caption: caption(),
                ..Default::default()
            });
        }
        "video" | "gif" | "ptv" => {
            message.video_message = MessageField::some(VideoMessage {
                caption: caption(),
                ..Default::default()
            });
        }
        "audio" | "voice" => message.audio_message = MessageField::some(AudioMessage::default()),
        "document" => {
            message.document_message = MessageField::some(DocumentMessage {
                caption: caption(),
                ..Default::default()
            });
        }
        "sticker" => message.sticker_message = MessageField::some(StickerMessage::default()),
        _ => message.conversation = Some(said()),
    }
    message
}
