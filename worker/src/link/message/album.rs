//! The messages of an album: the one that begins it, and one for each picture and film.

use buffa::MessageField;
use gateway_shared::domain::{AlbumItem, FileKind, MessageContext};
use waproto::whatsapp as wa;
use waproto::whatsapp::message::AlbumMessage;
use waproto::whatsapp::message_association::AssociationType;
use waproto::whatsapp::{MessageAssociation, MessageContextInfo, MessageKey};

use super::{Frame, Unbuildable, context, media};

/// The message that begins it: it says how many are to follow.
pub(super) fn beginning(
    items: &[AlbumItem],
    context: MessageField<wa::ContextInfo>,
) -> wa::Message {
    let count = |film: bool| {
        let kinds = items.iter().map(|item| item.media.kind != FileKind::Image);
        u32::try_from(kinds.filter(|is_film| *is_film == film).count()).ok()
    };
    wa::Message {
        album_message: MessageField::some(AlbumMessage {
            expected_image_count: count(false),
            expected_video_count: count(true),
            context_info: context,
        }),
        ..Default::default()
    }
}

/// The message of one picture or film, whose place in the album is `index`. `frame` is that of the
/// album; the quotation stands in its beginning.
///
/// # Errors
/// Where its file was not uploaded before.
pub fn part(
    item: &AlbumItem,
    index: usize,
    of: &MessageContext,
    frame: Frame<'_>,
) -> Result<wa::Message, Unbuildable> {
    let uploaded = frame.uploads.get(index);
    let uploaded = uploaded.ok_or_else(|| Unbuildable("its file was not uploaded".into()))?;
    let said = MessageContext {
        mentions: of.mentions.clone(),
        forwarded: of.forwarded,
        ..MessageContext::default()
    };
    let mut message = media::about(&item.media, uploaded, context::of(&said, frame));
    message.message_context_info = MessageField::some(MessageContextInfo {
        message_association: MessageField::some(MessageAssociation {
            association_type: Some(AssociationType::MEDIA_ALBUM),
            parent_message_key: MessageField::some(MessageKey {
                remote_jid: Some(frame.chat.as_str().to_owned()),
                from_me: Some(true),
                id: Some(frame.id.to_owned()),
                participant: None,
            }),
            message_index: None,
        }),
        ..Default::default()
    });
    Ok(message)
}
