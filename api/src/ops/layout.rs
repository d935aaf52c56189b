//! The frame of every page.

use std::sync::Arc;

use maud::{DOCTYPE, Markup, html};

use super::Failure;
use super::access::Present;
use super::assets::{SCRIPT_NAME, STYLE_NAME};
use super::icons::icon;
use crate::control::Census;
use crate::control::census::census;
use crate::state::App;

/// The pages: address, name, key, sign.
const PLACES: [(&str, &str, &str, &str); 9] = [
    ("/ops", "Overview", "o", "overview"),
    ("/ops/queues", "Queues", "q", "queues"),
    ("/ops/messages", "Messages", "m", "messages"),
    ("/ops/sessions", "Sessions", "s", "sessions"),
    ("/ops/workers", "Workers", "w", "workers"),
    ("/ops/webhooks", "Webhooks", "h", "webhooks"),
    ("/ops/organizations", "Tenants", "t", "organizations"),
    ("/ops/jobs", "Jobs", "b", "jobs"),
    ("/ops/audit", "Audit log", "a", "audit"),
];

/// What the keys do.
const KEYS: [(&str, &str); 8] = [
    ("/", "search for a message"),
    (
        "g o",
        "overview; g q queues, g m messages, g s sessions, g w workers",
    ),
    ("g h", "webhooks; g t tenants, g b jobs, g a audit log"),
    ("j k", "move down and up in a list"),
    ("o", "open what is selected"),
    ("u", "back"),
    ("Esc", "leave a field, close a dialog"),
    ("?", "this help"),
];

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · WhatsApp Gateway" }
                link rel="stylesheet" href={ "/ops/assets/" (*STYLE_NAME) };
                link rel="icon" href="data:,";
                script src={ "/ops/assets/" (*SCRIPT_NAME) } defer {}
            }
            (body)
        }
    }
}

/// A page for nobody in particular.
pub(super) fn bare(title: &str, content: &Markup) -> Markup {
    document(title, &html! { body class="bare" { main { (content) } } })
}

/// A page for somebody who signed in. What is in `content` is brought up to date by itself.
///
/// # Errors
/// When Redis does not answer.
pub(super) async fn page(
    app: &Arc<App>,
    who: &Present,
    here: &str,
    title: &str,
    content: &Markup,
) -> Result<Markup, Failure> {
    let census = census(app).await?;
    Ok(framed(app, who, &census, here, title, content))
}

fn framed(
    app: &App,
    who: &Present,
    census: &Census,
    here: &str,
    title: &str,
    content: &Markup,
) -> Markup {
    let [held, troubled, silent, down] = census.attention(app);
    let count = |path: &str| match path {
        "/ops/queues" => held,
        "/ops/sessions" => troubled,
        "/ops/workers" => silent,
        "/ops/webhooks" => down,
        "/ops/jobs" => census.jobs_running,
        _ => 0,
    };
    let body = html! {
        body {
            a class="skip" href="#content" { "Skip to the content" }
            nav aria-label="Main" {
                div class="brand" { (icon("brand")) "WhatsApp Gateway" }
                ul {
                    @for (path, name, key, sign) in PLACES {
                        li { a href=(path) data-key=(key) aria-current=[(path == here).then_some("page")] {
                            (icon(sign)) (name)
                            @let count = count(path);
                            @if count > 0 { span class="count" { (count) span class="sr" { @if path == "/ops/jobs" { " running" } @else { " need attention" } } } }
                        } }
                    }
                }
                div class="corner" {
                    span class="environment" { (app.config.ops.environment) }
                    span class="quiet" { "version " (env!("CARGO_PKG_VERSION")) }
                    span class="quiet" { (who.sign_in.name) " · " (who.sign_in.role.as_str()) }
                    form method="post" action="/ops/sign-out" {
                        input type="hidden" name="csrf" value=(who.sign_in.csrf);
                        button type="submit" class="plain" { "Sign out" }
                    }
                }
            }
            div class="frame" {
                header class="top" {
                    form method="get" action="/ops/messages" role="search" {
                        input type="search" name="q" aria-label="Find a message" autocomplete="off"
                            placeholder="Find a message: any id, key or number";
                        kbd aria-hidden="true" { "/" }
                    }
                    p id="connection" role="status" {}
                }
                @if let Some(said) = &who.said { div class="said" role="status" { (said) } }
                main id="content" tabindex="-1" data-live { (content) }
            }
            dialog id="confirm" aria-labelledby="confirm-title" {
                form method="dialog" {
                    h2 id="confirm-title" { "Confirm" }
                    p {}
                    label hidden { span { "Number" } " " input inputmode="numeric" autocomplete="off"; }
                    div class="row" {
                        button type="submit" value="" { "Go back" }
                        button type="submit" value="go" class="danger" { "Go on" }
                    }
                }
            }
            dialog id="help" aria-labelledby="help-title" {
                h2 id="help-title" { "Keys" }
                dl class="facts" { @for (keys, what) in KEYS { dt { kbd { (keys) } } dd { (what) } } }
                div class="row" { button type="button" data-close { "Close" } }
            }
        }
    };
    document(title, &body)
}

/// A form with one button that does something. `fields` are sent along.
pub(super) fn action(
    who: &Present,
    name: &str,
    label: &str,
    fields: &[(&str, &str)],
    confirm: Option<&str>,
) -> Markup {
    numbered(who, name, label, fields, confirm, None)
}

/// As [`action`], where the operator must type a number before it goes on.
pub(super) fn numbered(
    who: &Present,
    name: &str,
    label: &str,
    fields: &[(&str, &str)],
    confirm: Option<&str>,
    number: Option<u64>,
) -> Markup {
    html! {
        @if who.may_act() {
            form method="post" action="/ops/actions" data-confirm=[confirm] data-number=[number] {
                input type="hidden" name="csrf" value=(who.sign_in.csrf);
                input type="hidden" name="action" value=(name);
                @if number.is_some() { input type="hidden" name="typed" value=""; }
                @for (field, value) in fields { input type="hidden" name=(field) value=(value); }
                button type="submit" class=[confirm.map(|_| "danger")] { (label) }
            }
        }
    }
}
