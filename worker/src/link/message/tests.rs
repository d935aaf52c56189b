use buffa::Message as _;
use gateway_shared::domain::{KnownMessage, MessageContext, Poll, PollKey, Target};

use super::*;

const BOB: &str = "15550000002@s.whatsapp.net";
const GROUP: &str = "120363021234567890@g.us";

fn own(by_lid: bool) -> Own {
    Own {
        number: Some("15550000001@s.whatsapp.net".into()),
        lid: Some("100@lid".into()),
        by_lid,
    }
}

fn built(content: &Content, chat: &str, by_lid: bool) -> wa::Message {
    let chat = chat.parse().unwrap();
    let own = own(by_lid);
    let frame = Frame {
        chat: &chat,
        id: "3EB0NEW",
        at: 7,
        own: &own,
        uploads: &[],
    };
    let message = build(content, frame).unwrap();
    assert_eq!(
        message.encode_to_vec(),
        build(content, frame).unwrap().encode_to_vec(),
        "the same entry is the same bytes"
    );
    message
}

fn text(context: MessageContext) -> Content {
    let text = "hi".into();
    Content::Text { text, context }
}

fn reply(quoted: Option<KnownMessage>) -> Content {
    text(MessageContext {
        reply_to: Some("3EB0AA".into()),
        quoted: quoted.map(Box::new),
        ..MessageContext::default()
    })
}

fn context(message: &wa::Message) -> &wa::ContextInfo {
    let text = message.extended_text_message.as_option().unwrap();
    text.context_info.as_option().unwrap()
}

#[test]
fn a_plain_text_is_a_conversation() {
    let message = built(&text(MessageContext::default()), BOB, false);
    assert_eq!(message.conversation.as_deref(), Some("hi"));
    assert!(message.extended_text_message.is_unset());
}

#[test]
fn a_reply_to_something_unknown_makes_up_neither_author_nor_words() {
    for chat in [BOB, GROUP] {
        let message = built(&reply(None), chat, true);
        assert_eq!(message.conversation, None);
        let info = context(&message);
        assert_eq!(info.stanza_id.as_deref(), Some("3EB0AA"));
        assert_eq!(info.participant, None);
        assert!(info.quoted_message.is_unset());
    }
}

#[test]
fn a_reply_quotes_what_is_known() {
    let mut known = KnownMessage::new(GROUP, "text", 7, "the question");
    known.sender = Some("300@lid".into());
    let message = built(&reply(Some(known.clone())), GROUP, true);
    let info = context(&message);
    assert_eq!(info.participant.as_deref(), Some("300@lid"));
    assert_eq!(info.remote_jid, None);
    let quoted = info.quoted_message.as_option().unwrap();
    assert_eq!(quoted.conversation.as_deref(), Some("the question"));

    // Privately, to somebody else.
    let message = built(&reply(Some(known)), BOB, false);
    assert_eq!(context(&message).remote_jid.as_deref(), Some(GROUP));

    // Our own, by the name that the group has for us.
    let own = KnownMessage::new(GROUP, "location", 7, "home");
    let message = built(&reply(Some(own)), GROUP, true);
    let info = context(&message);
    assert_eq!(info.participant.as_deref(), Some("100@lid"));
    let quoted = info.quoted_message.as_option().unwrap();
    let place = quoted.location_message.as_option().unwrap();
    assert_eq!(place.name.as_deref(), Some("home"));
}

#[test]
fn mentions_and_forwards_need_no_quotation() {
    let message = built(
        &text(MessageContext {
            mentions: vec!["15550000003".parse().unwrap(), "123@lid".parse().unwrap()],
            forwarded: 2,
            ..MessageContext::default()
        }),
        GROUP,
        true,
    );
    let info = context(&message);
    assert_eq!(
        info.mentioned_jid,
        ["15550000003@s.whatsapp.net", "123@lid"]
    );
    assert_eq!(info.stanza_id, None);
    assert!(info.quoted_message.is_unset());
    assert_eq!(
        (info.is_forwarded, info.forwarding_score),
        (Some(true), Some(2))
    );
}

#[test]
fn a_poll_carries_its_secret_and_is_of_the_version_of_its_kind() {
    let poll = |selectable_count| {
        let poll = Poll {
            name: "?".into(),
            options: vec!["a".into(), "b".into()],
            selectable_count,
            secret: None,
        };
        let context = MessageContext::default();
        Content::Poll { poll, context }.sealed().into_owned()
    };
    let content = poll(1);
    let Content::Poll { poll: inner, .. } = &content else {
        panic!("a poll stays one");
    };
    let message = built(&content, BOB, false);
    let creation = message.poll_creation_message_v3.as_option().unwrap();
    assert_eq!(creation.selectable_options_count, Some(1));
    assert_eq!(creation.options[1].option_name.as_deref(), Some("b"));
    assert!(creation.context_info.is_unset());
    let info = message.message_context_info.as_option().unwrap();
    let secret = inner.secret.as_ref().unwrap().bytes();
    assert_eq!(info.message_secret.as_ref().unwrap(), &secret);
    for count in [0, 2] {
        let message = built(&poll(count), BOB, false);
        let creation = message.poll_creation_message.as_option().unwrap();
        assert_eq!(creation.selectable_options_count, Some(count));
    }
}

#[test]
fn a_place_and_a_card_are_themselves() {
    let place = Content::Location {
        latitude: -6.2,
        longitude: 106.8,
        name: Some("Jakarta".into()),
        address: Some("Jalan Merdeka 1".into()),
        context: MessageContext::default(),
    };
    let message = built(&place, BOB, false);
    let place = message.location_message.as_option().unwrap();
    assert_eq!(place.address.as_deref(), Some("Jalan Merdeka 1"));
    assert_eq!(place.degrees_latitude, Some(-6.2));
    assert_eq!(place.degrees_longitude, Some(106.8));
    assert_eq!(place.name.as_deref(), Some("Jakarta"));
    let card = Content::Contact {
        name: "Bob".into(),
        vcard: "BEGIN:VCARD".into(),
        context: MessageContext {
            reply_to: Some("Q".into()),
            ..MessageContext::default()
        },
    };
    let message = built(&card, BOB, false);
    let card = message.contact_message.as_option().unwrap();
    assert_eq!(card.display_name.as_deref(), Some("Bob"));
    let info = card.context_info.as_option().unwrap();
    assert_eq!(info.stanza_id.as_deref(), Some("Q"));
}

fn target(sender: Option<&str>) -> Target {
    Target {
        id: "3EB0OLD".into(),
        sender: sender.map(Into::into),
    }
}

#[test]
fn operations_name_their_target() {
    let emoji = || "👍".to_owned();
    let reaction = |sender| Content::Reaction {
        target: target(sender),
        emoji: emoji(),
    };
    let key = |content: &Content, chat| {
        let message = built(content, chat, true);
        let reaction = message.reaction_message.as_option().unwrap();
        assert_eq!(reaction.sender_timestamp_ms, Some(7));
        reaction.key.as_option().unwrap().clone()
    };
    let own = key(&reaction(None), GROUP);
    assert_eq!((own.from_me, own.participant), (Some(true), None));
    let theirs = key(&reaction(Some("300@lid")), GROUP);
    assert_eq!(theirs.from_me, Some(false));
    assert_eq!(theirs.participant.as_deref(), Some("300@lid"));
    let direct = key(&reaction(Some(BOB)), BOB);
    assert_eq!(direct.remote_jid.as_deref(), Some(BOB));
    assert_eq!((direct.from_me, direct.participant), (Some(false), None));
}

#[test]
fn an_edit_and_a_revoke_are_protocol_messages() {
    let edit = Content::Edit {
        target: target(None),
        text: "new".into(),
        mentions: Vec::new(),
    };
    let message = built(&edit, GROUP, true);
    let protocol = message.protocol_message.as_option().unwrap();
    assert_eq!(protocol.r#type, Some(ProtocolType::MessageEdit));
    assert_eq!(protocol.timestamp_ms, Some(7));
    let edited = protocol.edited_message.as_option().unwrap();
    assert_eq!(edited.conversation.as_deref(), Some("new"));
    let key = protocol.key.as_option().unwrap();
    assert_eq!(key.participant.as_deref(), Some("100@lid"));

    let edit = Content::Edit {
        target: target(None),
        text: "@300 new".into(),
        mentions: vec!["300@lid".parse().unwrap()],
    };
    let message = built(&edit, GROUP, true);
    let protocol = message.protocol_message.as_option().unwrap();
    let edited = protocol.edited_message.as_option().unwrap();
    let text = edited.extended_text_message.as_option().unwrap();
    assert_eq!(text.text.as_deref(), Some("@300 new"));
    let info = text.context_info.as_option().unwrap();
    assert_eq!(info.mentioned_jid, ["300@lid"]);

    let revoke = Content::Revoke {
        target: target(Some("300@lid")),
    };
    let message = built(&revoke, GROUP, true);
    let protocol = message.protocol_message.as_option().unwrap();
    assert_eq!(protocol.r#type, Some(ProtocolType::Revoke));
    let key = protocol.key.as_option().unwrap();
    assert_eq!(key.from_me, Some(false));
    assert_eq!(key.participant.as_deref(), Some("300@lid"));
}

#[test]
fn a_vote_is_made_in_the_name_space_of_the_poll() {
    use super::super::vote::SealedVote;
    let poll = Poll {
        name: "?".into(),
        options: vec!["a".into(), "b".into()],
        selectable_count: 1,
        secret: None,
    };
    let context = MessageContext::default();
    let Content::Poll { poll, .. } = Content::Poll { poll, context }.sealed().into_owned() else {
        panic!("a poll stays one");
    };
    let key = PollKey::of(&poll).unwrap();
    for (sender, creator, voter) in [
        (Some("300@lid"), "300@lid", "100@lid"),
        (Some(BOB), BOB, "15550000001@s.whatsapp.net"),
        (None, "100@lid", "100@lid"),
    ] {
        let content = Content::Vote {
            target: target(sender),
            key: key.clone(),
            options: vec!["b".into()],
        };
        let message = built(&content, GROUP, true);
        let update = message.poll_update_message.as_option().unwrap();
        let named = update.poll_creation_message_key.as_option().unwrap();
        assert_eq!(named.participant.as_deref(), Some(creator));
        let vote = update.vote.as_option().unwrap();
        let vote = SealedVote::new(
            "3EB0OLD".into(),
            vote.enc_payload.clone().unwrap(),
            vote.enc_iv.clone().unwrap(),
        );
        let opened = vote.open(&key, &[creator], &[voter]);
        assert_eq!(opened, Some(vec!["b".to_owned()]));
    }
}
