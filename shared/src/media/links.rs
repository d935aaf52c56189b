//! Signed addresses: whoever has one can fetch the file of one message, without a key, for a while.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::MediaError;
use crate::clock::Millis;
use crate::lane::SessionRef;
use crate::secrets::Keyring;

/// What a sealed address is sealed for.
const CONTEXT: &str = "media-link";

/// Makes and reads signed addresses. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct MediaLinks {
    keyring: Keyring,
    base: String,
    lifetime: Millis,
}

/// What an address is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaLink {
    /// The session that knows the message.
    pub of: SessionRef,
    /// The message's WhatsApp id.
    pub message: String,
    /// Its chat.
    pub chat: String,
    /// Until when.
    pub expires_at: Millis,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    o: String,
    s: String,
    m: String,
    c: String,
    x: Millis,
}

impl MediaLinks {
    /// Addresses that begin with `base` (`api.public_url`; nothing: they begin with `/media/`) and are
    /// good for `lifetime_ms`.
    #[must_use]
    pub fn new(base: &str, lifetime_ms: u64, keyring: Keyring) -> Self {
        Self {
            keyring,
            base: base.trim_end_matches('/').to_owned(),
            lifetime: Millis::try_from(lifetime_ms).unwrap_or(Millis::MAX),
        }
    }

    /// An address for the file of a message, from `now` on.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn address(
        &self,
        now: Millis,
        of: &SessionRef,
        message: &str,
        chat: &str,
    ) -> Result<String, MediaError> {
        let sealed = Sealed {
            o: of.organization.to_string(),
            s: of.session.to_string(),
            m: message.to_owned(),
            c: chat.to_owned(),
            x: now.saturating_add(self.lifetime),
        };
        let json = serde_json::to_vec(&sealed).unwrap_or_default();
        let token = URL_SAFE_NO_PAD.encode(self.keyring.seal(CONTEXT, &json)?);
        Ok(format!("{}/media/{token}", self.base))
    }

    /// What the last part of an address stands for; `None` where it is none of this installation.
    #[must_use]
    pub fn read(&self, token: &str) -> Option<MediaLink> {
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let json = self.keyring.open(CONTEXT, &sealed).ok()?;
        let Sealed { o, s, m, c, x } = serde_json::from_slice(&json).ok()?;
        Some(MediaLink {
            of: SessionRef {
                organization: o.parse().ok()?,
                session: s.parse().ok()?,
            },
            message: m,
            chat: c,
            expires_at: x,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{OrganizationId, SessionId};

    #[test]
    fn an_address_is_good_for_its_message_and_nothing_else() {
        let keyring = Keyring::generate().unwrap();
        let links = MediaLinks::new("https://gateway.example/", 1_000, keyring);
        let of = SessionRef {
            organization: OrganizationId::generate(1),
            session: SessionId::generate(1),
        };
        let address = links.address(7, &of, "3EB0", "1@lid").unwrap();
        let token = address
            .strip_prefix("https://gateway.example/media/")
            .unwrap();
        let link = links.read(token).unwrap();
        assert_eq!((link.of, link.expires_at), (of, 1_007));
        assert_eq!(
            (link.message.as_str(), link.chat.as_str()),
            ("3EB0", "1@lid")
        );
        let mut forged = token.to_owned().into_bytes();
        let last = forged.len() - 1;
        forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
        for wrong in ["", "x", std::str::from_utf8(&forged).unwrap()] {
            assert_eq!(links.read(wrong), None);
        }
        let others = MediaLinks::new("", 1_000, Keyring::generate().unwrap());
        assert_eq!(others.read(token), None);
    }
}
