//! Messages with buttons and lists, and the answers to them.

use buffa::MessageField;
use serde::Deserialize;
use serde_json::Value;
use waproto::whatsapp::__buffa::oneof::hydrated_template_button::HydratedButton;
use waproto::whatsapp::__buffa::oneof::message::buttons_message::Header;
use waproto::whatsapp::__buffa::oneof::message::buttons_response_message::Response;
use waproto::whatsapp::__buffa::oneof::message::interactive_message::InteractiveMessage as Kind;
use waproto::whatsapp::__buffa::oneof::message::interactive_response_message::InteractiveResponseMessage as Answer;
use waproto::whatsapp::__buffa::oneof::message::template_message::Format;
use waproto::whatsapp::__buffa::oneof::message::template_message::hydrated_four_row_template::Title;
use waproto::whatsapp::hydrated_template_button::HydratedQuickReplyButton;
use waproto::whatsapp::message::buttons_message::{Button, button::ButtonText};
use waproto::whatsapp::message::interactive_message::native_flow_message::NativeFlowButton;
use waproto::whatsapp::message::interactive_message::{self, NativeFlowMessage};
use waproto::whatsapp::message::list_message::{Row, Section};
use waproto::whatsapp::message::list_response_message::SingleSelectReply;
use waproto::whatsapp::message::template_message::HydratedFourRowTemplate;
use waproto::whatsapp::message::{
    ButtonsMessage, ButtonsResponseMessage, HighlyStructuredMessage, InteractiveMessage,
    InteractiveResponseMessage, ListMessage, ListResponseMessage, TemplateButtonReplyMessage,
    TemplateMessage, interactive_response_message,
};
use waproto::whatsapp::{HydratedTemplateButton, Message};

use super::read;

pub(super) const KINDS: &[&str] = &[
    "buttons",
    "list",
    "template",
    "hsm",
    "interactive",
    "buttons_reply",
    "list_reply",
    "template_reply",
    "flow_reply",
];

/// A button or a row.
#[derive(Debug, Clone, Deserialize)]
struct Choice {
    id: String,
    title: String,
    description: Option<String>,
}

/// A button or a row that somebody chose.
#[derive(Debug, Deserialize)]
struct Chosen {
    #[serde(rename = "choice")]
    id: String,
    title: String,
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Wanted {
    Buttons(Offer),
    List(Offer),
    Template(Offer),
    Hsm(Offer),
    Interactive(Offer),
    ButtonsReply(Chosen),
    ListReply(Chosen),
    TemplateReply(Chosen),
    FlowReply(Chosen),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Offer {
    header: Option<String>,
    text: Option<String>,
    footer: Option<String>,
    choices: Vec<Choice>,
}

pub(super) fn build(wanted: &Value) -> Result<Message, String> {
    let mut message = Message::default();
    match read(wanted)? {
        Wanted::Buttons(offer) => {
            let buttons = offer.choices.into_iter().map(|choice| Button {
                button_id: Some(choice.id),
                button_text: MessageField::some(ButtonText {
                    display_text: Some(choice.title),
                }),
                ..Default::default()
            });
            message.buttons_message = MessageField::some(ButtonsMessage {
                content_text: offer.text,
                footer_text: offer.footer,
                buttons: buttons.collect(),
                header: offer.header.map(Header::Text),
                ..Default::default()
            });
        }
        Wanted::List(offer) => {
            let rows = offer.choices.into_iter().map(|choice| Row {
                row_id: Some(choice.id),
                title: Some(choice.title),
                description: choice.description,
            });
            message.list_message = MessageField::some(ListMessage {
                title: offer.header,
                description: offer.text,
                footer_text: offer.footer,
                button_text: Some("Open".to_owned()),
                sections: vec![Section {
                    title: Some("All".to_owned()),
                    rows: rows.collect(),
                }],
                ..Default::default()
            });
        }
        Wanted::Template(offer) => {
            message.template_message = MessageField::some(template(offer));
        }
        Wanted::Hsm(offer) => {
            message.highly_structured_message = MessageField::some(HighlyStructuredMessage {
                element_name: Some("greeting".to_owned()),
                hydrated_hsm: MessageField::some(template(offer)),
                ..Default::default()
            });
        }
        Wanted::Interactive(offer) => {
            let buttons = offer.choices.into_iter().map(|choice| NativeFlowButton {
                name: Some("quick_reply".to_owned()),
                button_params_json: Some(
                    serde_json::json!({"display_text": choice.title, "id": choice.id}).to_string(),
                ),
            });
            let flow = NativeFlowMessage {
                buttons: buttons.collect(),
                ..Default::default()
            };
            message.interactive_message = MessageField::some(InteractiveMessage {
                header: MessageField::some(interactive_message::Header {
                    title: offer.header,
                    ..Default::default()
                }),
                body: MessageField::some(interactive_message::Body { text: offer.text }),
                footer: MessageField::some(interactive_message::Footer {
                    text: offer.footer,
                    ..Default::default()
                }),
                interactive_message: Some(Kind::NativeFlowMessage(Box::new(flow))),
                ..Default::default()
            });
        }
        Wanted::ButtonsReply(choice) => {
            message.buttons_response_message = MessageField::some(ButtonsResponseMessage {
                selected_button_id: Some(choice.id),
                response: Some(Response::SelectedDisplayText(choice.title)),
                ..Default::default()
            });
        }
        Wanted::ListReply(choice) => {
            message.list_response_message = MessageField::some(ListResponseMessage {
                title: Some(choice.title),
                description: choice.description,
                single_select_reply: MessageField::some(SingleSelectReply {
                    selected_row_id: Some(choice.id),
                }),
                ..Default::default()
            });
        }
        Wanted::TemplateReply(choice) => {
            message.template_button_reply_message =
                MessageField::some(TemplateButtonReplyMessage {
                    selected_id: Some(choice.id),
                    selected_display_text: Some(choice.title),
                    ..Default::default()
                });
        }
        Wanted::FlowReply(choice) => {
            let parameters = serde_json::json!({"id": choice.id}).to_string();
            let flow = interactive_response_message::NativeFlowResponseMessage {
                name: Some("quick_reply".to_owned()),
                params_json: Some(parameters),
                ..Default::default()
            };
            message.interactive_response_message = MessageField::some(InteractiveResponseMessage {
                body: MessageField::some(interactive_response_message::Body {
                    text: Some(choice.title),
                    ..Default::default()
                }),
                interactive_response_message: Some(Answer::NativeFlowResponseMessage(Box::new(
                    flow,
                ))),
                ..Default::default()
            });
        }
    }
    Ok(message)
}

fn template(offer: Offer) -> TemplateMessage {
    let buttons = offer
        .choices
        .into_iter()
        .map(|choice| HydratedTemplateButton {
            hydrated_button: Some(HydratedButton::QuickReplyButton(Box::new(
                HydratedQuickReplyButton {
                    display_text: Some(choice.title),
                    id: Some(choice.id),
                },
            ))),
            ..Default::default()
        });
    let rows = HydratedFourRowTemplate {
        hydrated_content_text: offer.text,
        hydrated_footer_text: offer.footer,
        hydrated_buttons: buttons.collect(),
        title: offer.header.map(Title::HydratedTitleText),
        ..Default::default()
    };
    TemplateMessage {
        template_id: Some("template".to_owned()),
        format: Some(Format::HydratedFourRowTemplate(Box::new(rows))),
        ..Default::default()
    }
}
