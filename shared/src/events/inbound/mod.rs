//! What the events of inbound messages say: one type per kind of message, one noun per file.
//!
//! A worker builds a [`MessagePayload`] from what WhatsApp delivered, the event stream carries it as
//! JSON, the OpenAPI document describes it, and `whapi` translates it. Each kind of message has a
//! `type`, and where it says more than `text` does, an object under the same name:
//!
//! ```json
//! {"type": "location", "location": {"latitude": 1.5, "longitude": 2.5}, …}
//! ```

mod address;
mod album;
mod call;
mod commerce;
mod contact;
mod content;
mod edit;
mod event;
mod file;
mod interactive;
mod invite;
mod link_preview;
mod location;
mod message;
mod operation;
mod payment;
mod poll;
mod quoted;
mod reply;
mod source;
mod target;
mod undecryptable;
mod unknown;

pub use address::Address;
pub use album::{Album, Parent};
pub use call::{CallEnd, CallLog, CallPayload, ScheduledCall};
pub use commerce::{Catalog, Order, Product};
pub use contact::{Contact, ContactList};
pub use content::{Content, TYPES, kind_schemas};
pub use edit::Edit;
pub use event::{CalendarEvent, EventInvite, EventResponse};
pub use file::{Audio, Document, File, Image, Sticker, StickerPack, Video};
pub use interactive::{Button, Interactive, ListSection, Row};
pub use invite::{ChannelInvite, GroupInvite};
pub use link_preview::LinkPreview;
pub use location::{LiveLocation, Location};
pub use message::{Flag, MessagePayload};
pub use operation::{Comment, Keep, Pin, Reaction, Timer};
pub use payment::Payment;
pub use poll::{OptionResult, Poll, PollResults, PollVote, option_id};
pub use quoted::Quoted;
pub use reply::Reply;
pub use source::{Platform, Source};
pub use target::Target;
pub use undecryptable::UndecryptablePayload;
pub use unknown::Unknown;
