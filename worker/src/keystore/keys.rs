//! Every Redis key of a session's key material: what follows the root, its type and its life time.
//!
//! The root is [`gateway_shared::redis::Keys::keystore`], whose hash tag is the session, so that
//! all of one session lies in one Cluster slot and one script may touch any of it.

use gateway_shared::redis::keys::KeyFamily;

macro_rules! families {
    ($table:ident: $($const:ident = $name:literal $pattern:literal $kind:literal $purpose:literal;)*) => {
        $(
            #[doc = $purpose]
            pub const $const: KeyFamily = KeyFamily {
                name: $name,
                pattern: $pattern,
                kind: $kind,
                purpose: $purpose,
            };
        )*

        /// All families of a session's key material.
        pub const $table: &[KeyFamily] = &[$($const),*];
    };
}

families! { KEYSTORE:
    FENCE = "fence" ":fence" "hash"
        "epoch (who may write), life (times erased), term (latest connection), erased (by which epoch), refused (writes of former owners), key (the data key that seals the rows, sealed by the keyring), sealed (1: no row lies in clear); as long as the session, 7 days after it";
    META = "meta" ":meta" "hash"
        "device (JSON), device_ids (counter), sync_key (id of the latest); until erased";
    SESSION = "session" ":session" "hash"
        "address -> Signal session record; until deleted";
    SESSION_INDEX = "session_index" ":session:ix" "zset"
        "addresses of `session` in lexical order (score 0); with them";
    IDENTITY = "identity" ":identity" "hash"
        "address -> 32 byte identity key; until deleted";
    IDENTITY_INDEX = "identity_index" ":identity:ix" "zset"
        "addresses of `identity` in lexical order (score 0); with them";
    PREKEY = "prekey" ":prekey" "hash"
        "id -> uploaded (1 byte) and record; until consumed";
    PREKEY_INDEX = "prekey_index" ":prekey:ix" "zset"
        "ids of `prekey` by id; with them";
    SIGNED_PREKEY = "signed_prekey" ":signed-prekey" "hash"
        "id -> signed pre-key record; until removed";
    SENDER_KEY = "sender_key" ":sender-key" "hash"
        "group and sender -> sender key record; until deleted";
    SYNC_KEY = "sync_key" ":sync-key" "hash"
        "id -> app state sync key; until erased";
    SYNC_VERSION = "sync_version" ":sync-version" "hash"
        "collection -> app state version and hash; until erased";
    COLLECTIONS = "collections" ":macs" "set"
        "collections that have `mac`; until cleared";
    MAC = "mac" ":mac:*" "hash"
        "of one collection: index MAC -> value MAC; until deleted or cleared";
    SKDM_GROUPS = "skdm_groups" ":skdm" "set"
        "groups that have `skdm_devices`; until cleared";
    SKDM_DEVICES = "skdm_devices" ":skdm:*" "hash"
        "of one group: device -> 1 when it has our sender key, 0 when it needs it; until cleared";
    LID = "lid" ":lid" "hash"
        "LID -> its mapping to a phone number; until erased";
    PHONE = "phone" ":phone" "hash"
        "phone number -> its latest LID; until erased";
    DEVICES = "devices" ":devices" "hash"
        "user -> device list; until deleted";
    GROUP = "group" ":group" "hash"
        "group -> metadata as whatsapp-rust wrote it; until deleted";
    TC_TOKEN = "tc_token" ":tc" "hash"
        "contact -> token, when received, when ours was sent; until both are out of date";
    TC_RECEIVED = "tc_received" ":tc:received" "zset"
        "contacts of `tc_token` by time of the received token, -inf without one; with them";
    TC_SENT = "tc_sent" ":tc:sent" "zset"
        "contacts of `tc_token` by time of our sending, -inf for never; with them";
    BASE_KEY = "base_key" ":base-key" "hash"
        "address and message -> base key seen at a retry; 7 days, at most 10,000";
    BASE_KEY_TIME = "base_key_time" ":base-key:at" "zset"
        "fields of `base_key` by time; with them";
    SENT = "sent" ":sent" "hash"
        "chat and message -> sent message for retry receipts; until taken or expired, at most 16,384";
    SENT_TIME = "sent_time" ":sent:at" "zset"
        "fields of `sent` by time; with them";
    PENDING = "pending" ":pending" "hash"
        "chat, sender and message -> decrypted message not yet told; until told or expired";
    PENDING_TIME = "pending_time" ":pending:at" "zset"
        "fields of `pending` by time; with them";
    SECRET = "secret" ":secret" "hash"
        "chat, sender and message -> time of the message and its 32 byte secret; until its deadline";
    SECRET_DEADLINE = "secret_deadline" ":secret:until" "zset"
        "fields of `secret` that have a deadline, by it; with them";
}

/// A field made of several parts: joined by a NUL, which no JID, address or message id holds.
/// Should one hold it all the same, each part carries its length, so that different parts never
/// make the same field.
pub(super) fn field(parts: &[&str]) -> Vec<u8> {
    let plain = parts.iter().all(|part| !part.contains('\0'));
    let mut field = Vec::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    for (at, part) in parts.iter().enumerate() {
        if plain {
            if at > 0 {
                field.push(0);
            }
        } else {
            field.extend_from_slice(b"\0\0");
            field.extend_from_slice(&(part.len() as u64).to_be_bytes());
        }
        field.extend_from_slice(part.as_bytes());
    }
    field
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_patterns_are_unique() {
        let names: HashSet<_> = KEYSTORE.iter().map(|family| family.name).collect();
        let patterns: HashSet<_> = KEYSTORE.iter().map(|family| family.pattern).collect();
        assert_eq!(names.len(), KEYSTORE.len());
        assert_eq!(patterns.len(), KEYSTORE.len());
    }

    #[test]
    fn different_parts_make_different_fields() {
        let parts = ["", "a", "b", "\0", "a\0", "\0a", "a\0b"];
        let mut seen = HashSet::new();
        for one in parts {
            for two in parts {
                for three in parts {
                    assert!(
                        seen.insert(field(&[one, two, three])),
                        "{one:?} {two:?} {three:?}"
                    );
                }
            }
        }
    }
}
