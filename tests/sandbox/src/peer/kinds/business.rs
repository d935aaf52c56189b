//! Products, orders, payments and invitations.

use buffa::MessageField;
use serde::Deserialize;
use serde_json::Value;
use waproto::whatsapp::message::order_message::OrderStatus;
use waproto::whatsapp::message::product_message::ProductSnapshot;
use waproto::whatsapp::message::{
    CancelPaymentRequestMessage, DeclinePaymentRequestMessage, GroupInviteMessage, InvoiceMessage,
    NewsletterAdminInviteMessage, NewsletterFollowerInviteMessage, OrderMessage,
    PaymentInviteMessage, ProductMessage, RequestPaymentMessage, SendPaymentMessage,
};
use waproto::whatsapp::{Message, Money};

use super::read;

pub(super) const KINDS: &[&str] = &[
    "product",
    "order",
    "payment",
    "group_invite",
    "channel_admin_invite",
    "channel_follower_invite",
];

#[derive(Debug, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
enum Wanted {
    Product {
        #[serde(rename = "product")]
        id: String,
        title: Option<String>,
        business: Option<String>,
        price: Option<i64>,
        currency: Option<String>,
        text: Option<String>,
    },
    Order {
        #[serde(rename = "order")]
        id: String,
        title: Option<String>,
        seller: Option<String>,
        token: Option<String>,
        items: i32,
        total: Option<i64>,
        currency: Option<String>,
        text: Option<String>,
    },
    Payment {
        action: String,
        amount: Option<i64>,
        currency: Option<String>,
        note: Option<String>,
    },
    GroupInvite {
        group: Option<String>,
        code: String,
        name: Option<String>,
        expires_at: Option<i64>,
        caption: Option<String>,
    },
    ChannelAdminInvite {
        channel: String,
        name: String,
        expires_at: Option<i64>,
        caption: Option<String>,
    },
    ChannelFollowerInvite {
        channel: String,
        name: String,
        caption: Option<String>,
    },
}

pub(super) fn build(wanted: &Value) -> Result<Message, String> {
    let mut message = Message::default();
    match read(wanted)? {
        Wanted::Product {
            id,
            title,
            business,
            price,
            currency,
            text,
        } => {
            message.product_message = MessageField::some(ProductMessage {
                product: MessageField::some(ProductSnapshot {
                    product_id: Some(id),
                    title,
                    price_amount1000: price,
                    currency_code: currency,
                    ..Default::default()
                }),
                business_owner_jid: business,
                body: text,
                ..Default::default()
            });
        }
        Wanted::Order {
            id,
            title,
            seller,
            token,
            items,
            total,
            currency,
            text,
        } => {
            message.order_message = MessageField::some(OrderMessage {
                order_id: Some(id),
                order_title: title,
                seller_jid: seller,
                token,
                item_count: Some(items),
                total_amount1000: total,
                total_currency_code: currency,
                status: Some(OrderStatus::INQUIRY),
                message: text,
                ..Default::default()
            });
        }
        Wanted::Payment {
            action,
            amount,
            currency,
            note,
        } => return payment(&action, amount, currency, note),
        Wanted::GroupInvite {
            group,
            code,
            name,
            expires_at,
            caption,
        } => {
            message.group_invite_message = MessageField::some(GroupInviteMessage {
                group_jid: group,
                invite_code: Some(code),
                group_name: name,
                invite_expiration: expires_at,
                caption,
                ..Default::default()
            });
        }
        Wanted::ChannelAdminInvite {
            channel,
            name,
            expires_at,
            caption,
        } => {
            message.newsletter_admin_invite_message =
                MessageField::some(NewsletterAdminInviteMessage {
                    newsletter_jid: Some(channel),
                    newsletter_name: Some(name),
                    invite_expiration: expires_at,
                    caption,
                    ..Default::default()
                });
        }
        Wanted::ChannelFollowerInvite {
            channel,
            name,
            caption,
        } => {
            message.newsletter_follower_invite_message_v2 =
                MessageField::some(NewsletterFollowerInviteMessage {
                    newsletter_jid: Some(channel),
                    newsletter_name: Some(name),
                    caption,
                    ..Default::default()
                });
        }
    }
    Ok(message)
}

fn payment(
    action: &str,
    amount: Option<i64>,
    currency: Option<String>,
    note: Option<String>,
) -> Result<Message, String> {
    let said = MessageField::some(Message {
        conversation: note.clone(),
        ..Default::default()
    });
    let mut message = Message::default();
    match action {
        "sent" => {
            message.send_payment_message = MessageField::some(SendPaymentMessage {
                note_message: said,
                ..Default::default()
            });
        }
        "requested" => {
            message.request_payment_message = MessageField::some(RequestPaymentMessage {
                note_message: said,
                amount: MessageField::some(Money {
                    value: amount,
                    offset: Some(1_000),
                    currency_code: currency,
                }),
                ..Default::default()
            });
        }
        "declined" => {
            message.decline_payment_request_message =
                MessageField::some(DeclinePaymentRequestMessage::default());
        }
        "cancelled" => {
            message.cancel_payment_request_message =
                MessageField::some(CancelPaymentRequestMessage::default());
        }
        "invited" => {
            message.payment_invite_message = MessageField::some(PaymentInviteMessage::default());
        }
        "invoice" => {
            message.invoice_message = MessageField::some(InvoiceMessage {
                note,
                ..Default::default()
            });
        }
        other => return Err(format!("{other} is nothing one does with money")),
    }
    Ok(message)
}
