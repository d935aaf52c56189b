//! Contact cards.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A contact card.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundContact")]
pub struct Contact {
    /// How it is labelled.
    pub name: String,
    /// The card.
    pub vcard: String,
}

/// People do not show in logs.
impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contact").finish_non_exhaustive()
    }
}

/// Several contact cards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundContactList")]
pub struct ContactList {
    /// The cards.
    pub contacts: Vec<Contact>,
}
