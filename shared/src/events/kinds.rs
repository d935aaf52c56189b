//! The kinds of events.

/// Every kind that an organization's stream may hold, as the contract lists them.
pub const KINDS: [&str; 23] = [
    "message.status",
    "message",
    "message.from_me",
    "message.reaction",
    "message.edited",
    "message.revoked",
    "poll.vote",
    "session.status",
    "auth.qr",
    "auth.code",
    "group.update",
    "group.participant",
    "chat.update",
    "contact.update",
    "presence.update",
    "call.incoming",
    "call.missed",
    "call.ended_elsewhere",
    "status.post",
    "message.undecryptable",
    "webhook.failing",
    "webhook.recovered",
    "webhook.disabled",
];

/// What tells a listener that events are missing. It is in no stream; it is made on the way.
pub const GAP_KIND: &str = "stream.gap";

/// Whether a text names a kind of event.
#[must_use]
pub fn is_kind(text: &str) -> bool {
    KINDS.contains(&text)
}
