//! A passkey that WhatsApp asks for: shown in the session, told as an event.

use gateway_shared::clock::Millis;
use gateway_shared::domain::SessionStatus;
use gateway_shared::session::{Report, ReportedEvent};
use serde_json::{Value, json};

/// How long WhatsApp waits for an assertion where it does not say, in milliseconds.
const PATIENCE: Millis = 120_000;

/// Until when an assertion is waited for.
pub(super) fn expires_at(options: &str, now: Millis) -> Millis {
    let options: Value = serde_json::from_str(options).unwrap_or_default();
    let timeout = options["timeout"].as_i64().filter(|timeout| *timeout > 0);
    now.saturating_add(timeout.unwrap_or(PATIENCE))
}

/// WhatsApp asks for an assertion.
pub(super) fn requested(options: &str, expires_at: Millis) -> Report {
    let shown: Value = serde_json::from_str(options).unwrap_or_default();
    let reason = "WhatsApp asks for a passkey of the account";
    Report {
        status: Some((SessionStatus::PasskeyRequired, reason.to_owned())),
        fields: vec![
            ("passkey", options.to_owned()),
            ("passkeyExpiresAt", expires_at.to_string()),
            ("passkeyCode", String::new()),
        ],
        event: Some(ReportedEvent {
            kind: "auth.passkey",
            payload: json!({ "options": shown, "expiresAt": expires_at }).to_string(),
        }),
    }
}

/// The phone shows a code to compare.
pub(super) fn coded(code: &str, known: bool) -> Report {
    Report {
        status: None,
        fields: vec![("passkeyCode", code.to_owned())],
        event: Some(ReportedEvent {
            kind: "auth.code",
            payload: json!({ "code": code, "compare": !known }).to_string(),
        }),
    }
}

/// It failed, and the phone may scan again.
pub(super) fn failed(reason: &str) -> Report {
    Report {
        status: Some((
            SessionStatus::Starting,
            format!("the pairing with a passkey failed: {reason}"),
        )),
        fields: Vec::new(),
        event: Some(ReportedEvent {
            kind: "auth.passkey",
            payload: json!({ "error": reason }).to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatsapp_says_how_long_it_waits() {
        assert_eq!(expires_at("{\"timeout\":60000}", 5), 60_005);
        for options in ["{}", "nonsense", "{\"timeout\":0}"] {
            assert_eq!(expires_at(options, 5), 120_005, "{options}");
        }
    }
}
