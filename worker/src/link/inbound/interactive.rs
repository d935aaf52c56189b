//! Messages with buttons and lists, and the answers to them.

use gateway_shared::events::inbound::{Button, Content, Interactive, ListSection, Reply, Row};
use waproto::whatsapp as wa;
use waproto::whatsapp::__buffa::oneof::hydrated_template_button::HydratedButton;
use waproto::whatsapp::__buffa::oneof::message::buttons_message::Header as ButtonsHeader;
use waproto::whatsapp::__buffa::oneof::message::buttons_response_message::Response as Pressed;
use waproto::whatsapp::__buffa::oneof::message::interactive_message::InteractiveMessage as Kind;
use waproto::whatsapp::__buffa::oneof::message::interactive_response_message::InteractiveResponseMessage as Answer;
use waproto::whatsapp::__buffa::oneof::message::template_message::Format;
use waproto::whatsapp::__buffa::oneof::message::template_message::hydrated_four_row_template::Title;
use waproto::whatsapp::message::template_message::HydratedFourRowTemplate;
use waproto::whatsapp::message::{
    ButtonsMessage, HighlyStructuredMessage, InteractiveMessage, ListMessage, TemplateMessage,
};

use super::reading::Reading;

/// Reads a field with buttons or a list, or an answer to one.
pub(super) fn read(base: &wa::Message, field: &str) -> Option<Reading> {
    let reading = match field {
        "templateMessage" => {
            let (shown, text) = template(base.template_message.as_option()?);
            Reading::of(Content::Template(shown), text)
        }
        "highlyStructuredMessage" => {
            let (shown, text) = hsm(base.highly_structured_message.as_option()?);
            Reading::of(Content::Hsm(shown), text)
        }
        "interactiveMessage" => {
            let (shown, text) = interactive(base.interactive_message.as_option()?);
            Reading::of(Content::Interactive(shown), text)
        }
        "listMessage" => {
            let (shown, text) = list(base.list_message.as_option()?);
            Reading::of(Content::List(shown), text)
        }
        "buttonsMessage" => {
            let (shown, text) = buttons(base.buttons_message.as_option()?);
            Reading::of(Content::Buttons(shown), text)
        }
        "buttonsResponseMessage" => {
            let answer = base.buttons_response_message.as_option()?;
            let title = match &answer.response {
                Some(Pressed::SelectedDisplayText(text)) => text.clone(),
                None => String::new(),
            };
            let id = answer.selected_button_id.clone();
            reply("buttons", id, title, None)
        }
        "templateButtonReplyMessage" => {
            let answer = base.template_button_reply_message.as_option()?;
            let title = answer.selected_display_text.clone().unwrap_or_default();
            reply("template", answer.selected_id.clone(), title, None)
        }
        "listResponseMessage" => {
            let answer = base.list_response_message.as_option()?;
            let row = answer.single_select_reply.as_option();
            let id = row.and_then(|row| row.selected_row_id.clone());
            let title = answer.title.clone().unwrap_or_default();
            reply("list", id, title, answer.description.clone())
        }
        "interactiveResponseMessage" => flow(base.interactive_response_message.as_option()?),
        _ => return None,
    };
    Some(reading)
}

fn reply(to: &str, id: Option<String>, title: String, description: Option<String>) -> Reading {
    let text = Some(title.clone());
    let content = Content::Reply(Reply {
        to: to.to_owned(),
        id: id.unwrap_or_default(),
        title,
        description,
        parameters: None,
    });
    Reading::of(content, text)
}

/// The answer of a native flow: its id stands in its parameters.
fn flow(answer: &wa::message::InteractiveResponseMessage) -> Reading {
    let title = answer.body.as_option().and_then(|body| body.text.clone());
    let parameters = match &answer.interactive_response_message {
        Some(Answer::NativeFlowResponseMessage(flow)) => flow.params_json.clone(),
        None => None,
    };
    let id = parameters.as_deref().and_then(|json| {
        let parameters: serde_json::Value = serde_json::from_str(json).ok()?;
        parameters.get("id")?.as_str().map(str::to_owned)
    });
    let text = title.clone();
    let content = Content::Reply(Reply {
        to: "interactive".to_owned(),
        id: id.unwrap_or_default(),
        title: title.unwrap_or_default(),
        description: None,
        parameters,
    });
    Reading::of(content, text)
}

/// A message with something to choose, and its text.
pub(super) type Shown = (Interactive, Option<String>);

pub(super) fn buttons(message: &ButtonsMessage) -> Shown {
    let buttons = message.buttons.iter().map(|button| {
        let said = button.button_text.as_option();
        let flow = button.native_flow_info.as_option();
        Button {
            kind: flow
                .and_then(|flow| flow.name.clone())
                .unwrap_or_else(|| "quick_reply".to_owned()),
            text: said
                .and_then(|said| said.display_text.clone())
                .unwrap_or_default(),
            id: button.button_id.clone(),
            parameters: flow.and_then(|flow| flow.params_json.clone()),
            ..Button::default()
        }
    });
    let header = match &message.header {
        Some(ButtonsHeader::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let shown = Interactive {
        header,
        footer: message.footer_text.clone(),
        buttons: buttons.collect(),
        ..Interactive::default()
    };
    (shown, message.content_text.clone())
}

fn list(message: &ListMessage) -> Shown {
    let sections = message.sections.iter().map(|section| ListSection {
        title: section.title.clone().unwrap_or_default(),
        rows: section
            .rows
            .iter()
            .map(|row| Row {
                id: row.row_id.clone().unwrap_or_default(),
                title: row.title.clone().unwrap_or_default(),
                description: row.description.clone(),
            })
            .collect(),
    });
    let shown = Interactive {
        header: message.title.clone(),
        footer: message.footer_text.clone(),
        list_button: message.button_text.clone(),
        sections: sections.collect(),
        ..Interactive::default()
    };
    (shown, message.description.clone())
}

pub(super) fn template(message: &TemplateMessage) -> Shown {
    let hydrated = match &message.format {
        Some(Format::HydratedFourRowTemplate(template)) => Some(&**template),
        Some(Format::InteractiveMessageTemplate(message)) => return interactive(message),
        _ => message.hydrated_template.as_option(),
    };
    let (mut shown, text) = hydrated.map(rows).unwrap_or_default();
    shown.template_id = shown.template_id.or_else(|| message.template_id.clone());
    (shown, text)
}

fn rows(template: &HydratedFourRowTemplate) -> Shown {
    let header = match &template.title {
        Some(Title::HydratedTitleText(text)) => Some(text.clone()),
        _ => None,
    };
    let buttons = template.hydrated_buttons.iter();
    let buttons = buttons.filter_map(|button| button.hydrated_button.as_ref().map(hydrated));
    let shown = Interactive {
        header,
        footer: template.hydrated_footer_text.clone(),
        buttons: buttons.collect(),
        template_id: template.template_id.clone(),
        ..Interactive::default()
    };
    (shown, template.hydrated_content_text.clone())
}

fn hydrated(button: &HydratedButton) -> Button {
    match button {
        HydratedButton::QuickReplyButton(button) => Button {
            kind: "quick_reply".to_owned(),
            text: button.display_text.clone().unwrap_or_default(),
            id: button.id.clone(),
            ..Button::default()
        },
        HydratedButton::UrlButton(button) => Button {
            kind: "url".to_owned(),
            text: button.display_text.clone().unwrap_or_default(),
            url: button.url.clone(),
            ..Button::default()
        },
        HydratedButton::CallButton(button) => Button {
            kind: "call".to_owned(),
            text: button.display_text.clone().unwrap_or_default(),
            phone: button.phone_number.clone(),
            ..Button::default()
        },
    }
}

fn hsm(message: &HighlyStructuredMessage) -> Shown {
    let (mut shown, text) = message
        .hydrated_hsm
        .as_option()
        .map(template)
        .unwrap_or_default();
    let name = message.element_name.clone();
    shown.template_id = shown.template_id.or(name);
    (shown, text)
}

pub(super) fn interactive(message: &InteractiveMessage) -> Shown {
    let header = message.header.as_option();
    let footer = message.footer.as_option();
    let mut shown = Interactive {
        header: header.and_then(|header| header.title.clone()),
        footer: footer.and_then(|footer| footer.text.clone()),
        ..Interactive::default()
    };
    match &message.interactive_message {
        Some(Kind::NativeFlowMessage(flow)) => {
            let buttons = flow.buttons.iter().map(|button| {
                native(
                    button.name.as_deref().unwrap_or_default(),
                    button.button_params_json.as_deref(),
                )
            });
            shown.buttons = buttons.collect();
        }
        Some(Kind::CarouselMessage(carousel)) => {
            let cards = carousel.cards.iter().map(|card| {
                let body = card.body.as_option();
                body.and_then(|body| body.text.clone()).unwrap_or_default()
            });
            shown.cards = cards.collect();
        }
        _ => {}
    }
    let body = message.body.as_option();
    (shown, body.and_then(|body| body.text.clone()))
}

/// A button of a native flow: what it says stands in its parameters.
fn native(name: &str, parameters: Option<&str>) -> Button {
    let values: serde_json::Value = parameters
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    let text = |name: &str| values.get(name)?.as_str().map(str::to_owned);
    Button {
        kind: match name {
            "cta_url" => "url",
            "cta_call" => "call",
            other => other,
        }
        .to_owned(),
        text: text("display_text").unwrap_or_default(),
        id: text("id"),
        url: text("url"),
        phone: text("phone_number"),
        parameters: parameters.map(str::to_owned),
    }
}
