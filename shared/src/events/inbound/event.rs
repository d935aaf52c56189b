//! Events in a calendar, and what people answer to them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Location;
use crate::clock::Millis;

/// An event in a calendar.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundCalendarEvent")]
pub struct CalendarEvent {
    /// What it is called.
    pub name: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Millis>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Millis>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The link of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_link: Option<String>,
    /// Whether guests may bring others.
    pub extra_guests_allowed: bool,
    /// Whether it is called off.
    pub cancelled: bool,
}

/// An answer to an event, which is the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventResponse {
    /// `going`, `not_going` or `maybe`; null where it could not be decrypted.
    pub response: Option<String>,
    /// How many others they bring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_guests: Option<i32>,
}

/// An invitation to an event of another chat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventInvite {
    /// WhatsApp's id of the event.
    pub event_id: String,
    /// What it is called.
    pub title: String,
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Millis>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Millis>,
    /// The link of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_link: Option<String>,
    /// Whether it is called off.
    pub cancelled: bool,
}
