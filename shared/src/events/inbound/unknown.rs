//! What this version has no type for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that this version has no type for: it is told all the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundUnknown")]
pub struct Unknown {
    /// The name of the protobuf field it came in, such as `messageHistoryNotice`; null = one that
    /// is newer than this version.
    pub field: Option<String>,
}
