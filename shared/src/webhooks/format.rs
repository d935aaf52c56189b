//! What is posted for an event, and which order it keeps.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;

use super::record::Format;
use crate::events::{Event, whapi};

/// A body ready to be signed.
pub type Body = Bytes;

/// The body for an event; `None` where the format has no shape for it, so that nothing is posted.
#[must_use]
pub fn render(format: Format, event: &Event) -> Option<Body> {
    match format {
        Format::Gateway => Some(Bytes::copy_from_slice(event.json.as_bytes())),
        Format::Whapi => {
            let body = whapi::render(event)?;
            serde_json::to_vec(&body).ok().map(Bytes::from)
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    payload: Payload<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Payload<'a> {
    #[serde(borrow)]
    chat: Option<Names<'a>>,
    #[serde(borrow)]
    chat_jid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    group_jid: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Names<'a> {
    #[serde(borrow)]
    pn: Option<Cow<'a, str>>,
    #[serde(borrow)]
    lid: Option<Cow<'a, str>>,
}

/// What an event keeps its order with: the chat of its session, by the person's number where it is
/// known. Events about no chat keep their order with one another, session by session.
#[must_use]
pub fn chat_of(event: &Event) -> String {
    let payload = serde_json::from_str(&event.json)
        .map(|envelope: Envelope<'_>| envelope.payload)
        .unwrap_or_default();
    let (pn, lid) = payload
        .chat
        .map_or((None, None), |names| (names.pn, names.lid));
    let chat = pn
        .or(lid)
        .or(payload.chat_jid)
        .or(payload.group_jid)
        .unwrap_or_default();
    format!("{} {chat}", event.session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OrganizationId;
    use crate::events::{EventIds, Place};

    fn event(session: &str, payload: &str) -> Event {
        let ids = EventIds::of(&OrganizationId::generate(1));
        Event {
            place: Place::START,
            id: ids.id(Place::START),
            kind: "message".to_owned(),
            session: session.to_owned(),
            json: format!("{{\"schema\":\"v1\",\"payload\":{payload}}}"),
        }
    }

    #[test]
    fn a_person_is_one_chat_by_whichever_name() {
        let number = r#"{"chatJid":"1@s.whatsapp.net"}"#;
        let both = r#"{"chatJid":"9@lid","chat":{"pn":"1@s.whatsapp.net","lid":"9@lid"}}"#;
        let lid = r#"{"chatJid":"9@lid","chat":{"pn":null,"lid":"9@lid"}}"#;
        let group = r#"{"groupJid":"5@g.us","by":"\u0041"}"#;
        assert_eq!(chat_of(&event("s", number)), "s 1@s.whatsapp.net");
        assert_eq!(chat_of(&event("s", both)), "s 1@s.whatsapp.net");
        assert_eq!(chat_of(&event("s", lid)), "s 9@lid");
        assert_eq!(chat_of(&event("s", group)), "s 5@g.us");
        assert_eq!(chat_of(&event("s", r#"{"status":"working"}"#)), "s ");
        assert_eq!(chat_of(&event("t", "17")), "t ");
    }
}
