//! Wrappers: what a message is wrapped in becomes flags, and what it holds is what is told.

use buffa::MessageField;
use gateway_shared::events::inbound::Flag;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::FutureProofMessage;

use super::fields::{Becomes, present};

/// How deep wrappers may be nested; whoever nests deeper is told as what is then left.
const DEEPEST: usize = 16;

/// A message without its wrappers.
pub(super) struct Unwrapped<'a> {
    /// What it holds.
    pub(super) base: &'a wa::Message,
    /// What it was wrapped in, from outside in.
    pub(super) flags: Vec<Flag>,
    /// Its context information (secrets, associations), from inside out.
    pub(super) contexts: Vec<&'a wa::MessageContextInfo>,
}

impl<'a> Unwrapped<'a> {
    pub(super) fn of(message: &'a wa::Message) -> Self {
        let mut base = message;
        let (mut flags, mut contexts) = (Vec::new(), Vec::new());
        contexts.extend(message.message_context_info.as_option());
        for _ in 0..DEEPEST {
            let Some((inner, flag)) = inner(base) else {
                break;
            };
            if let Some(flag) = flag
                && !flags.contains(&flag)
            {
                flags.push(flag);
            }
            contexts.extend(inner.message_context_info.as_option());
            base = inner;
        }
        contexts.reverse();
        Self {
            base,
            flags,
            contexts,
        }
    }
}

/// What a wrapper holds, if the message is one.
fn inner(message: &wa::Message) -> Option<(&wa::Message, Option<Flag>)> {
    for field in present(message) {
        let flag = match field.becomes {
            Becomes::Wrapper(flag) => Some(flag),
            Becomes::Unwrapped => None,
            _ => continue,
        };
        let held = if flag == Some(Flag::DeviceSent) {
            message.device_sent_message.as_option()?.message.as_option()
        } else {
            future_proof(message, field.name)?.message.as_option()
        };
        // A wrapper that holds nothing is told by its own name.
        return Some((held?, flag));
    }
    None
}

fn future_proof<'a>(message: &'a wa::Message, name: &str) -> Option<&'a FutureProofMessage> {
    let field: &MessageField<FutureProofMessage> = match name {
        "viewOnceMessage" => &message.view_once_message,
        "ephemeralMessage" => &message.ephemeral_message,
        "documentWithCaptionMessage" => &message.document_with_caption_message,
        "viewOnceMessageV2" => &message.view_once_message_v2,
        "editedMessage" => &message.edited_message,
        "viewOnceMessageV2Extension" => &message.view_once_message_v2_extension,
        "groupMentionedMessage" => &message.group_mentioned_message,
        "botInvokeMessage" => &message.bot_invoke_message,
        "lottieStickerMessage" => &message.lottie_sticker_message,
        "eventCoverImage" => &message.event_cover_image,
        "statusMentionMessage" => &message.status_mention_message,
        "pollCreationOptionImageMessage" => &message.poll_creation_option_image_message,
        "associatedChildMessage" => &message.associated_child_message,
        "groupStatusMentionMessage" => &message.group_status_mention_message,
        "pollCreationMessageV4" => &message.poll_creation_message_v4,
        "statusAddYours" => &message.status_add_yours,
        "groupStatusMessage" => &message.group_status_message,
        "limitSharingMessage" => &message.limit_sharing_message,
        "botTaskMessage" => &message.bot_task_message,
        "questionMessage" => &message.question_message,
        "groupStatusMessageV2" => &message.group_status_message_v2,
        "botForwardedMessage" => &message.bot_forwarded_message,
        "questionReplyMessage" => &message.question_reply_message,
        "newsletterAdminProfileMessage" => &message.newsletter_admin_profile_message,
        "newsletterAdminProfileMessageV2" => &message.newsletter_admin_profile_message_v2,
        "spoilerMessage" => &message.spoiler_message,
        "newsletterAdminProfileStatusMessage" => &message.newsletter_admin_profile_status_message,
        _ => return None,
    };
    field.as_option()
}

#[cfg(test)]
mod tests {
    use super::super::fields::one_of_each;
    use super::*;

    fn wrap(message: wa::Message) -> MessageField<FutureProofMessage> {
        MessageField::some(FutureProofMessage {
            message: MessageField::some(message),
        })
    }

    #[test]
    fn wrappers_in_wrappers_become_flags() {
        let text = wa::Message {
            conversation: Some("hi".into()),
            ..Default::default()
        };
        let once = wa::Message {
            view_once_message_v2: wrap(text),
            ..Default::default()
        };
        let message = wa::Message {
            ephemeral_message: wrap(once),
            message_context_info: MessageField::some(Default::default()),
            ..Default::default()
        };
        let unwrapped = Unwrapped::of(&message);
        assert_eq!(unwrapped.base.conversation.as_deref(), Some("hi"));
        assert_eq!(unwrapped.flags, [Flag::Ephemeral, Flag::ViewOnce]);
        assert_eq!(unwrapped.contexts.len(), 1);
    }

    #[test]
    fn every_wrapper_of_the_list_is_opened() {
        let mut opened = 0;
        for mut message in one_of_each() {
            let field = present(&message)[0];
            let text = wa::Message {
                conversation: Some("hi".into()),
                ..Default::default()
            };
            let Becomes::Wrapper(flag) = field.becomes else {
                continue;
            };
            if flag == Flag::DeviceSent {
                continue;
            }
            let name = field.name;
            assert!(future_proof(&message, name).is_some(), "{name}");
            assert!(inner(&message).is_none(), "{name} holds nothing");
            // The only way to fill it is by its own field.
            fill(&mut message, name, text);
            let unwrapped = Unwrapped::of(&message);
            assert_eq!(unwrapped.base.conversation.as_deref(), Some("hi"), "{name}");
            assert_eq!(unwrapped.flags, [flag], "{name}");
            opened += 1;
        }
        assert_eq!(opened, 26);
    }

    fn fill(message: &mut wa::Message, name: &str, text: wa::Message) {
        let field = match name {
            "viewOnceMessage" => &mut message.view_once_message,
            "ephemeralMessage" => &mut message.ephemeral_message,
            "documentWithCaptionMessage" => &mut message.document_with_caption_message,
            "viewOnceMessageV2" => &mut message.view_once_message_v2,
            "editedMessage" => &mut message.edited_message,
            "viewOnceMessageV2Extension" => &mut message.view_once_message_v2_extension,
            "groupMentionedMessage" => &mut message.group_mentioned_message,
            "botInvokeMessage" => &mut message.bot_invoke_message,
            "lottieStickerMessage" => &mut message.lottie_sticker_message,
            "eventCoverImage" => &mut message.event_cover_image,
            "statusMentionMessage" => &mut message.status_mention_message,
            "pollCreationOptionImageMessage" => &mut message.poll_creation_option_image_message,
            "associatedChildMessage" => &mut message.associated_child_message,
            "groupStatusMentionMessage" => &mut message.group_status_mention_message,
            "statusAddYours" => &mut message.status_add_yours,
            "groupStatusMessage" => &mut message.group_status_message,
            "limitSharingMessage" => &mut message.limit_sharing_message,
            "botTaskMessage" => &mut message.bot_task_message,
            "questionMessage" => &mut message.question_message,
            "groupStatusMessageV2" => &mut message.group_status_message_v2,
            "botForwardedMessage" => &mut message.bot_forwarded_message,
            "questionReplyMessage" => &mut message.question_reply_message,
            "newsletterAdminProfileMessage" => &mut message.newsletter_admin_profile_message,
            "newsletterAdminProfileMessageV2" => &mut message.newsletter_admin_profile_message_v2,
            "spoilerMessage" => &mut message.spoiler_message,
            "newsletterAdminProfileStatusMessage" => {
                &mut message.newsletter_admin_profile_status_message
            }
            other => panic!("{other} is no wrapper"),
        };
        *field = wrap(text);
    }
}
