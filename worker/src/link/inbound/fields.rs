//! What each field of a message becomes: the one list of them.
//!
//! The list takes the library's type apart by name, so that a field which a new version of the library
//! adds does not compile until it stands here.

use buffa::MessageField;
use gateway_shared::events::inbound::Flag;
use waproto::whatsapp as wa;

/// What a field becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Becomes {
    /// A message of this type.
    Message(&'static str),
    /// What it holds, with this flag.
    Wrapper(Flag),
    /// What it holds: a later version of a message, wrapped so that older clients pass over it.
    Unwrapped,
    /// An operation, or something between our own devices: its own type says which.
    Protocol,
    /// Nothing: keys and the like, which no person wrote.
    Machinery,
    /// A message of type `unknown` with the name of the field.
    Unknown,
}

use Becomes::{Machinery, Message, Protocol, Unknown, Unwrapped, Wrapper};

/// A field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name in the protobuf.
    pub(super) name: &'static str,
    /// What it becomes.
    pub(super) becomes: Becomes,
}

/// Whether a field is there.
trait Present {
    fn is_present(&self) -> bool;
    #[cfg(test)]
    fn present() -> Self;
}

impl Present for Option<String> {
    fn is_present(&self) -> bool {
        self.is_some()
    }

    #[cfg(test)]
    fn present() -> Self {
        Some("x".into())
    }
}

impl<T: Default> Present for MessageField<T> {
    fn is_present(&self) -> bool {
        self.is_set()
    }

    #[cfg(test)]
    fn present() -> Self {
        MessageField::some(T::default())
    }
}

macro_rules! fields {
    ($($field:ident: $name:literal => $becomes:expr,)+) => {
        /// All fields.
        #[cfg(test)]
        pub(super) const FIELDS: &[Field] = &[$(Field { name: $name, becomes: $becomes },)+];

        /// The fields that are there, in the order of the protobuf.
        pub(super) fn present(message: &wa::Message) -> Vec<Field> {
            let wa::Message { $($field,)+ } = message;
            let mut present = Vec::new();
            $(if $field.is_present() {
                present.push(Field { name: $name, becomes: $becomes });
            })+
            present
        }

        /// For each field a message that has it, empty, and nothing else.
        #[cfg(test)]
        pub(super) fn one_of_each() -> Vec<wa::Message> {
            vec![$(wa::Message { $field: Present::present(), ..Default::default() },)+]
        }
    };
}

fields! {
    conversation: "conversation" => Message("text"),
    sender_key_distribution_message: "senderKeyDistributionMessage" => Machinery,
    image_message: "imageMessage" => Message("image"),
    contact_message: "contactMessage" => Message("contact"),
    location_message: "locationMessage" => Message("location"),
    extended_text_message: "extendedTextMessage" => Message("text"),
    document_message: "documentMessage" => Message("document"),
    audio_message: "audioMessage" => Message("audio"),
    video_message: "videoMessage" => Message("video"),
    call: "call" => Unknown,
    chat: "chat" => Unknown,
    protocol_message: "protocolMessage" => Protocol,
    contacts_array_message: "contactsArrayMessage" => Message("contact_list"),
    highly_structured_message: "highlyStructuredMessage" => Message("hsm"),
    fast_ratchet_key_sender_key_distribution_message: "fastRatchetKeySenderKeyDistributionMessage" => Machinery,
    send_payment_message: "sendPaymentMessage" => Message("payment"),
    live_location_message: "liveLocationMessage" => Message("live_location"),
    request_payment_message: "requestPaymentMessage" => Message("payment"),
    decline_payment_request_message: "declinePaymentRequestMessage" => Message("payment"),
    cancel_payment_request_message: "cancelPaymentRequestMessage" => Message("payment"),
    template_message: "templateMessage" => Message("template"),
    sticker_message: "stickerMessage" => Message("sticker"),
    group_invite_message: "groupInviteMessage" => Message("group_invite"),
    template_button_reply_message: "templateButtonReplyMessage" => Message("reply"),
    product_message: "productMessage" => Message("product"),
    device_sent_message: "deviceSentMessage" => Wrapper(Flag::DeviceSent),
    message_context_info: "messageContextInfo" => Machinery,
    list_message: "listMessage" => Message("list"),
    view_once_message: "viewOnceMessage" => Wrapper(Flag::ViewOnce),
    order_message: "orderMessage" => Message("order"),
    list_response_message: "listResponseMessage" => Message("reply"),
    ephemeral_message: "ephemeralMessage" => Wrapper(Flag::Ephemeral),
    invoice_message: "invoiceMessage" => Message("payment"),
    buttons_message: "buttonsMessage" => Message("buttons"),
    buttons_response_message: "buttonsResponseMessage" => Message("reply"),
    payment_invite_message: "paymentInviteMessage" => Message("payment"),
    interactive_message: "interactiveMessage" => Message("interactive"),
    reaction_message: "reactionMessage" => Message("reaction"),
    sticker_sync_rmr_message: "stickerSyncRmrMessage" => Machinery,
    interactive_response_message: "interactiveResponseMessage" => Message("reply"),
    poll_creation_message: "pollCreationMessage" => Message("poll"),
    poll_update_message: "pollUpdateMessage" => Message("poll_vote"),
    keep_in_chat_message: "keepInChatMessage" => Message("keep"),
    document_with_caption_message: "documentWithCaptionMessage" => Wrapper(Flag::DocumentWithCaption),
    request_phone_number_message: "requestPhoneNumberMessage" => Message("phone_number_request"),
    view_once_message_v2: "viewOnceMessageV2" => Wrapper(Flag::ViewOnce),
    enc_reaction_message: "encReactionMessage" => Message("reaction"),
    edited_message: "editedMessage" => Wrapper(Flag::Edited),
    view_once_message_v2_extension: "viewOnceMessageV2Extension" => Wrapper(Flag::ViewOnce),
    poll_creation_message_v2: "pollCreationMessageV2" => Message("poll"),
    scheduled_call_creation_message: "scheduledCallCreationMessage" => Message("scheduled_call"),
    group_mentioned_message: "groupMentionedMessage" => Wrapper(Flag::GroupMentioned),
    pin_in_chat_message: "pinInChatMessage" => Message("pin"),
    poll_creation_message_v3: "pollCreationMessageV3" => Message("poll"),
    scheduled_call_edit_message: "scheduledCallEditMessage" => Message("scheduled_call"),
    ptv_message: "ptvMessage" => Message("short"),
    bot_invoke_message: "botInvokeMessage" => Wrapper(Flag::Bot),
    call_log_messsage: "callLogMesssage" => Message("call_log"),
    message_history_bundle: "messageHistoryBundle" => Machinery,
    enc_comment_message: "encCommentMessage" => Message("comment"),
    bcall_message: "bcallMessage" => Unknown,
    lottie_sticker_message: "lottieStickerMessage" => Wrapper(Flag::Lottie),
    event_message: "eventMessage" => Message("event"),
    enc_event_response_message: "encEventResponseMessage" => Message("event_response"),
    comment_message: "commentMessage" => Message("comment"),
    newsletter_admin_invite_message: "newsletterAdminInviteMessage" => Message("channel_admin_invite"),
    placeholder_message: "placeholderMessage" => Unknown,
    secret_encrypted_message: "secretEncryptedMessage" => Message("edit"),
    album_message: "albumMessage" => Message("album"),
    event_cover_image: "eventCoverImage" => Wrapper(Flag::EventCover),
    sticker_pack_message: "stickerPackMessage" => Message("sticker_pack"),
    status_mention_message: "statusMentionMessage" => Wrapper(Flag::StatusMention),
    poll_result_snapshot_message: "pollResultSnapshotMessage" => Message("poll_result"),
    poll_creation_option_image_message: "pollCreationOptionImageMessage" => Wrapper(Flag::PollOptionImage),
    associated_child_message: "associatedChildMessage" => Wrapper(Flag::AssociatedChild),
    group_status_mention_message: "groupStatusMentionMessage" => Wrapper(Flag::GroupMentioned),
    poll_creation_message_v4: "pollCreationMessageV4" => Unwrapped,
    status_add_yours: "statusAddYours" => Wrapper(Flag::AddYours),
    group_status_message: "groupStatusMessage" => Wrapper(Flag::GroupStatus),
    rich_response_message: "richResponseMessage" => Unknown,
    status_notification_message: "statusNotificationMessage" => Unknown,
    limit_sharing_message: "limitSharingMessage" => Wrapper(Flag::LimitSharing),
    bot_task_message: "botTaskMessage" => Wrapper(Flag::Bot),
    question_message: "questionMessage" => Wrapper(Flag::Question),
    message_history_notice: "messageHistoryNotice" => Unknown,
    group_status_message_v2: "groupStatusMessageV2" => Wrapper(Flag::GroupStatus),
    bot_forwarded_message: "botForwardedMessage" => Wrapper(Flag::Bot),
    status_question_answer_message: "statusQuestionAnswerMessage" => Unknown,
    question_reply_message: "questionReplyMessage" => Wrapper(Flag::QuestionReply),
    question_response_message: "questionResponseMessage" => Unknown,
    status_quoted_message: "statusQuotedMessage" => Unknown,
    status_sticker_interaction_message: "statusStickerInteractionMessage" => Unknown,
    poll_creation_message_v5: "pollCreationMessageV5" => Message("poll"),
    newsletter_follower_invite_message_v2: "newsletterFollowerInviteMessageV2" => Message("channel_follower_invite"),
    poll_result_snapshot_message_v3: "pollResultSnapshotMessageV3" => Message("poll_result"),
    newsletter_admin_profile_message: "newsletterAdminProfileMessage" => Wrapper(Flag::ChannelAdminProfile),
    newsletter_admin_profile_message_v2: "newsletterAdminProfileMessageV2" => Wrapper(Flag::ChannelAdminProfile),
    spoiler_message: "spoilerMessage" => Wrapper(Flag::Spoiler),
    poll_creation_message_v6: "pollCreationMessageV6" => Message("poll"),
    conditional_reveal_message: "conditionalRevealMessage" => Unknown,
    poll_add_option_message: "pollAddOptionMessage" => Unknown,
    event_invite_message: "eventInviteMessage" => Message("event_invite"),
    group_root_key_share: "groupRootKeyShare" => Machinery,
    payment_reminder_message: "paymentReminderMessage" => Message("payment"),
    split_payment_message: "splitPaymentMessage" => Message("payment"),
    newsletter_admin_profile_status_message: "newsletterAdminProfileStatusMessage" => Wrapper(Flag::ChannelAdminProfile),
    root_secret_distribute_message: "rootSecretDistributeMessage" => Machinery,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_has_the_fields_that_the_list_names() {
        assert_eq!(FIELDS.len(), 107, "as many as wa::Message of 0.7.0");
        for (message, field) in one_of_each().iter().zip(FIELDS) {
            assert_eq!(present(message), [*field]);
        }
    }
}
