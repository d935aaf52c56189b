//! The secrets that sign deliveries.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// Bytes of a secret.
const BYTES: usize = 32;
/// What the text of a secret begins with.
const PREFIX: &str = "whsec_";

/// A secret that signs: 32 random bytes, `whsec_` and their base64 as text. It is shown when it is
/// made and never again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookSecret(String);

impl WebhookSecret {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; BYTES];
        rand::rng().fill(&mut bytes);
        Self(format!("{PREFIX}{}", STANDARD.encode(bytes)))
    }

    /// Its text, for whoever made it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The key of the signatures (Standard Webhooks): what the base64 stands for.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let text = self.0.strip_prefix(PREFIX).unwrap_or(&self.0);
        STANDARD.decode(text).unwrap_or_default()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whsec_***")
    }
}

/// The secrets of a webhook: the present one, and former ones until they end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// The present one.
    pub present: WebhookSecret,
    /// The one before, and until when it still signs.
    pub former: Option<(WebhookSecret, Millis)>,
}

impl Secrets {
    /// A first secret.
    #[must_use]
    pub fn generate() -> Self {
        Self {
            present: WebhookSecret::generate(),
            former: None,
        }
    }

    /// A new secret beside the present one, which signs until `until` (in milliseconds). One that was
    /// former already ends.
    #[must_use]
    pub fn rotated(self, until: Millis) -> Self {
        Self {
            present: WebhookSecret::generate(),
            former: Some((self.present, until)),
        }
    }

    /// Those that sign at a moment, the present one first.
    pub fn at(&self, now: Millis) -> impl Iterator<Item = &WebhookSecret> {
        let former = self.former.as_ref().filter(|(_, until)| *until > now);
        std::iter::once(&self.present).chain(former.map(|(secret, _)| secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_rotation_both_sign_until_the_former_one_ends() {
        let first = Secrets::generate();
        let former = first.present.clone();
        assert_eq!(former.key().len(), BYTES);
        let second = first.rotated(100);
        let at = |now| second.at(now).cloned().collect::<Vec<_>>();
        assert_eq!(at(99), [second.present.clone(), former]);
        assert_eq!(at(100), vec![second.present.clone()]);
        assert_eq!(format!("{second:?}").matches("***").count(), 2);
    }
}
