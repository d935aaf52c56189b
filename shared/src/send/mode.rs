//! Whether somebody waits for a send.

use serde::{Deserialize, Serialize};

/// Whether the caller waits for WhatsApp's acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It waits.
    Sync,
    /// It is answered once the send is durable.
    Async,
}

impl Mode {
    /// The name on the wire and in Redis.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }
}
