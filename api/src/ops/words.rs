//! How moments, ages, ids and states are written for people.

use gateway_shared::clock::Millis;
use gateway_shared::domain::{SendStatus, SessionStatus};
use maud::{Markup, html};

use super::icons::icon;

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

/// A moment of UTC, for those without a script: "2026-11-28 03:14:07 UTC".
pub(super) fn exact(at: Millis) -> String {
    let (days, rest) = (at.div_euclid(86_400_000), at.rem_euclid(86_400_000));
    // Days since 1970 as a date, after Howard Hinnant's `civil_from_days`.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let seconds = rest / 1_000;
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// A moment: its age, with the exact time in the title; the script writes it in the reader's zone.
pub(super) fn ago(now: Millis, at: Millis) -> Markup {
    html! { time data-at=(at) title=(exact(at)) { (age(now, at)) " ago" } }
}

/// A moment to come: "in 12 s".
pub(super) fn ahead(now: Millis, at: Millis) -> Markup {
    html! { time data-at=(at) title=(exact(at)) { "in " (age(at, now)) } }
}

/// A moment as an exact time.
pub(super) fn moment(at: Millis) -> Markup {
    let text = exact(at);
    let short = text.get(11..19).unwrap_or_default().to_owned();
    html! { time data-at=(at) title=(text) { (short) small { "." (format!("{:03}", at.rem_euclid(1_000))) } } }
}

/// A number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: "1 send", "2,000 sends".
pub(super) fn things(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// A number a second, as exactly as anybody needs it.
pub(super) fn rate(per_second: f64) -> String {
    if per_second >= 10.0 || per_second == 0.0 {
        format!("{per_second:.0}")
    } else if per_second >= 0.1 {
        format!("{per_second:.1}")
    } else {
        format!("{per_second:.2}")
    }
}

/// Bytes with a unit.
pub(super) fn bytes(number: u64) -> String {
    let value = f64::from(u32::try_from(number >> 10).unwrap_or(u32::MAX));
    match number {
        0..=1_023 => format!("{number} B"),
        1_024..=1_048_575 => format!("{value:.0} KiB"),
        1_048_576..=1_073_741_823 => format!("{:.0} MiB", value / 1_024.0),
        _ => format!("{:.1} GiB", value / 1_048_576.0),
    }
}

/// An id in monospace, shortened in its middle, copied by a click.
pub(super) fn id(text: &str) -> Markup {
    let short = if text.len() > 18 && text.is_ascii() {
        format!("{}…{}", &text[..9], &text[text.len() - 5..])
    } else {
        text.to_owned()
    };
    html! { button type="button" class="id" data-copy=(text) title={ (text) " (copy)" } { (short) } }
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
    match server {
        "" | "s.whatsapp.net" => format!("+{shown}"),
        server => format!("{shown}@{server}"),
    }
}

/// A state: colour, shape and word.
pub(super) fn state(class: &str, sign: &str, word: &str) -> Markup {
    html! { span class={ "state " (class) } { (icon(sign)) (word) } }
}

/// The colour and the shape of a state of a send.
pub(super) fn sign_of(status: SendStatus) -> (&'static str, &'static str) {
    match status {
        SendStatus::Scheduled => ("waiting", "clock"),
        SendStatus::Queued => ("waiting", "waiting"),
        SendStatus::Sending => ("sending", "half"),
        SendStatus::Sent => ("done", "tick"),
        SendStatus::Delivered => ("done", "ticks"),
        SendStatus::Read | SendStatus::Played => ("read", "ticks"),
        SendStatus::Failed => ("failed", "cross"),
        SendStatus::Cancelled => ("ended", "off"),
    }
}

/// A state of a send.
pub(super) fn send_state(status: SendStatus) -> Markup {
    let (class, sign) = sign_of(status);
    state(class, sign, status.as_str())
}

/// A state of a session.
pub(super) fn session_state(status: SessionStatus) -> Markup {
    let (class, sign, word) = match status {
        SessionStatus::Working => ("done", "on", "working"),
        SessionStatus::Starting => ("sending", "half", "starting"),
        SessionStatus::Stopped => ("waiting", "waiting", "stopped"),
        SessionStatus::Failed => ("failed", "cross", "failed"),
        SessionStatus::LoggedOut => ("failed", "cross", "logged out"),
        SessionStatus::ScanQrCode => ("held", "scan", "needs a scan"),
        SessionStatus::PasskeyRequired => ("held", "key", "needs a passkey"),
        SessionStatus::Deleted => ("ended", "off", "deleted"),
    };
    state(class, sign, word)
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
    fn moments_are_dates_of_utc() {
        assert_eq!(exact(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(exact(1_709_210_096_789), "2024-02-29 12:34:56 UTC");
        assert_eq!(exact(1_795_836_847_000), "2026-11-28 03:34:07 UTC");
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(things(1, "send"), "1 send");
        assert_eq!(things(10_000, "send"), "10,000 sends");
        assert_eq!(bytes(5 << 30), "5.0 GiB");
        assert_eq!(rate(0.04), "0.04");
    }

    #[test]
    fn addresses_are_masked() {
        assert_eq!(masked("15550200001@s.whatsapp.net"), "+155•••01");
        assert_eq!(masked("120363000000000001@g.us"), "120•••01@g.us");
        assert_eq!(masked("123"), "+•••");
    }
}
