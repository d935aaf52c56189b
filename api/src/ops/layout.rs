//! The frame of every page.

use maud::{DOCTYPE, Markup, html};

use super::access::Present;
use super::assets::{SCRIPT_NAME, STYLE_NAME};
use crate::state::App;

const PLACES: [(&str, &str, &str); 6] = [
    ("/ops", "Overview", "o"),
    ("/ops/queues", "Queues", "q"),
    ("/ops/messages", "Messages", "m"),
    ("/ops/sessions", "Sessions", "s"),
    ("/ops/workers", "Workers", "w"),
    ("/ops/audit", "Audit log", "a"),
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
pub(super) fn page(app: &App, who: &Present, here: &str, title: &str, content: &Markup) -> Markup {
    let body = html! {
        body {
            a class="skip" href="#content" { "Skip to the content" }
            nav aria-label="Main" {
                strong class="brand" { "Gateway" }
                ul {
                    @for (path, name, key) in PLACES {
                        li { a href=(path) data-key=(key) aria-current=[(path == here).then_some("page")] { (name) } }
                    }
                }
                div class="corner" {
                    span class="environment" { (app.config.ops.environment) }
                    span class="quiet" { "v" (env!("CARGO_PKG_VERSION")) }
                    span class="quiet" { (who.sign_in.name) " (" (who.sign_in.role.as_str()) ")" }
                    form method="post" action="/ops/sign-out" { button type="submit" class="plain" { "Sign out" } }
                }
            }
            div class="frame" {
                header {
                    form method="get" action="/ops/messages" role="search" {
                        input type="search" name="q" aria-label="Find a message" placeholder="Outbox id or WhatsApp id  ( / )";
                    }
                    p id="connection" class="quiet" role="status" {}
                }
                main id="content" tabindex="-1" data-live { h1 { (title) } (content) }
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
    html! {
        @if who.may_act() {
            form method="post" action="/ops/actions" class="action" data-confirm=[confirm] {
                input type="hidden" name="csrf" value=(who.sign_in.csrf);
                input type="hidden" name="action" value=(name);
                @for (field, value) in fields { input type="hidden" name=(field) value=(value); }
                button type="submit" class=[confirm.map(|_| "danger")] { (label) }
            }
        }
    }
}
