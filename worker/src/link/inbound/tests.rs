//! From the library's messages to ours.

use std::sync::Arc;

use buffa::MessageField;
use gateway_shared::events::inbound::{Content, Flag};
use wacore::types::events::InboundMessage as LibraryMessage;
use wacore::types::message::{MessageInfo, MessageSource};
use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;

use super::fields::{Becomes, FIELDS, one_of_each};
use super::message::InboundMessage;

fn jid(text: &str) -> wacore_binary::Jid {
    text.parse().unwrap()
}

fn inbound(message: wa::Message, source: MessageSource) -> Option<InboundMessage> {
    let info = MessageInfo {
        id: "A".into(),
        source,
        push_name: "Bob".into(),
        timestamp: wacore::time::from_secs(7).unwrap(),
        ..Default::default()
    };
    InboundMessage::from_library(
        &LibraryMessage::builder()
            .message(Arc::new(message))
            .info(Arc::new(info))
            .build(),
    )
}

fn from_bob() -> MessageSource {
    MessageSource {
        chat: jid("100000012345@lid"),
        sender: jid("100000012345:3@lid"),
        sender_alt: Some(jid("15550000002@s.whatsapp.net")),
        ..Default::default()
    }
}

fn plain(text: &str) -> wa::Message {
    wa::Message {
        conversation: Some(text.into()),
        ..Default::default()
    }
}

/// Each field becomes what the list says of it: a message that has nothing else.
#[test]
fn every_field_becomes_what_the_list_says() {
    for (message, field) in one_of_each().into_iter().zip(FIELDS) {
        let name = field.name;
        let made = inbound(message, from_bob());
        match field.becomes {
            Becomes::Message(kind) => assert_eq!(made.unwrap().payload.kind, kind, "{name}"),
            Becomes::Machinery => assert!(made.is_none(), "{name}"),
            // A wrapper that holds nothing, and an operation without a type, are told all the same.
            Becomes::Unknown | Becomes::Wrapper(_) | Becomes::Unwrapped | Becomes::Protocol => {
                let payload = made.unwrap().payload;
                let Some(Content::Unknown(unknown)) = payload.content else {
                    panic!("{name} is told as {}", payload.kind);
                };
                assert_eq!(unknown.field.as_deref(), Some(name));
            }
        }
    }
}

#[test]
fn what_only_a_newer_library_knows_is_unknown_and_not_silence() {
    let payload = inbound(wa::Message::default(), from_bob()).unwrap().payload;
    assert_eq!(payload.kind, "unknown");
}

#[test]
fn a_text_from_a_person() {
    let message = inbound(plain("hi"), from_bob()).unwrap();
    let payload = &message.payload;
    assert_eq!(
        (payload.kind.as_str(), payload.text.as_deref()),
        ("text", Some("hi"))
    );
    assert_eq!(message.chat.as_str(), "100000012345@lid");
    assert_eq!(message.sender.as_str(), "100000012345@lid");
    for person in [&payload.chat, &payload.sender] {
        assert_eq!(person.lid.as_deref(), Some("100000012345@lid"));
        assert_eq!(person.pn.as_deref(), Some("15550000002@s.whatsapp.net"));
    }
    assert_eq!((payload.timestamp, payload.source.device), (7_000, 3));
    assert_eq!(payload.push_name, "Bob");
}

#[test]
fn a_reply_in_a_group_that_disappears() {
    let text = wa::message::ExtendedTextMessage {
        text: Some("yes".into()),
        context_info: MessageField::some(wa::ContextInfo {
            stanza_id: Some("Q".into()),
            participant: Some("15550000003@s.whatsapp.net".into()),
            quoted_message: MessageField::some(plain("well?")),
            mentioned_jid: vec!["1@lid".into()],
            expiration: Some(86_400),
            is_forwarded: Some(true),
            forwarding_score: Some(5),
            ..Default::default()
        }),
        ..Default::default()
    };
    let message = wa::Message {
        extended_text_message: MessageField::some(text),
        ..Default::default()
    };
    let source = MessageSource {
        chat: jid("120363021234567890@g.us"),
        is_group: true,
        ..from_bob()
    };
    let message = inbound(message, source).unwrap();
    assert!(message.chat.is_group() && message.chat_alt.is_none());
    let payload = message.payload;
    let quoted = payload.quoted.unwrap();
    assert_eq!(
        (quoted.id.as_str(), quoted.text.as_deref()),
        ("Q", Some("well?"))
    );
    assert_eq!(quoted.author.unwrap().jid, "15550000003@s.whatsapp.net");
    assert_eq!(payload.mentions[0].lid.as_deref(), Some("1@lid"));
    assert_eq!(payload.expires_at, Some(7_000 + 86_400_000));
    assert_eq!((payload.forwarded, payload.forwarding_score), (true, 5));
}

#[test]
fn a_wrapped_picture_is_a_picture_with_flags() {
    let image = wa::message::ImageMessage {
        caption: Some("look".into()),
        direct_path: Some("/v/t62".into()),
        media_key: Some(vec![7; 32]),
        ..Default::default()
    };
    let inner = wa::Message {
        image_message: MessageField::some(image),
        ..Default::default()
    };
    let message = wa::Message {
        view_once_message_v2: MessageField::some(wa::message::FutureProofMessage {
            message: MessageField::some(inner),
        }),
        ..Default::default()
    };
    let message = inbound(message, from_bob()).unwrap();
    assert_eq!(message.payload.flags, [Flag::ViewOnce]);
    assert!(message.payload.view_once);
    assert_eq!(message.payload.text.as_deref(), Some("look"));
    let download = message.download.unwrap();
    assert_eq!(download.direct_path.as_deref(), Some("/v/t62"));
    let shown = serde_json::to_string(&message.payload).unwrap();
    assert!(
        !shown.contains("t62"),
        "how to fetch it is no part of the event"
    );
}

#[test]
fn operations_name_their_target() {
    let key = || {
        MessageField::some(wa::MessageKey {
            id: Some("T".into()),
            ..Default::default()
        })
    };
    let protocol = |kind, edited: Option<wa::Message>| wa::Message {
        protocol_message: MessageField::some(wa::message::ProtocolMessage {
            key: key(),
            r#type: Some(kind),
            edited_message: edited.map(MessageField::some).unwrap_or_default(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let emitted = |message| inbound(message, from_bob()).unwrap().payload;
    let edit = emitted(protocol(ProtocolType::MESSAGE_EDIT, Some(plain("new"))));
    assert_eq!(
        (edit.kind.as_str(), edit.text.as_deref()),
        ("edit", Some("new"))
    );
    let revoke = emitted(protocol(ProtocolType::REVOKE, None));
    assert_eq!(revoke.kind, "revoke");
    let reaction = emitted(wa::Message {
        reaction_message: MessageField::some(wa::message::ReactionMessage {
            key: key(),
            text: Some("👍".into()),
            ..Default::default()
        }),
        ..Default::default()
    });
    let Some(Content::Reaction(said)) = &reaction.content else {
        panic!("{}", reaction.kind);
    };
    assert_eq!(said.emoji.as_deref(), Some("👍"));
    for payload in [edit, revoke, reaction] {
        assert_eq!(payload.target_message_id.as_deref(), Some("T"));
    }
    let odd = emitted(protocol(ProtocolType::LIMIT_SHARING, None));
    let Some(Content::Unknown(unknown)) = odd.content else {
        panic!("{}", odd.kind);
    };
    assert_eq!(
        unknown.field.as_deref(),
        Some("protocolMessage.LIMIT_SHARING")
    );
}

#[test]
fn links_to_groups_and_catalogs_are_invitations_and_catalogs() {
    let link = |url: &str| {
        let text = wa::message::ExtendedTextMessage {
            text: Some(format!("see {url}")),
            matched_text: Some(url.to_owned()),
            title: Some("title".into()),
            ..Default::default()
        };
        let message = wa::Message {
            extended_text_message: MessageField::some(text),
            ..Default::default()
        };
        inbound(message, from_bob()).unwrap().payload
    };
    let invite = link("https://chat.whatsapp.com/BxnEkf2xLeLKAwBwn5EZLK?mode=r");
    let Some(Content::GroupInvite(invite)) = invite.content else {
        panic!("{}", invite.kind);
    };
    assert_eq!(invite.code, "BxnEkf2xLeLKAwBwn5EZLK");
    let catalog = link("https://wa.me/c/919984351847");
    let Some(Content::Catalog(catalog)) = catalog.content else {
        panic!("{}", catalog.kind);
    };
    assert_eq!(catalog.catalog_id, "919984351847");
    let other = link("https://example.com");
    assert_eq!(other.kind, "text");
    assert_eq!(other.link_preview.unwrap().url, "https://example.com");
}

#[test]
fn a_log_line_shows_neither_body_nor_people() {
    let line = format!("{:?}", inbound(plain("secret"), from_bob()).unwrap());
    assert!(!line.contains("secret") && !line.contains("Bob") && !line.contains("12345"));
}
