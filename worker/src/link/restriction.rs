//! What WhatsApp holds against an account: whom it may not write to, and until when.

use gateway_shared::clock::Millis;
use serde::Serialize;

use super::Link;

/// A restriction of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restriction {
    /// `reach_out_timelock`: people never written to can not be; `new_chat_cap`: too many of them
    /// were; `temporary_ban`: nobody can be written to.
    pub kind: &'static str,
    /// When it ends, where WhatsApp says so.
    pub until: Option<Millis>,
    /// WhatsApp's own name or code for it.
    pub code: String,
}

impl Link {
    /// The lock on writing to strangers that WhatsApp has put on the account, if there is one.
    /// Nothing, too, where WhatsApp does not answer.
    pub async fn reach_out_timelock(&self) -> Option<Restriction> {
        let lock = match self.client.mex().fetch_reachout_timelock().await {
            Ok(lock) => lock,
            Err(error) => {
                tracing::debug!(%error, "WhatsApp did not say whether the account is restricted");
                return None;
            }
        };
        lock.is_active.unwrap_or(false).then(|| Restriction {
            kind: "reach_out_timelock",
            until: lock.time_enforcement_ends.as_deref().and_then(time),
            code: lock.enforcement_type.unwrap_or_default(),
        })
    }
}

/// A time as WhatsApp writes it: seconds since the epoch, as a text.
fn time(text: &str) -> Option<Millis> {
    let seconds: Millis = text.parse().ok()?;
    (seconds > 0).then(|| seconds.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_or_not_known() {
        assert_eq!(time("1795823999"), Some(1_795_823_999_000));
        for text in ["", "0", "soon", "-1"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
