//! What a message says about other messages and people.

use gateway_shared::events::inbound::{Address, Content, Parent, Quoted};
use waproto::whatsapp as wa;

use super::reading::read_whole;

/// What a message says about other messages and people.
#[derive(Default)]
pub(super) struct Context {
    pub(super) quoted: Option<Quoted>,
    pub(super) mentions: Vec<Address>,
    pub(super) forwarded: bool,
    pub(super) forwarding_score: u32,
    pub(super) expiration: Option<u32>,
}

/// The context of a message without wrappers.
pub(super) fn context(base: &wa::Message) -> Context {
    info(base).map_or_else(Context::default, |info| Context {
        quoted: quoted(info),
        mentions: info
            .mentioned_jid
            .iter()
            .map(|jid| Address::new(jid, None))
            .collect(),
        forwarded: info.is_forwarded == Some(true),
        forwarding_score: match info.is_forwarded {
            Some(true) => info.forwarding_score.unwrap_or(0).max(1),
            _ => 0,
        },
        expiration: info.expiration.filter(|seconds| *seconds > 0),
    })
}

fn quoted(info: &wa::ContextInfo) -> Option<Quoted> {
    let id = info.stanza_id.clone().filter(|id| !id.is_empty())?;
    let author = info.participant.as_deref();
    let mut quoted = Quoted {
        id,
        author: author.map(|author| Address::new(author, None)),
        ..Quoted::default()
    };
    let said = info.quoted_message.as_option().and_then(read_whole);
    if let Some(said) = said {
        quoted.kind = Some(said.kind.to_owned());
        quoted.text = said.text;
        if let Some(
            Content::Buttons(shown)
            | Content::Template(shown)
            | Content::Interactive(shown)
            | Content::List(shown)
            | Content::Hsm(shown),
        ) = said.content
        {
            quoted.header = shown.header;
            quoted.footer = shown.footer;
            quoted.buttons = shown.buttons;
        }
    }
    Some(quoted)
}

/// The message that a message belongs to.
pub(super) fn parent(contexts: &[&wa::MessageContextInfo]) -> Option<Parent> {
    contexts.iter().find_map(|info| {
        let association = info.message_association.as_option()?;
        let key = association.parent_message_key.as_option()?;
        Some(Parent {
            message_id: key.id.clone()?,
            association: association
                .association_type
                .map(|kind| format!("{kind:?}"))
                .unwrap_or_default(),
            index: association.message_index,
        })
    })
}

fn info(base: &wa::Message) -> Option<&wa::ContextInfo> {
    macro_rules! first {
        ($($field:ident),+ $(,)?) => {
            [$(base.$field.as_option().and_then(|part| part.context_info.as_option())),+]
                .into_iter()
                .flatten()
                .next()
        };
    }
    first![
        extended_text_message,
        image_message,
        video_message,
        ptv_message,
        audio_message,
        document_message,
        sticker_message,
        sticker_pack_message,
        location_message,
        live_location_message,
        contact_message,
        contacts_array_message,
        group_invite_message,
        newsletter_admin_invite_message,
        newsletter_follower_invite_message_v2,
        product_message,
        order_message,
        list_message,
        list_response_message,
        buttons_message,
        buttons_response_message,
        template_message,
        template_button_reply_message,
        interactive_message,
        interactive_response_message,
        poll_creation_message,
        poll_creation_message_v2,
        poll_creation_message_v3,
        poll_creation_message_v5,
        poll_creation_message_v6,
        poll_result_snapshot_message,
        poll_result_snapshot_message_v3,
        album_message,
        event_message,
        event_invite_message,
        request_phone_number_message,
        message_history_notice,
        split_payment_message,
        rich_response_message,
    ]
}

/// Whether a file or text says of itself that it may be looked at once.
pub(super) fn once(base: &wa::Message) -> bool {
    let said = [
        base.image_message
            .as_option()
            .and_then(|part| part.view_once),
        base.video_message
            .as_option()
            .and_then(|part| part.view_once),
        base.ptv_message.as_option().and_then(|part| part.view_once),
        base.audio_message
            .as_option()
            .and_then(|part| part.view_once),
        base.extended_text_message
            .as_option()
            .and_then(|part| part.view_once),
    ];
    said.contains(&Some(true))
}
