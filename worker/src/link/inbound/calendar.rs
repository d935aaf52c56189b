//! Events in a calendar.

use gateway_shared::events::inbound::{CalendarEvent, Content, EventInvite};
use waproto::whatsapp::message::{EventInviteMessage, EventMessage};

use super::polls::in_millis;
use super::reading::{Reading, location};

/// An event.
pub(super) fn event(event: &EventMessage) -> Reading {
    let name = event.name.clone().unwrap_or_default();
    let content = Content::Event(CalendarEvent {
        name: name.clone(),
        description: event.description.clone(),
        starts_at: event.start_time.map(in_millis),
        ends_at: event.end_time.map(in_millis),
        location: event.location.as_option().map(location),
        join_link: event.join_link.clone(),
        extra_guests_allowed: event.extra_guests_allowed.unwrap_or_default(),
        cancelled: event.is_canceled.unwrap_or_default(),
    });
    Reading::of(content, Some(name))
}

/// An invitation to one.
pub(super) fn invite(invite: &EventInviteMessage) -> Reading {
    let content = Content::EventInvite(EventInvite {
        event_id: invite.event_id.clone().unwrap_or_default(),
        title: invite.event_title.clone().unwrap_or_default(),
        starts_at: invite.start_time.map(in_millis),
        ends_at: invite.end_time.map(in_millis),
        join_link: invite.call_link.clone(),
        cancelled: invite.is_canceled.unwrap_or_default(),
    });
    Reading::of(content, invite.caption.clone())
}
