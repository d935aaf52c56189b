//! What a message holds, in the format's words.

use serde_json::{Map, Value, json};

use super::super::inbound::{
    Audio, Content, Document, File, Image, Interactive, LinkPreview, Location, MessagePayload,
    PollResults, Reply, Sticker, Video, option_id,
};
use super::{context, names, update};

/// What the format calls a type of message.
pub(super) fn whapi_type(kind: &str) -> &'static str {
    match kind {
        "text" => "text",
        "image" => "image",
        "video" => "video",
        "gif" => "gif",
        "audio" => "audio",
        "voice" => "voice",
        "short" => "short",
        "document" => "document",
        "location" => "location",
        "live_location" => "live_location",
        "contact" => "contact",
        "contact_list" => "contact_list",
        "sticker" => "sticker",
        "reply" => "reply",
        "group_invite" => "group_invite",
        "channel_admin_invite" => "admin_invite",
        "product" => "product",
        "catalog" => "catalog",
        "order" => "order",
        "poll" => "poll",
        "template" | "hsm" | "buttons" => "hsm",
        "interactive" | "list" => "interactive",
        "call_log" => "call",
        "reaction" | "poll_vote" | "edit" | "revoke" | "ephemeral" => "action",
        "pin"
        | "keep"
        | "album"
        | "payment"
        | "scheduled_call"
        | "phone_number_request"
        | "phone_number_share"
        | "comment"
        | "event"
        | "event_response"
        | "event_invite"
        | "poll_result"
        | "sticker_pack"
        | "channel_follower_invite" => "system",
        _ => "unknown",
    }
}

/// The type of a message and what stands under it.
pub(super) fn of(message: &MessagePayload) -> (&'static str, Option<Value>) {
    let kind = whapi_type(&message.kind);
    let text = message.text.as_deref();
    let Some(content) = &message.content else {
        let body = text.unwrap_or_default();
        return match (&message.link_preview, kind) {
            (Some(preview), "text") => ("link_preview", Some(link(body, preview))),
            (None, "text") => (kind, Some(json!({"body": body}))),
            _ => (kind, text.map(|text| json!({"body": text}))),
        };
    };
    let mut shown = match content {
        Content::Image(image) => captioned(picture(image), text),
        Content::Video(film) | Content::Gif(film) | Content::Short(film) => {
            captioned(video(film), text)
        }
        Content::Audio(sound) | Content::Voice(sound) => audio(sound),
        Content::Document(file) => captioned(document(file), text),
        Content::Sticker(picture) => sticker(picture),
        Content::Location(place) => location(place),
        Content::LiveLocation(place) => {
            let mut shown = json!({"latitude": place.latitude, "longitude": place.longitude});
            put(&mut shown, "caption", text);
            if let Some(number) = place.sequence_number {
                shown["sequence_number"] = number.into();
            }
            put(&mut shown, "preview", place.thumbnail.as_deref());
            shown
        }
        Content::Contact(card) => json!(card),
        Content::ContactList(cards) => json!({"list": cards.contacts}),
        Content::Reply(answer) => reply(answer),
        Content::Template(shown)
        | Content::Hsm(shown)
        | Content::Buttons(shown)
        | Content::Interactive(shown)
        | Content::List(shown) => interactive(shown, text),
        Content::GroupInvite(invite) => {
            let mut shown = json!({
                "body": text.unwrap_or_default(),
                "url": invite.url,
                "title": invite.group_name,
                "invite_code": invite.code,
            });
            put(&mut shown, "id", invite.thumbnail_id.as_deref());
            put(&mut shown, "sha256", invite.thumbnail_sha256.as_deref());
            put(&mut shown, "description", invite.description.as_deref());
            put(&mut shown, "preview", invite.thumbnail.as_deref());
            shown
        }
        Content::ChannelAdminInvite(invite) => {
            let mut shown = json!({
                "newsletter_id": invite.channel_jid,
                "newsletter_name": invite.channel_name,
            });
            if let Some(at) = invite.expires_at {
                shown["expiration"] = (at / 1_000).into();
            }
            put(&mut shown, "body", text);
            shown
        }
        Content::Product(product) => json!({
            "product_id": product.product_id,
            "catalog_id": product.business_jid,
        }),
        Content::Catalog(catalog) => {
            let mut shown = json!({
                "body": text.unwrap_or_default(),
                "url": catalog.url,
                "canonical": catalog.url,
                "title": catalog.title,
                "catalog_id": catalog.catalog_id,
            });
            put(&mut shown, "description", catalog.description.as_deref());
            put(&mut shown, "preview", catalog.thumbnail.as_deref());
            shown
        }
        Content::Order(order) => {
            let mut shown = json!({
                "order_id": order.order_id,
                "seller": order.seller_jid.as_deref().map(names::digits),
                "title": order.title,
                "token": order.token,
                "item_count": order.item_count,
                "currency": order.currency,
                "total_price": order.total_amount_1000.map(money),
                "status": match order.status.as_deref() {
                    Some("inquiry") | None => "new",
                    Some(status) => status,
                },
            });
            put(&mut shown, "preview", order.thumbnail.as_deref());
            shown
        }
        Content::Poll(poll) => update::poll_with(poll, None),
        Content::CallLog(call) => json!({
            "is_video": call.video,
            "outcome": call.outcome,
            "duration": call.seconds,
        }),
        _ => {
            let Some(text) = text else {
                return (kind, None);
            };
            json!({"body": text})
        }
    };
    if let Some(shown) = shown.as_object_mut() {
        shown.retain(|_, value| !value.is_null());
        if shown.is_empty() {
            return (kind, None);
        }
    }
    (kind, Some(shown))
}

/// Thousandths as the format has money: whole where it is.
fn money(thousandths: i64) -> Value {
    if thousandths % 1_000 == 0 {
        return (thousandths / 1_000).into();
    }
    // Cents of real prices are exact in a double.
    #[expect(clippy::cast_precision_loss, reason = "prices are far below 2^53")]
    let price = thousandths as f64 / 1_000.0;
    price.into()
}

fn put(shown: &mut Value, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        shown[name] = value.into();
    }
}

fn number(shown: &mut Value, name: &str, value: Option<u32>) {
    if let Some(value) = value {
        shown[name] = value.into();
    }
}

fn captioned(mut shown: Value, text: Option<&str>) -> Value {
    put(&mut shown, "caption", text);
    shown
}

fn file(file: &File) -> Value {
    let mut shown = Value::Object(Map::new());
    put(&mut shown, "id", file.id.as_deref());
    put(&mut shown, "mime_type", file.mimetype.as_deref());
    if let Some(size) = file.size {
        shown["file_size"] = size.into();
    }
    put(&mut shown, "sha256", file.sha256.as_deref());
    put(&mut shown, "link", file.url.as_deref());
    put(&mut shown, "preview", file.thumbnail.as_deref());
    shown
}

fn picture(image: &Image) -> Value {
    let mut shown = file(&image.file);
    number(&mut shown, "width", image.width);
    number(&mut shown, "height", image.height);
    shown
}

fn video(film: &Video) -> Value {
    let mut shown = file(&film.file);
    number(&mut shown, "width", film.width);
    number(&mut shown, "height", film.height);
    number(&mut shown, "seconds", film.seconds);
    shown
}

fn audio(sound: &Audio) -> Value {
    let mut shown = file(&sound.file);
    number(&mut shown, "seconds", sound.seconds);
    shown
}

fn document(document: &Document) -> Value {
    let mut shown = file(&document.file);
    put(&mut shown, "file_name", document.file_name.as_deref());
    put(&mut shown, "filename", document.file_name.as_deref());
    number(&mut shown, "page_count", document.page_count);
    shown
}

fn sticker(sticker: &Sticker) -> Value {
    let mut shown = file(&sticker.file);
    number(&mut shown, "width", sticker.width);
    number(&mut shown, "height", sticker.height);
    shown["animated"] = sticker.animated.into();
    shown
}

fn location(place: &Location) -> Value {
    let mut shown = json!({"latitude": place.latitude, "longitude": place.longitude});
    put(&mut shown, "name", place.name.as_deref());
    put(&mut shown, "address", place.address.as_deref());
    put(&mut shown, "url", place.url.as_deref());
    put(&mut shown, "preview", place.thumbnail.as_deref());
    shown
}

fn reply(answer: &Reply) -> Value {
    let kind = if answer.to == "list" {
        "list_reply"
    } else {
        "buttons_reply"
    };
    let mut shown = json!({"id": answer.id, "title": answer.title});
    put(&mut shown, "description", answer.description.as_deref());
    json!({"type": kind, kind: shown})
}

fn interactive(message: &Interactive, text: Option<&str>) -> Value {
    let mut shown = Value::Object(Map::new());
    put(&mut shown, "header", message.header.as_deref());
    put(&mut shown, "body", text);
    put(&mut shown, "footer", message.footer.as_deref());
    if !message.buttons.is_empty() {
        shown["buttons"] = context::buttons(&message.buttons);
    }
    if !message.sections.is_empty() {
        shown["list"] = json!({"label": message.list_button, "sections": message.sections});
    }
    shown
}

fn link(body: &str, preview: &LinkPreview) -> Value {
    let mut shown = json!({"body": body, "url": preview.url, "title": preview.title});
    put(&mut shown, "id", preview.thumbnail_id.as_deref());
    put(&mut shown, "sha256", preview.thumbnail_sha256.as_deref());
    put(&mut shown, "description", preview.description.as_deref());
    put(&mut shown, "preview", preview.thumbnail.as_deref());
    shown
}

/// How a poll stands.
pub(super) fn results(results: &PollResults) -> Value {
    let options = results.options.iter().map(|option| {
        json!({
            "name": option.name,
            "voters": option.voters,
            "count": option.count,
            "id": option_id(&option.name),
        })
    });
    json!({"total": results.total, "results": options.collect::<Vec<_>>()})
}
