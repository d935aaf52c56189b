//! Payments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something about money between people. `text` is the note to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundPayment")]
pub struct Payment {
    /// `sent`, `requested`, `declined`, `cancelled`, `invited`, `invoice`, `reminder` or `split`.
    pub action: String,
    /// ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// In thousandths of the currency's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_1000: Option<i64>,
}
