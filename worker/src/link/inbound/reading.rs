//! What a message says: its type, its text, what it holds, and what it is about.

use gateway_shared::domain::Download;
use gateway_shared::events::inbound::{
    Album, CallLog, Comment, Contact, ContactList, Content, Edit, EventResponse, Keep, LinkPreview,
    LiveLocation, Location, Pin, Reaction, ScheduledCall, Timer, Unknown,
};
use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use waproto::whatsapp::message::secret_encrypted_message::SecretEncType;
use waproto::whatsapp::message::{
    call_log_message, pin_in_chat_message, scheduled_call_creation_message,
};

use super::fields::{Becomes, present};
use super::unwrap::Unwrapped;
use super::{business, calendar, files, interactive, invites, payments, polls, texts};
use crate::link::vote::SealedVote;

/// What a message says.
#[derive(Default)]
pub(super) struct Reading {
    /// Its type.
    pub(super) kind: &'static str,
    /// Its text, caption, question or name.
    pub(super) text: Option<String>,
    /// What it holds besides that.
    pub(super) content: Option<Content>,
    /// What it shows of a link.
    pub(super) link_preview: Option<LinkPreview>,
    /// The message it is about.
    pub(super) target: Option<wa::MessageKey>,
    /// How its file is fetched.
    pub(super) download: Option<Download>,
    /// The vote, if it is one.
    pub(super) vote: Option<SealedVote>,
}

impl Reading {
    /// A message that is its text and nothing else.
    pub(super) fn plain(kind: &'static str, text: Option<String>) -> Self {
        Self {
            kind,
            text,
            ..Self::default()
        }
    }

    /// A message that holds this.
    pub(super) fn of(content: Content, text: Option<String>) -> Self {
        Self {
            kind: content.kind(),
            text,
            content: Some(content),
            ..Self::default()
        }
    }

    /// The same, about another message.
    pub(super) fn about(self, target: Option<&wa::MessageKey>) -> Self {
        Self {
            target: target.cloned(),
            ..self
        }
    }

    /// Something that there is no type for, in a field of this name.
    pub(super) fn unknown(field: Option<String>) -> Self {
        Self::of(Content::Unknown(Unknown { field }), None)
    }
}

/// Reads what is left of a message without its wrappers; `None` = nothing that a person wrote.
pub(super) fn read(base: &wa::Message) -> Option<Reading> {
    let fields = present(base);
    let mut unknown = None;
    for field in &fields {
        match field.becomes {
            Becomes::Machinery => {}
            Becomes::Protocol => {
                return base.protocol_message.as_option().and_then(protocol);
            }
            Becomes::Message(_) => {
                if let Some(reading) = message(base, field.name) {
                    return Some(reading);
                }
                unknown.get_or_insert(field.name);
            }
            Becomes::Wrapper(_) | Becomes::Unwrapped | Becomes::Unknown => {
                unknown.get_or_insert(field.name);
            }
        }
    }
    match unknown {
        Some(name) => Some(Reading::unknown(Some(name.to_owned()))),
        // Nothing but keys, or a field that this version of the library does not know.
        None if fields.is_empty() => Some(Reading::unknown(None)),
        None => None,
    }
}

/// Reads the field of this name. What it holds is there: `present` said so.
fn message(base: &wa::Message, field: &str) -> Option<Reading> {
    let reading = match field {
        "conversation" => Reading::plain("text", base.conversation.clone()),
        "extendedTextMessage" => texts::extended(base.extended_text_message.as_option()?),
        "imageMessage" => files::image(base.image_message.as_option()?),
        "videoMessage" => files::video(base.video_message.as_option()?, false),
        "ptvMessage" => files::video(base.ptv_message.as_option()?, true),
        "audioMessage" => files::audio(base.audio_message.as_option()?),
        "documentMessage" => files::document(base.document_message.as_option()?),
        "stickerMessage" => files::sticker(base.sticker_message.as_option()?),
        "stickerPackMessage" => files::sticker_pack(base.sticker_pack_message.as_option()?),
        "locationMessage" => {
            let place = location(base.location_message.as_option()?);
            let text = place.name.clone();
            Reading::of(Content::Location(place), text)
        }
        "liveLocationMessage" => live_location(base.live_location_message.as_option()?),
        "contactMessage" => {
            let card = card(base.contact_message.as_option()?);
            let text = card.name.clone();
            Reading::of(Content::Contact(card), Some(text))
        }
        "contactsArrayMessage" => {
            let cards = base.contacts_array_message.as_option()?;
            let contacts = cards.contacts.iter().map(card).collect();
            let content = Content::ContactList(ContactList { contacts });
            Reading::of(content, cards.display_name.clone())
        }
        "reactionMessage" => {
            let reaction = base.reaction_message.as_option()?;
            // Taking it back may be told by leaving it out.
            let emoji = Some(reaction.text.clone().unwrap_or_default());
            Reading::of(Content::Reaction(Reaction { emoji }), None).about(reaction.key.as_option())
        }
        "encReactionMessage" => {
            let sealed = base.enc_reaction_message.as_option()?;
            Reading::of(Content::Reaction(Reaction { emoji: None }), None)
                .about(sealed.target_message_key.as_option())
        }
        "commentMessage" => {
            let comment = base.comment_message.as_option()?;
            let said = comment.message.as_option().and_then(read_whole);
            comment_of(said).about(comment.target_message_key.as_option())
        }
        "encCommentMessage" => {
            let sealed = base.enc_comment_message.as_option()?;
            comment_of(None).about(sealed.target_message_key.as_option())
        }
        "keepInChatMessage" => {
            let keep = base.keep_in_chat_message.as_option()?;
            let kept = keep.keep_type == Some(wa::KeepType::KEEP_FOR_ALL);
            Reading::of(Content::Keep(Keep { kept }), None).about(keep.key.as_option())
        }
        "pinInChatMessage" => {
            let pin = base.pin_in_chat_message.as_option()?;
            let pinned = pin.r#type == Some(pin_in_chat_message::Type::PIN_FOR_ALL);
            let context = base.message_context_info.as_option();
            let seconds = context.and_then(|info| info.message_add_on_duration_in_secs);
            Reading::of(Content::Pin(Pin { pinned, seconds }), None).about(pin.key.as_option())
        }
        "albumMessage" => {
            let album = base.album_message.as_option()?;
            let album = Album {
                images: album.expected_image_count.unwrap_or_default(),
                videos: album.expected_video_count.unwrap_or_default(),
            };
            Reading::of(Content::Album(album), None)
        }
        "callLogMesssage" => Reading::of(
            Content::CallLog(call_log(base.call_log_messsage.as_option()?)),
            None,
        ),
        "scheduledCallCreationMessage" => {
            let call = base.scheduled_call_creation_message.as_option()?;
            let content = Content::ScheduledCall(ScheduledCall {
                cancelled: false,
                video: call
                    .call_type
                    .map(|kind| kind == scheduled_call_creation_message::CallType::VIDEO),
                starts_at: call.scheduled_timestamp_ms,
            });
            Reading::of(content, call.title.clone())
        }
        "scheduledCallEditMessage" => {
            let call = base.scheduled_call_edit_message.as_option()?;
            let content = Content::ScheduledCall(ScheduledCall {
                cancelled: true,
                ..ScheduledCall::default()
            });
            Reading::of(content, None).about(call.key.as_option())
        }
        "requestPhoneNumberMessage" => Reading::plain("phone_number_request", None),
        "secretEncryptedMessage" => sealed(base.secret_encrypted_message.as_option()?),
        "eventMessage" => calendar::event(base.event_message.as_option()?),
        "eventInviteMessage" => calendar::invite(base.event_invite_message.as_option()?),
        "encEventResponseMessage" => {
            let answer = base.enc_event_response_message.as_option()?;
            Reading::of(Content::EventResponse(EventResponse::default()), None)
                .about(answer.event_creation_message_key.as_option())
        }
        _ => {
            return polls::read(base, field)
                .or_else(|| interactive::read(base, field))
                .or_else(|| invites::read(base, field))
                .or_else(|| business::read(base, field))
                .or_else(|| payments::read(base, field));
        }
    };
    Some(reading)
}

/// Reads a message in a message.
pub(super) fn read_whole(message: &wa::Message) -> Option<Reading> {
    read(Unwrapped::of(message).base)
}

/// A comment that says this; nothing = it could not be decrypted.
pub(super) fn comment_of(said: Option<Reading>) -> Reading {
    let (kind, text) = match said {
        Some(said) => (Some(said.kind.to_owned()), said.text),
        None => (None, None),
    };
    let comment = Comment {
        comment_type: kind,
        written_at: None,
    };
    Reading::of(Content::Comment(comment), text)
}

fn protocol(protocol: &wa::message::ProtocolMessage) -> Option<Reading> {
    let key = protocol.key.as_option();
    let kind = protocol.r#type;
    Some(match kind {
        Some(ProtocolType::REVOKE) => Reading::plain("revoke", None).about(key),
        Some(ProtocolType::MESSAGE_EDIT) => {
            let edited = protocol.edited_message.as_option().and_then(read_whole);
            edit(edited).about(key)
        }
        Some(ProtocolType::EPHEMERAL_SETTING) => {
            let seconds = protocol.ephemeral_expiration.unwrap_or_default();
            Reading::of(Content::Ephemeral(Timer { seconds }), None)
        }
        Some(ProtocolType::SHARE_PHONE_NUMBER) => Reading::plain("phone_number_share", None),
        // Between our own devices and the server.
        Some(
            ProtocolType::EPHEMERAL_SYNC_RESPONSE
            | ProtocolType::HISTORY_SYNC_NOTIFICATION
            | ProtocolType::APP_STATE_SYNC_KEY_SHARE
            | ProtocolType::APP_STATE_SYNC_KEY_REQUEST
            | ProtocolType::MSG_FANOUT_BACKFILL_REQUEST
            | ProtocolType::INITIAL_SECURITY_NOTIFICATION_SETTING_SYNC
            | ProtocolType::APP_STATE_FATAL_EXCEPTION_NOTIFICATION
            | ProtocolType::PEER_DATA_OPERATION_REQUEST_MESSAGE
            | ProtocolType::PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE
            | ProtocolType::LID_MIGRATION_MAPPING_SYNC,
        ) => return None,
        Some(other) => Reading::unknown(Some(format!("protocolMessage.{other:?}"))).about(key),
        None => Reading::unknown(Some("protocolMessage".to_owned())).about(key),
    })
}

/// An edit to this; nothing = it could not be decrypted.
pub(super) fn edit(edited: Option<Reading>) -> Reading {
    let (kind, text) = match edited {
        Some(edited) => (edited.kind, edited.text),
        None => ("unknown", None),
    };
    let edited_type = kind.to_owned();
    Reading::of(Content::Edit(Edit { edited_type }), text)
}

/// What the library could not decrypt: the secret of its target is not known here.
fn sealed(sealed: &wa::message::SecretEncryptedMessage) -> Reading {
    let target = sealed.target_message_key.as_option();
    match sealed.secret_enc_type {
        Some(SecretEncType::MESSAGE_EDIT | SecretEncType::EVENT_EDIT) | None => {
            edit(None).about(target)
        }
        Some(other) => {
            let field = format!("secretEncryptedMessage.{other:?}");
            Reading::unknown(Some(field)).about(target)
        }
    }
}

/// A place.
pub(super) fn location(place: &wa::message::LocationMessage) -> Location {
    Location {
        latitude: place.degrees_latitude.unwrap_or_default(),
        longitude: place.degrees_longitude.unwrap_or_default(),
        name: place.name.clone(),
        address: place.address.clone(),
        url: place.url.clone(),
        thumbnail: files::thumbnail(place.jpeg_thumbnail.as_deref()),
    }
}

fn live_location(place: &wa::message::LiveLocationMessage) -> Reading {
    let content = Content::LiveLocation(LiveLocation {
        latitude: place.degrees_latitude.unwrap_or_default(),
        longitude: place.degrees_longitude.unwrap_or_default(),
        accuracy: place.accuracy_in_meters,
        speed: place.speed_in_mps,
        heading: place.degrees_clockwise_from_magnetic_north,
        sequence_number: place.sequence_number,
        thumbnail: files::thumbnail(place.jpeg_thumbnail.as_deref()),
    });
    Reading::of(content, place.caption.clone())
}

fn card(contact: &wa::message::ContactMessage) -> Contact {
    Contact {
        name: contact.display_name.clone().unwrap_or_default(),
        vcard: contact.vcard.clone().unwrap_or_default(),
    }
}

fn call_log(call: &wa::message::CallLogMessage) -> CallLog {
    let people = call.participants.iter();
    CallLog {
        video: call.is_video.unwrap_or_default(),
        outcome: call
            .call_outcome
            .map(|outcome: call_log_message::CallOutcome| format!("{outcome:?}")),
        seconds: call.duration_secs,
        participants: people.filter_map(|one| one.jid.clone()).collect(),
    }
}
