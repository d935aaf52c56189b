//! How moments, ages, ids and states are written for people.

use gateway_shared::clock::Millis;
use gateway_shared::domain::{SendStatus, SessionStatus};
use maud::{Markup, html};

/// An age as people say it: "12 s", "3 min", "2 h", "5 d"; never negative.
pub(super) fn age(now: Millis, at: Millis) -> String {
    let seconds = now.saturating_sub(at).max(0) / 1_000;
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{} min", seconds / 60),
        6_000..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A duration between two steps, with its unit.
pub(super) fn span(milliseconds: Millis) -> String {
    match milliseconds.max(0) {
        short @ 0..=999 => format!("{short} ms"),
        middle @ 1_000..=99_999 => format!(
            "{:.1} s",
            f64::from(i32::try_from(middle).unwrap_or(0)) / 1_000.0
        ),
        long => age(long, 0),
    }
}

/// A moment: its age, with the exact time in the title; the script writes it in the reader's zone.
pub(super) fn ago(now: Millis, at: Millis) -> Markup {
    html! { time data-at=(at) title=(at) { (age(now, at)) " ago" } }
}

/// An id in monospace, shortened in its middle, copied by a click.
pub(super) fn id(text: &str) -> Markup {
    let short = if text.len() > 18 && text.is_ascii() {
        format!("{}…{}", &text[..9], &text[text.len() - 5..])
    } else {
        text.to_owned()
    };
    html! { button type="button" class="id" data-copy=(text) title=(text) { (short) } }
}

/// A phone number or address with its middle hidden.
pub(super) fn masked(address: &str) -> String {
    let (user, server) = address.split_once('@').unwrap_or((address, ""));
    let characters: Vec<char> = user.chars().collect();
    let shown = if characters.len() > 6 {
        let head: String = characters[..3].iter().collect();
        let tail: String = characters[characters.len() - 2..].iter().collect();
        format!("{head}•••{tail}")
    } else {
        "•••".to_owned()
    };
    if server.is_empty() {
        shown
    } else {
        format!("{shown}@{server}")
    }
}

/// A state of a send: colour, shape and word.
pub(super) fn send_state(status: SendStatus) -> Markup {
    let (class, sign) = match status.as_str() {
        "scheduled" | "queued" => ("waiting", "○"),
        "sending" => ("sending", "◐"),
        "sent" => ("done", "✓"),
        "delivered" => ("done", "✓✓"),
        "read" | "played" => ("read", "✓✓"),
        "failed" => ("failed", "✕"),
        _ => ("ended", "–"),
    };
    html! { span class={ "state " (class) } { span aria-hidden="true" { (sign) } " " (status.as_str()) } }
}

/// A state of a session.
pub(super) fn session_state(status: SessionStatus) -> Markup {
    let (class, sign) = match status.as_str() {
        "working" => ("done", "●"),
        "starting" => ("sending", "◐"),
        "stopped" => ("waiting", "○"),
        "failed" | "logged_out" => ("failed", "✕"),
        _ => ("held", "◔"),
    };
    html! { span class={ "state " (class) } { span aria-hidden="true" { (sign) } " " (status.as_str().replace('_', " ")) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_a_unit_and_are_never_negative() {
        assert_eq!(age(1_000, 5_000), "0 s");
        assert_eq!(age(90_000, 0), "90 s");
        assert_eq!(age(600_000, 0), "10 min");
        assert_eq!(span(1_500), "1.5 s");
    }

    #[test]
    fn numbers_are_masked() {
        assert_eq!(
            masked("15550200001@s.whatsapp.net"),
            "155•••01@s.whatsapp.net"
        );
        assert_eq!(masked("123"), "•••");
    }
}
