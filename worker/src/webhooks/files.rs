//! The files of messages, for webhooks with `autoDownload`.

use std::borrow::Cow;

use gateway_shared::events::Event;
use gateway_shared::events::inbound::MessagePayload;
use gateway_shared::lane::SessionRef;
use serde::Deserialize;
use serde_json::Value;

use super::attempt::Endpoint;
use super::dispatcher::Shared;
use crate::session::FileMessage;

#[derive(Deserialize)]
struct Envelope {
    payload: MessagePayload,
}

/// The event as a webhook is to be told it: with the address of its file, where the webhook wants that
/// and the session does not say it already. `fetch`: the file is fetched now.
pub(super) fn with_address<'a>(
    shared: &Shared,
    endpoint: &Endpoint,
    event: &'a Event,
    fetch: bool,
) -> Cow<'a, Event> {
    let told = matches!(event.kind.as_str(), "message" | "message.from_me");
    let added = (endpoint.webhook.auto_download && told)
        .then(|| added(shared, endpoint, event, fetch))
        .flatten();
    added.map_or(Cow::Borrowed(event), Cow::Owned)
}

fn added(shared: &Shared, endpoint: &Endpoint, event: &Event, fetch: bool) -> Option<Event> {
    let mut envelope: Envelope = serde_json::from_str(&event.json).ok()?;
    let payload = &mut envelope.payload;
    let message = FileMessage {
        of: SessionRef {
            organization: endpoint.webhook.organization_id.clone(),
            session: event.session.parse().ok()?,
        },
        id: payload.wa_message_id.clone(),
        chat: payload.chat_jid.clone(),
        sender: None,
    };
    let content = payload.content.as_mut()?;
    let file = content.file_mut()?;
    if file.url.is_some() || file.too_large {
        return None;
    }
    // By the message's time, so that a later delivery does not make the address good for longer.
    let wanted = shared
        .downloads
        .announce(payload.timestamp, &message, content)
        .ok()?;
    if wanted && fetch {
        shared.downloads.fetch_known(message);
    }
    let mut whole: Value = serde_json::from_str(&event.json).ok()?;
    whole["payload"] = serde_json::to_value(payload).ok()?;
    Some(Event {
        json: whole.to_string(),
        ..event.clone()
    })
}
