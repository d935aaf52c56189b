//! What people do to messages and to chats, polls of all versions, events, albums, calls that were.

use buffa::{Message as _, MessageField};
use serde::Deserialize;
use serde_json::Value;
use wacore::message_edit::{MessageEditContext, encrypt_message_edit};
use wacore::proto_helpers::MessageExt as _;
use waproto::whatsapp::message::event_response_message::EventResponseType;
use waproto::whatsapp::message::poll_creation_message::Option as PollOption;
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use waproto::whatsapp::message::secret_encrypted_message::SecretEncType;
use waproto::whatsapp::message::{
    AlbumMessage, CallLogMessage, CommentMessage, ContactMessage, ContactsArrayMessage,
    EncCommentMessage, EncEventResponseMessage, EncReactionMessage, EventInviteMessage,
    EventMessage, EventResponseMessage, KeepInChatMessage, LiveLocationMessage, LocationMessage,
    PinInChatMessage, PollCreationMessage, PollResultSnapshotMessage, PollType, ProtocolMessage,
    RequestPhoneNumberMessage, ScheduledCallCreationMessage, SecretEncryptedMessage,
    pin_in_chat_message, poll_result_snapshot_message, scheduled_call_creation_message,
};
use waproto::whatsapp::{KeepType, Message, MessageContextInfo, MessageKey};

use super::super::messages::Shown;
use super::super::wanted::{Writer, now};
use super::{read, secret};

pub(super) const KINDS: &[&str] = &[
    "live_location",
    "contact_list",
    "enc_reaction",
    "enc_edit",
    "enc_comment",
    "comment",
    "any_poll",
    "poll_result",
    "ephemeral",
    "pin",
    "keep",
    "album",
    "event",
    "event_response",
    "event_invite",
    "call_log",
    "scheduled_call",
    "phone_number_request",
    "phone_number_share",
];

#[derive(Debug, Deserialize)]
struct Card {
    name: String,
    vcard: String,
}

#[derive(Debug, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
enum Wanted {
    LiveLocation {
        latitude: f64,
        longitude: f64,
        caption: Option<String>,
        sequence: Option<i64>,
    },
    ContactList {
        name: Option<String>,
        contacts: Vec<Card>,
    },
    EncReaction {
        target: String,
        emoji: String,
    },
    EncEdit {
        target: String,
        text: String,
    },
    EncComment {
        target: String,
        text: String,
    },
    Comment {
        target: String,
        text: String,
    },
    AnyPoll {
        version: u8,
        name: String,
        options: Vec<String>,
        #[serde(default)]
        selectable_count: u32,
        /// The right answer: it is a quiz.
        answer: Option<String>,
    },
    PollResult {
        name: String,
        votes: Vec<(String, i64)>,
    },
    Ephemeral {
        seconds: u32,
    },
    Pin {
        target: String,
        pinned: bool,
        seconds: Option<u32>,
    },
    Keep {
        target: String,
        kept: bool,
    },
    Album {
        images: u32,
        videos: u32,
    },
    Event {
        name: String,
        description: Option<String>,
        starts_at: Option<i64>,
        place: Option<String>,
    },
    EventResponse {
        target: String,
        response: String,
    },
    EventInvite {
        #[serde(rename = "event")]
        id: String,
        title: String,
        caption: Option<String>,
    },
    CallLog {
        video: bool,
        seconds: Option<i64>,
    },
    ScheduledCall {
        title: String,
        starts_at: i64,
    },
    PhoneNumberRequest,
    PhoneNumberShare,
}

pub(super) fn build(writer: &Writer<'_>, wanted: &Value) -> Result<Message, String> {
    let mut message = Message::default();
    match read(wanted)? {
        Wanted::LiveLocation {
            latitude,
            longitude,
            caption,
            sequence,
        } => {
            message.live_location_message = MessageField::some(LiveLocationMessage {
                degrees_latitude: Some(latitude),
                degrees_longitude: Some(longitude),
                caption,
                sequence_number: sequence,
                ..Default::default()
            });
        }
        Wanted::ContactList { name, contacts } => {
            let contacts = contacts.into_iter().map(|card| ContactMessage {
                display_name: Some(card.name),
                vcard: Some(card.vcard),
                ..Default::default()
            });
            message.contacts_array_message = MessageField::some(ContactsArrayMessage {
                display_name: name,
                contacts: contacts.collect(),
                ..Default::default()
            });
        }
        Wanted::EncReaction { target, emoji } => {
            let sealing = Sealing::of(writer, &target)?;
            let (payload, iv) = wacore::reaction::encrypt_reaction_with_secret(
                &emoji,
                now(),
                &sealing.secret,
                &target,
                &sealing.author,
                &sealing.me,
            )
            .map_err(|error| error.to_string())?;
            message.enc_reaction_message = MessageField::some(EncReactionMessage {
                target_message_key: MessageField::some(sealing.key),
                enc_payload: Some(payload),
                enc_iv: Some(iv.to_vec()),
            });
        }
        Wanted::EncEdit { target, text } => {
            let sealing = Sealing::of(writer, &target)?;
            let edited = Message {
                protocol_message: MessageField::some(ProtocolMessage {
                    key: MessageField::some(sealing.key.clone()),
                    r#type: Some(ProtocolType::MESSAGE_EDIT),
                    edited_message: MessageField::some(said(&text)),
                    timestamp_ms: Some(now()),
                    ..Default::default()
                }),
                ..Default::default()
            };
            let context = MessageEditContext {
                original_msg_id: &target,
                original_sender_jid: &sealing.author,
                editor_jid: &sealing.me,
            };
            let (payload, iv) = encrypt_message_edit(&edited, &sealing.secret, &context)
                .map_err(|error| error.to_string())?;
            message.secret_encrypted_message = MessageField::some(SecretEncryptedMessage {
                target_message_key: MessageField::some(sealing.key),
                enc_payload: Some(payload),
                enc_iv: Some(iv.to_vec()),
                secret_enc_type: Some(SecretEncType::MESSAGE_EDIT),
                ..Default::default()
            });
        }
        Wanted::EncComment { target, text } => {
            let sealing = Sealing::of(writer, &target)?;
            let (payload, iv) = wacore::comment::encrypt_comment_with_secret(
                &said(&text),
                &sealing.secret,
                &target,
                &sealing.author,
                &sealing.me,
            )
            .map_err(|error| error.to_string())?;
            message.enc_comment_message = MessageField::some(EncCommentMessage {
                target_message_key: MessageField::some(sealing.key),
                enc_payload: Some(payload),
                enc_iv: Some(iv.to_vec()),
            });
        }
        Wanted::Comment { target, text } => {
            message.comment_message = MessageField::some(CommentMessage {
                message: MessageField::some(said(&text)),
                target_message_key: MessageField::some(writer.key(&writer.seen(&target)?)?),
            });
        }
        Wanted::AnyPoll {
            version,
            name,
            options,
            selectable_count,
            answer,
        } => return poll(version, name, options, selectable_count, answer),
        Wanted::PollResult { name, votes } => {
            let votes =
                votes
                    .into_iter()
                    .map(|(name, count)| poll_result_snapshot_message::PollVote {
                        option_name: Some(name),
                        option_vote_count: Some(count),
                    });
            message.poll_result_snapshot_message = MessageField::some(PollResultSnapshotMessage {
                name: Some(name),
                poll_votes: votes.collect(),
                ..Default::default()
            });
        }
        Wanted::Ephemeral { seconds } => {
            message.protocol_message = MessageField::some(ProtocolMessage {
                r#type: Some(ProtocolType::EPHEMERAL_SETTING),
                ephemeral_expiration: Some(seconds),
                ..Default::default()
            });
        }
        Wanted::Pin {
            target,
            pinned,
            seconds,
        } => {
            let kind = if pinned {
                pin_in_chat_message::Type::PIN_FOR_ALL
            } else {
                pin_in_chat_message::Type::UNPIN_FOR_ALL
            };
            message.pin_in_chat_message = MessageField::some(PinInChatMessage {
                key: MessageField::some(writer.key(&writer.seen(&target)?)?),
                r#type: Some(kind),
                sender_timestamp_ms: Some(now()),
            });
            message.message_context_info = MessageField::some(MessageContextInfo {
                message_add_on_duration_in_secs: seconds,
                ..Default::default()
            });
        }
        Wanted::Keep { target, kept } => {
            message.keep_in_chat_message = MessageField::some(KeepInChatMessage {
                key: MessageField::some(writer.key(&writer.seen(&target)?)?),
                keep_type: Some(if kept {
                    KeepType::KEEP_FOR_ALL
                } else {
                    KeepType::UNDO_KEEP_FOR_ALL
                }),
                timestamp_ms: Some(now()),
            });
        }
        Wanted::Album { images, videos } => {
            message.album_message = MessageField::some(AlbumMessage {
                expected_image_count: Some(images),
                expected_video_count: Some(videos),
                ..Default::default()
            });
        }
        Wanted::Event {
            name,
            description,
            starts_at,
            place,
        } => {
            message.event_message = MessageField::some(EventMessage {
                name: Some(name),
                description,
                start_time: starts_at,
                location: match place {
                    Some(place) => MessageField::some(LocationMessage {
                        name: Some(place),
                        ..Default::default()
                    }),
                    None => MessageField::none(),
                },
                ..Default::default()
            });
        }
        Wanted::EventResponse { target, response } => {
            let sealing = Sealing::of(writer, &target)?;
            let answer = EventResponseMessage {
                response: Some(match response.as_str() {
                    "going" => EventResponseType::GOING,
                    "not_going" => EventResponseType::NOT_GOING,
                    "maybe" => EventResponseType::MAYBE,
                    other => return Err(format!("{other} is no answer")),
                }),
                timestamp_ms: Some(now()),
                ..Default::default()
            };
            let (payload, iv) = wacore::event::encrypt_event_response_with_secret(
                &answer,
                &sealing.secret,
                &target,
                &sealing.author,
                &sealing.me,
            )
            .map_err(|error| error.to_string())?;
            message.enc_event_response_message = MessageField::some(EncEventResponseMessage {
                event_creation_message_key: MessageField::some(sealing.key),
                enc_payload: Some(payload),
                enc_iv: Some(iv.to_vec()),
            });
        }
        Wanted::EventInvite { id, title, caption } => {
            message.event_invite_message = MessageField::some(EventInviteMessage {
                event_id: Some(id),
                event_title: Some(title),
                caption,
                ..Default::default()
            });
        }
        Wanted::CallLog { video, seconds } => {
            message.call_log_messsage = MessageField::some(CallLogMessage {
                is_video: Some(video),
                duration_secs: seconds,
                ..Default::default()
            });
        }
        Wanted::ScheduledCall { title, starts_at } => {
            message.scheduled_call_creation_message =
                MessageField::some(ScheduledCallCreationMessage {
                    scheduled_timestamp_ms: Some(starts_at),
                    call_type: Some(scheduled_call_creation_message::CallType::VOICE),
                    title: Some(title),
                });
        }
        Wanted::PhoneNumberRequest => {
            message.request_phone_number_message =
                MessageField::some(RequestPhoneNumberMessage::default());
        }
        Wanted::PhoneNumberShare => {
            message.protocol_message = MessageField::some(ProtocolMessage {
                r#type: Some(ProtocolType::SHARE_PHONE_NUMBER),
                ..Default::default()
            });
        }
    }
    Ok(message)
}

fn said(text: &str) -> Message {
    Message {
        conversation: Some(text.to_owned()),
        ..Default::default()
    }
}

/// What it takes to encrypt something about a message.
struct Sealing {
    key: MessageKey,
    secret: Vec<u8>,
    author: String,
    me: String,
}

impl Sealing {
    fn of(writer: &Writer<'_>, target: &str) -> Result<Self, String> {
        let shown: Shown = writer.seen(target)?;
        let raw = Message::decode_from_slice(&shown.raw).map_err(|error| error.to_string())?;
        let base = raw.get_base_message();
        let secret = [&raw.message_context_info, &base.message_context_info]
            .into_iter()
            .find_map(|info| info.as_option()?.message_secret.clone());
        let author = writer.name_of_author(&shown)?;
        // As in the groups where these are used: the key names the author.
        let key = MessageKey {
            participant: Some(author.clone()),
            ..writer.key(&shown)?
        };
        Ok(Self {
            key,
            secret: secret.ok_or("the message came without a secret")?,
            author,
            me: writer.own_name(),
        })
    }
}

fn poll(
    version: u8,
    name: String,
    options: Vec<String>,
    selectable: u32,
    answer: Option<String>,
) -> Result<Message, String> {
    let option = |name: String| PollOption {
        option_name: Some(name),
        ..Default::default()
    };
    let poll = MessageField::some(PollCreationMessage {
        name: Some(name),
        options: options.into_iter().map(option).collect(),
        selectable_options_count: Some(selectable),
        poll_type: Some(if answer.is_some() {
            PollType::QUIZ
        } else {
            PollType::POLL
        }),
        correct_answer: match answer {
            Some(answer) => MessageField::some(option(answer)),
            None => MessageField::none(),
        },
        ..Default::default()
    });
    let mut message = Message {
        message_context_info: MessageField::some(MessageContextInfo {
            message_secret: Some(secret()),
            ..Default::default()
        }),
        ..Default::default()
    };
    match version {
        1 => message.poll_creation_message = poll,
        2 => message.poll_creation_message_v2 = poll,
        // The fourth is the third in a wrapper.
        3 | 4 => message.poll_creation_message_v3 = poll,
        5 => message.poll_creation_message_v5 = poll,
        6 => message.poll_creation_message_v6 = poll,
        other => return Err(format!("there is no version {other} of polls")),
    }
    Ok(message)
}
