//! What the product is about, free of Redis and HTTP.

mod amendment;
mod content;
mod download;
mod failure;
mod id;
mod jid;
mod known;
mod phone;
mod session;
mod status;

pub use amendment::Amendment;
pub use content::{
    AlbumItem, ContactCard, Content, FileFacts, FileKind, HexBytes, Media, MessageContext, Poll,
    PollKey, PollSecret, Target, new_message_id,
};
pub use download::{Download, MediaKind};
pub use failure::SendFailure;
pub use id::{
    ApiKeyId, DeliveryId, EventId, InstallationId, InstanceId, InvalidId, JobId, MediaId,
    OrganizationId, OutboxId, SessionId, WebhookId, WorkerId,
};
pub use jid::{InvalidJid, InvalidPerson, InvalidPhone, Jid, PersonJid, PhoneNumber, hint_at};
pub use known::KnownMessage;
pub use session::{
    DEFAULT_RATE_PER_HOUR, DEFAULT_RATE_PER_MIN, Limits, Restriction, Session, SessionStatus,
    UnknownSessionStatus,
};
pub use status::{SendStatus, UnknownStatus};
