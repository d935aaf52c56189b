//! Products and orders.

use gateway_shared::events::inbound::{Content, Order, Product};
use waproto::whatsapp as wa;
use waproto::whatsapp::message::order_message::OrderStatus;

use super::files::thumbnail;
use super::reading::Reading;

/// Reads a field that has to do with a business' goods.
pub(super) fn read(base: &wa::Message, field: &str) -> Option<Reading> {
    match field {
        "productMessage" => {
            let message = base.product_message.as_option()?;
            let product = message.product.as_option().cloned().unwrap_or_default();
            let content = Content::Product(Product {
                product_id: product.product_id.unwrap_or_default(),
                business_jid: message.business_owner_jid.clone(),
                title: product.title,
                description: product.description,
                currency: product.currency_code,
                price_amount_1000: product.price_amount1000,
                sale_price_amount_1000: product.sale_price_amount1000,
                retailer_id: product.retailer_id,
                url: product.url,
            });
            Some(Reading::of(content, message.body.clone()))
        }
        "orderMessage" => {
            let order = base.order_message.as_option()?;
            let content = Content::Order(Order {
                order_id: order.order_id.clone().unwrap_or_default(),
                seller_jid: order.seller_jid.clone(),
                title: order.order_title.clone(),
                token: order.token.clone(),
                item_count: order.item_count.unwrap_or_default(),
                currency: order.total_currency_code.clone(),
                total_amount_1000: order.total_amount1000,
                status: order.status.map(status).map(str::to_owned),
                thumbnail: thumbnail(order.thumbnail.as_deref()),
            });
            Some(Reading::of(content, order.message.clone()))
        }
        _ => None,
    }
}

fn status(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::INQUIRY => "inquiry",
        OrderStatus::ACCEPTED => "accepted",
        OrderStatus::DECLINED => "declined",
    }
}
