//! All kinds of inbound messages.

use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Album, Audio, CalendarEvent, CallLog, Catalog, ChannelInvite, Comment, Contact, ContactList,
    Document, Edit, EventInvite, EventResponse, File, GroupInvite, Image, Interactive, Keep,
    LiveLocation, Location, Order, Payment, Pin, Poll, PollResults, PollVote, Product, Reaction,
    Reply, ScheduledCall, Sticker, StickerPack, Timer, Unknown, Video,
};

/// Makes the enum, the names of the types and their schemas from one list.
macro_rules! contents {
    ($($(#[doc = $about:literal])+ $variant:ident($body:ty) = $name:literal,)+) => {
        /// What a message holds besides its text, under the name of its type. A message of type
        /// `text`, `revoke` or `phone_number` holds nothing else.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum Content {
            $($(#[doc = $about])+ #[serde(rename = $name)] $variant($body),)+
        }

        impl Content {
            /// The type of message, as it is called on the wire.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)+ }
            }
        }

        /// All types of messages.
        pub const TYPES: &[&str] = &["text", "revoke", "phone_number_request", "phone_number_share", $($name,)+];

        /// A schema for each type of message: its name, and what it adds to what all have.
        #[must_use]
        pub fn kind_schemas(generator: &mut SchemaGenerator) -> Vec<(&'static str, Value)> {
            let mut kinds: Vec<(&'static str, Value)> = [
                ("text", "A text."),
                ("revoke", "The target was deleted for everyone, by its author or by an admin of the \
                    group: `sender` says by whom."),
                ("phone_number_request", "The sender asks for the account's phone number."),
                ("phone_number_share", "The sender shares its phone number."),
            ]
            .into_iter()
            .map(|(name, about)| (name, json!({
                "type": "object",
                "description": about,
                "properties": {"type": {"type": "string", "const": name}},
                "required": ["type"],
            })))
            .collect();
            $(kinds.push(($name, json!({
                "type": "object",
                "description": concat!($($about),+).trim(),
                "properties": {
                    "type": {"type": "string", "const": $name},
                    $name: body_schema::<$body>(generator),
                },
                "required": ["type", $name],
            })));)+
            kinds
        }
    };
}

fn body_schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().into()
}

contents! {
    /// A picture.
    Image(Image) = "image",
    /// A video.
    Video(Video) = "video",
    /// A video without sound that is played over and over.
    Gif(Video) = "gif",
    /// A short round video.
    Short(Video) = "short",
    /// A piece of audio.
    Audio(Audio) = "audio",
    /// A voice message.
    Voice(Audio) = "voice",
    /// A document.
    Document(Document) = "document",
    /// A sticker.
    Sticker(Sticker) = "sticker",
    /// A pack of stickers.
    StickerPack(StickerPack) = "sticker_pack",
    /// A place.
    Location(Location) = "location",
    /// Where somebody is who shares it for a while.
    LiveLocation(LiveLocation) = "live_location",
    /// A contact card.
    Contact(Contact) = "contact",
    /// Several contact cards.
    ContactList(ContactList) = "contact_list",
    /// A button was pressed, or a row of a list chosen.
    Reply(Reply) = "reply",
    /// A message from a template.
    Template(Interactive) = "template",
    /// A message from a template of the older kind.
    Hsm(Interactive) = "hsm",
    /// An interactive message.
    Interactive(Interactive) = "interactive",
    /// A list to choose from.
    List(Interactive) = "list",
    /// A message with buttons.
    Buttons(Interactive) = "buttons",
    /// A reaction to the target.
    Reaction(Reaction) = "reaction",
    /// A question with options.
    Poll(Poll) = "poll",
    /// A vote in the target.
    PollVote(PollVote) = "poll_vote",
    /// How a poll stands, shared by its author.
    PollResult(PollResults) = "poll_result",
    /// The target says something else now.
    Edit(Edit) = "edit",
    /// How long messages of the chat are kept changed.
    Ephemeral(Timer) = "ephemeral",
    /// The target was pinned, or no longer is.
    Pin(Pin) = "pin",
    /// The target is kept, or no longer is.
    Keep(Keep) = "keep",
    /// An invitation to a group.
    GroupInvite(GroupInvite) = "group_invite",
    /// An invitation to be an admin of a channel.
    ChannelAdminInvite(ChannelInvite) = "channel_admin_invite",
    /// An invitation to follow a channel.
    ChannelFollowerInvite(ChannelInvite) = "channel_follower_invite",
    /// A product.
    Product(Product) = "product",
    /// A catalog.
    Catalog(Catalog) = "catalog",
    /// An order.
    Order(Order) = "order",
    /// Something about money.
    Payment(Payment) = "payment",
    /// The beginning of an album.
    Album(Album) = "album",
    /// A comment on the target.
    Comment(Comment) = "comment",
    /// An event in a calendar.
    Event(CalendarEvent) = "event",
    /// An answer to the target, an event.
    EventResponse(EventResponse) = "event_response",
    /// An invitation to an event of another chat.
    EventInvite(EventInvite) = "event_invite",
    /// A call that was.
    CallLog(CallLog) = "call_log",
    /// A call that is planned.
    ScheduledCall(ScheduledCall) = "scheduled_call",
    /// Something that this version has no type for.
    Unknown(Unknown) = "unknown",
}

impl Content {
    /// The file that it holds, if it is one that can be fetched.
    pub fn file_mut(&mut self) -> Option<&mut File> {
        Some(match self {
            Self::Image(it) => &mut it.file,
            Self::Video(it) | Self::Gif(it) | Self::Short(it) => &mut it.file,
            Self::Audio(it) | Self::Voice(it) => &mut it.file,
            Self::Document(it) => &mut it.file,
            Self::Sticker(it) => &mut it.file,
            Self::StickerPack(it) => &mut it.file,
            _ => return None,
        })
    }
}
