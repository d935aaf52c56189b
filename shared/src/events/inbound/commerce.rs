//! Products, catalogs and orders.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A product of a business. Money is in thousandths of the currency's unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundProduct")]
pub struct Product {
    /// WhatsApp's id of it.
    pub product_id: String,
    /// The JID of the business, which names its catalog as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_jid: Option<String>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The price, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_amount_1000: Option<i64>,
    /// The price while it is on sale, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale_price_amount_1000: Option<i64>,
    /// The seller's own number of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retailer_id: Option<String>,
    /// Where it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A link to the catalog of a business.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundCatalog")]
pub struct Catalog {
    /// The phone number of the business.
    pub catalog_id: String,
    /// The link.
    pub url: String,
    /// What the catalog is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the business says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A small picture (JPEG, base64).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
}

/// An order of products. Money is in thousandths of the currency's unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundOrder")]
pub struct Order {
    /// WhatsApp's id of it.
    pub order_id: String,
    /// The JID of the seller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller_jid: Option<String>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What its details can be asked of WhatsApp with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// How many things are ordered.
    pub item_count: i32,
    /// ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What it comes to, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_amount_1000: Option<i64>,
    /// `inquiry`, `accepted` or `declined`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// A small picture (JPEG, base64).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
}
