//! Invitations to groups and channels.

use gateway_shared::events::inbound::{ChannelInvite, Content, GroupInvite};
use waproto::whatsapp as wa;

use super::files::thumbnail;
use super::polls::in_millis;
use super::reading::Reading;

/// Reads a field that is an invitation.
pub(super) fn read(base: &wa::Message, field: &str) -> Option<Reading> {
    match field {
        "groupInviteMessage" => {
            let invite = base.group_invite_message.as_option()?;
            let code = invite.invite_code.clone().unwrap_or_default();
            let content = Content::GroupInvite(GroupInvite {
                url: format!("https://chat.whatsapp.com/{code}"),
                code,
                group_jid: invite.group_jid.clone(),
                group_name: invite.group_name.clone(),
                expires_at: invite.invite_expiration.map(in_millis),
                thumbnail: thumbnail(invite.jpeg_thumbnail.as_deref()),
                ..GroupInvite::default()
            });
            Some(Reading::of(content, invite.caption.clone()))
        }
        "newsletterAdminInviteMessage" => {
            let invite = base.newsletter_admin_invite_message.as_option()?;
            let content = Content::ChannelAdminInvite(ChannelInvite {
                channel_jid: invite.newsletter_jid.clone().unwrap_or_default(),
                channel_name: invite.newsletter_name.clone().unwrap_or_default(),
                expires_at: invite.invite_expiration.map(in_millis),
            });
            Some(Reading::of(content, invite.caption.clone()))
        }
        "newsletterFollowerInviteMessageV2" => {
            let invite = base.newsletter_follower_invite_message_v2.as_option()?;
            let content = Content::ChannelFollowerInvite(ChannelInvite {
                channel_jid: invite.newsletter_jid.clone().unwrap_or_default(),
                channel_name: invite.newsletter_name.clone().unwrap_or_default(),
                expires_at: None,
            });
            Some(Reading::of(content, invite.caption.clone()))
        }
        _ => None,
    }
}
