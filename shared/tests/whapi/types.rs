//! Every type of message has a body that fits the schema; none is silence.

use std::collections::HashSet;

use gateway_shared::events::inbound::{
    Address, Album, Audio, Button, CalendarEvent, CallEnd, CallLog, CallPayload, Catalog,
    ChannelInvite, Comment, Contact, ContactList, Content, Document, Edit, EventInvite,
    EventResponse, GroupInvite, Image, Interactive, Keep, ListSection, LiveLocation, Location,
    MessagePayload, Order, Payment, Pin, Poll, PollResults, PollVote, Product, Reaction, Reply,
    Row, ScheduledCall, Sticker, StickerPack, TYPES, Target, Timer, Unknown, Video,
};
use gateway_shared::events::whapi;
use serde_json::{Value, json};

use super::{event, schema};

fn message(content: Option<Content>, kind: &str) -> MessagePayload {
    MessagePayload {
        wa_message_id: "3EB0".into(),
        chat: Address::new("1@lid", Some("155512345@s.whatsapp.net")),
        sender: Address::new("1@lid", Some("155512345@s.whatsapp.net")),
        kind: kind.into(),
        text: Some("words".into()),
        timestamp: 1_700_000_000_000,
        content,
        ..MessagePayload::default()
    }
}

fn rendered(kind: &str, payload: &impl serde::Serialize) -> Option<Value> {
    let envelope = json!({
        "id": "evt_01KAHX3N5RDGT0M7Y8Z9ABCDEF", "event": kind, "session": "sess_1",
        "payload": payload,
    });
    whapi::render(&event(&envelope))
}

fn one_of_each() -> Vec<Content> {
    let interactive = Interactive {
        header: Some("h".into()),
        buttons: vec![Button {
            kind: "url".into(),
            text: "b".into(),
            url: Some("https://x".into()),
            ..Button::default()
        }],
        list_button: Some("open".into()),
        sections: vec![ListSection {
            title: "s".into(),
            rows: vec![Row::default()],
        }],
        ..Interactive::default()
    };
    vec![
        Content::Image(Image::default()),
        Content::Video(Video::default()),
        Content::Gif(Video::default()),
        Content::Short(Video::default()),
        Content::Audio(Audio::default()),
        Content::Voice(Audio::default()),
        Content::Document(Document::default()),
        Content::Sticker(Sticker::default()),
        Content::StickerPack(StickerPack::default()),
        Content::Location(Location::default()),
        Content::LiveLocation(LiveLocation::default()),
        Content::Contact(Contact::default()),
        Content::ContactList(ContactList::default()),
        Content::Reply(Reply {
            to: "list".into(),
            ..Reply::default()
        }),
        Content::Template(interactive.clone()),
        Content::Hsm(interactive.clone()),
        Content::Interactive(interactive.clone()),
        Content::List(interactive.clone()),
        Content::Buttons(interactive),
        Content::Reaction(Reaction {
            emoji: Some("👍".into()),
        }),
        Content::Poll(Poll::default()),
        Content::PollVote(PollVote {
            options: Some(vec!["a".into()]),
            ..PollVote::default()
        }),
        Content::PollResult(PollResults::default()),
        Content::Edit(Edit {
            edited_type: "image".into(),
        }),
        Content::Ephemeral(Timer { seconds: 60 }),
        Content::Pin(Pin::default()),
        Content::Keep(Keep::default()),
        Content::GroupInvite(GroupInvite::default()),
        Content::ChannelAdminInvite(ChannelInvite::default()),
        Content::ChannelFollowerInvite(ChannelInvite::default()),
        Content::Product(Product::default()),
        Content::Catalog(Catalog::default()),
        Content::Order(Order {
            total_amount_1000: Some(12_340),
            ..Order::default()
        }),
        Content::Payment(Payment::default()),
        Content::Album(Album::default()),
        Content::Comment(Comment::default()),
        Content::Event(CalendarEvent::default()),
        Content::EventResponse(EventResponse::default()),
        Content::EventInvite(EventInvite::default()),
        Content::CallLog(CallLog::default()),
        Content::ScheduledCall(ScheduledCall::default()),
        Content::Unknown(Unknown::default()),
    ]
}

#[test]
fn every_type_has_a_body_that_fits_the_schema() {
    let schema = schema();
    let mut seen: HashSet<&str> = [
        "text",
        "revoke",
        "phone_number_request",
        "phone_number_share",
    ]
    .into();
    let each = one_of_each();
    for content in &each {
        let kind = content.kind();
        seen.insert(kind);
        let mut payload = message(Some(content.clone()), kind);
        payload.target_message_id = Some("3EB1".into());
        let again: MessagePayload =
            serde_json::from_value(serde_json::to_value(&payload).unwrap()).unwrap();
        assert_eq!(again, payload, "{kind} is read as it was written");
        for event in ["message", "message.from_me", "status.post"] {
            let body = rendered(event, &payload).unwrap();
            schema
                .fits(&body)
                .unwrap_or_else(|error| panic!("{event} {kind}: {error:#}"));
        }
    }
    for kind in ["text", "phone_number_share"] {
        let body = rendered("message", &message(None, kind)).unwrap();
        schema.fits(&body).unwrap();
    }
    assert_eq!(seen, TYPES.iter().copied().collect());
}

#[test]
fn a_message_that_changes_is_shown_before_and_after() {
    let schema = schema();
    let target = Target {
        message_id: "3EB1".into(),
        from_me: Some(true),
        kind: Some("text".into()),
        text: Some("helo".into()),
        ..Target::default()
    };
    let changed = |content: Content| MessagePayload {
        target: Some(target.clone()),
        target_message_id: Some("3EB1".into()),
        ..message(Some(content.clone()), content.kind())
    };
    let edit = changed(Content::Edit(Edit {
        edited_type: "text".into(),
    }));
    let body = rendered("message.edited", &edit).unwrap();
    schema.fits(&body).unwrap();
    let update = &body["messages_updates"][0];
    assert_eq!(update["before_update"]["text"]["body"], "helo");
    assert_eq!(update["after_update"]["text"]["body"], "words");
    assert_eq!(update["trigger"]["action"]["type"], "edit");
    assert_eq!(update["changes"], json!(["text"]));

    let reaction = changed(Content::Reaction(Reaction {
        emoji: Some("👍".into()),
    }));
    let body = rendered("message.reaction", &reaction).unwrap();
    schema.fits(&body).unwrap();
    let after = &body["messages_updates"][0]["after_update"];
    let reactions = json!([{"emoji": "👍", "author": "155512345"}]);
    assert_eq!(after["reactions"], reactions);
    assert_eq!(body["event"], json!({"type": "messages", "event": "patch"}));
}

#[test]
fn what_is_revoked_is_removed() {
    let revoke = MessagePayload {
        target_message_id: Some("3EB1".into()),
        ..message(None, "revoke")
    };
    let body = rendered("message.revoked", &revoke).unwrap();
    schema().fits(&body).unwrap();
    assert_eq!(body["messages_removed"], json!(["3EB1"]));
}

#[test]
fn statuses_have_codes_and_steps_that_the_format_has_not_are_left_out() {
    let status = |status: &str| {
        let payload = json!({
            "outboxId": "out_1", "waMessageId": "3EB0", "chatJid": "1@lid",
            "status": status, "timestamp": 1_700_000_000_999_i64,
        });
        rendered("message.status", &payload)
    };
    let schema = schema();
    for (name, code, shown) in [
        ("failed", 0, "failed"),
        ("cancelled", 0, "failed"),
        ("scheduled", 1, "pending"),
        ("queued", 1, "pending"),
        ("sent", 2, "sent"),
        ("delivered", 3, "delivered"),
        ("read", 4, "read"),
        ("played", 5, "played"),
    ] {
        let body = status(name).unwrap();
        schema.fits(&body).unwrap();
        let entry = &body["statuses"][0];
        assert_eq!(
            (&entry["code"], &entry["status"]),
            (&json!(code), &json!(shown))
        );
        assert_eq!(entry["timestamp"], "1700000000");
    }
    assert_eq!(status("sending"), None);
}

#[test]
fn a_call_is_a_message_and_what_has_no_shape_is_nothing() {
    let call = CallPayload {
        call_id: "C".into(),
        from: Address::new("155512345@s.whatsapp.net", None),
        end: Some(CallEnd::Unanswered),
        ..CallPayload::default()
    };
    let body = rendered("call.missed", &call).unwrap();
    schema().fits(&body).unwrap();
    assert_eq!(body["messages"][0]["subtype"], "missed");
    assert_eq!(
        rendered("session.status", &json!({"status": "working"})),
        None
    );
    assert_eq!(rendered("message", &json!({"not": "a message"})), None);
}
