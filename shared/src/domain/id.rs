//! Prefixed ids: `sess_01J…` says what it names wherever it turns up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ulid::Ulid;

use crate::clock::Millis;

/// Why a text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an id of the form {prefix}_<26 characters>")]
pub struct InvalidId {
    prefix: &'static str,
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id; ids made later sort after it (by the millisecond).
            #[must_use]
            pub fn generate(now: Millis) -> Self {
                Self::from_ulid(fresh_ulid(now))
            }

            fn from_ulid(ulid: Ulid) -> Self {
                Self(format!(concat!($prefix, "_{}"), ulid))
            }

            /// When it was made, in milliseconds.
            #[must_use]
            pub fn created_at(&self) -> Millis {
                let ulid = self.0.get(Self::PREFIX.len() + 1..).unwrap_or_default();
                let ulid = Ulid::from_string(ulid).unwrap_or_default();
                Millis::try_from(ulid.timestamp_ms()).unwrap_or(Millis::MAX)
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId { prefix: $prefix };
                let rest = text.strip_prefix(concat!($prefix, "_")).ok_or(invalid.clone())?;
                let ulid = Ulid::from_string(rest).map_err(|_| invalid.clone())?;
                let id = Self::from_ulid(ulid);
                // One spelling alone: keys, caches and fingerprints compare texts.
                if id.0 == text { Ok(id) } else { Err(invalid) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": concat!("^", $prefix, "_[0-7][0-9A-HJKMNP-TV-Z]{25}$"),
                })
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

fn fresh_ulid(now: Millis) -> Ulid {
    let millis = u64::try_from(now).unwrap_or(0);
    Ulid::from_parts(millis, Ulid::new().random())
}

prefixed_id!(
    /// An organization: the tenant, and the unit of sharding of the control plane.
    OrganizationId, "org"
);
prefixed_id!(
    /// A session: one attached WhatsApp number.
    SessionId, "sess"
);
prefixed_id!(
    /// One accepted send or message operation in the outbox.
    OutboxId, "out"
);
prefixed_id!(
    /// A file that a caller has handed in, and can send by this name.
    MediaId, "med"
);
prefixed_id!(
    /// An API key; the id is public, the key itself is not.
    ApiKeyId, "key"
);
prefixed_id!(
    /// One run of a worker process. A restarted worker is a new worker.
    WorkerId, "wkr"
);
prefixed_id!(
    /// A job that an operator asked for: one action on everything that matches a filter.
    JobId, "job"
);
prefixed_id!(
    /// One run of an API process.
    InstanceId, "api"
);
prefixed_id!(
    /// An installation: all that one Redis holds under one prefix.
    InstallationId, "ins"
);
prefixed_id!(
    /// An event of an organization's stream; derived from its place in it, see [`crate::events`].
    EventId, "evt"
);

prefixed_id!(
    /// A webhook of an organization.
    WebhookId, "wh"
);
prefixed_id!(
    /// The delivery of one event to one webhook; derived from both, see [`crate::webhooks`].
    DeliveryId, "dlv"
);

impl MediaId {
    /// The name that stands for a hash: the same one for the same bytes.
    #[must_use]
    pub fn of_bytes(bytes: [u8; 16]) -> Self {
        Self::from_ulid(Ulid::from_bytes(bytes))
    }
}

impl OrganizationId {
    /// The organization that a login frontend knows by this id: the one of this id where it is one
    /// of ours, and otherwise always the same one, derived from it by SHA-256. Nothing has to be
    /// looked up, and no such id meets one that was made here.
    #[must_use]
    pub fn from_outside(id: &str) -> Self {
        id.parse().unwrap_or_else(|_| {
            let digest = Sha256::digest(format!("organization {id}"));
            let bits = digest
                .iter()
                .take(16)
                .fold(0, |bits: u128, byte| bits << 8 | u128::from(*byte));
            Self::from_ulid(Ulid(bits))
        })
    }
}

impl EventId {
    /// The id whose ULID has these parts.
    #[must_use]
    pub fn from_parts(millis: u64, rest: u128) -> Self {
        Self::from_ulid(Ulid::from_parts(millis, rest))
    }

    /// The parts of its ULID: 48 bits of milliseconds and 80 bits of the rest.
    #[must_use]
    pub fn parts(&self) -> (u64, u128) {
        let ulid = Ulid::from_string(&self.0[Self::PREFIX.len() + 1..]).unwrap_or_default();
        (ulid.timestamp_ms(), ulid.random())
    }
}

impl DeliveryId {
    /// The id whose ULID has these parts.
    #[must_use]
    pub fn from_parts(millis: u64, rest: u128) -> Self {
        Self::from_ulid(Ulid::from_parts(millis, rest))
    }

    /// The parts of its ULID: 48 bits of milliseconds and 80 bits of the rest.
    #[must_use]
    pub fn parts(&self) -> (u64, u128) {
        let ulid = Ulid::from_string(&self.0[Self::PREFIX.len() + 1..]).unwrap_or_default();
        (ulid.timestamp_ms(), ulid.random())
    }
}

impl WebhookId {
    /// When it was made, in milliseconds.
    #[must_use]
    pub fn made_at(&self) -> Millis {
        let ulid = Ulid::from_string(&self.0[Self::PREFIX.len() + 1..]).unwrap_or_default();
        Millis::try_from(ulid.timestamp_ms()).unwrap_or(Millis::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = SessionId::generate(1_700_000_000_000);
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_eq!(id.created_at(), 1_700_000_000_000);
        let digits = &id.as_str()["sess_".len()..];
        let lower = format!("sess_{}", digits.to_lowercase());
        let overflowing = format!("sess_8{}", &digits[1..]);
        let alike = "sess_0lHF8Q6QK0ABCDEFGHJKMNPQR0".replace('l', "I");
        for alias in [
            lower,
            overflowing,
            alike,
            format!("SESS_{digits}"),
            format!(" {id}"),
            format!("{id} "),
            format!("{id}0"),
            "sess_".to_owned(),
        ] {
            assert!(alias.parse::<SessionId>().is_err(), "{alias}");
        }
        assert!(id.as_str().parse::<OutboxId>().is_err());
    }
}
