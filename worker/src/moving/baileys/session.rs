//! Signal sessions of libsignal's JavaScript, and back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use wacore::libsignal::protocol::{
    LegacyIndexedSessionV1, LegacySessionBaseKeyRoleV1, LegacySessionChainCounterV1,
    LegacySessionChainKeyV1, LegacySessionChainRoleV1, LegacySessionChainV1,
    LegacySessionDispositionV1, LegacySessionIndexV1, LegacySessionKeyPairV1,
    LegacySessionLocalContext, LegacySessionMessageKeyV1, LegacySessionPendingPreKeyV1,
    LegacySessionRatchetV1, LegacySessionRecordV1, LegacySessionV1, SessionRecord,
};

use super::field::Field;
use crate::moving::MovingError;

/// What a session file holds.
pub(super) struct Session {
    /// The record as whatsapp-rust stores it.
    pub(super) record: Bytes,
    /// The identity key of the other device in the open session.
    pub(super) identity: Option<[u8; 32]>,
}

/// Reads a record; nothing where there are no sessions in it.
pub(super) fn read(
    root: &Field<'_>,
    context: LegacySessionLocalContext,
) -> Result<Option<Session>, MovingError> {
    let Some(sessions) = root.find("_sessions")? else {
        return Ok(None);
    };
    // Before v1 the other's registration id stood outside.
    let outside = match root.find("registrationId")? {
        Some(id) => Some(id.number::<u32>()?),
        None => None,
    };
    let mut indexed = Vec::new();
    let mut identity = None;
    for (key, session) in sessions.members()? {
        let index_key = STANDARD.decode(key);
        let index_key = index_key.map_err(|_| session.error("its name must be base64"))?;
        let session = read_session(&session, outside)?;
        if session.index.disposition == LegacySessionDispositionV1::Current {
            let key = crate::moving::records::public_key(&session.index.remote_identity_key);
            identity = key.and_then(|key| key.public_key_bytes().try_into().ok());
        }
        indexed.push(LegacyIndexedSessionV1 {
            index_key: index_key.into(),
            session,
        });
    }
    if indexed.is_empty() {
        return Ok(None);
    }
    let record = LegacySessionRecordV1::from_indexed_sessions(indexed)
        .and_then(|record| record.into_session_record(context))
        .map_err(|error| sessions.error(error))?;
    let record = record.serialize().map_err(|error| sessions.error(error))?;
    Ok(Some(Session {
        record: record.into(),
        identity,
    }))
}

fn read_session(session: &Field<'_>, outside: Option<u32>) -> Result<LegacySessionV1, MovingError> {
    let ratchet = session.get("currentRatchet")?;
    let pair = ratchet.get("ephemeralKeyPair")?;
    let index = session.get("indexInfo")?;
    let role = index.get("baseKeyType")?;
    let base_key_role = LegacySessionBaseKeyRoleV1::try_from(role.number::<u32>()?)
        .map_err(|error| role.error(error))?;
    let closed = index.get("closed")?;
    let disposition = LegacySessionDispositionV1::from_closed_timestamp(closed.integer()?)
        .map_err(|error| closed.error(error))?;
    let registration_id = match session.find("registrationId")? {
        Some(id) => id.number()?,
        None => outside.ok_or_else(|| session.error("has no registrationId"))?,
    };
    let mut chains = Vec::new();
    for (key, chain) in session.get("_chains")?.members()? {
        chains.push(read_chain(key, &chain)?);
    }
    let time = |name: &str| -> Result<u64, MovingError> {
        let time = index.find(name)?.map(|time| time.integer()).transpose()?;
        Ok(time.and_then(|time| time.try_into().ok()).unwrap_or(0))
    };
    Ok(LegacySessionV1 {
        registration_id,
        ratchet: LegacySessionRatchetV1 {
            key_pair: LegacySessionKeyPairV1 {
                public: pair.get("pubKey")?.bytes()?.into(),
                private: pair.get("privKey")?.bytes()?.into(),
            },
            last_remote_ephemeral_key: ratchet.get("lastRemoteEphemeralKey")?.bytes()?.into(),
            previous_counter: ratchet.get("previousCounter")?.integer()?,
            root_key: ratchet.get("rootKey")?.bytes()?.into(),
        },
        index: LegacySessionIndexV1 {
            base_key: index.get("baseKey")?.bytes()?.into(),
            base_key_role,
            disposition,
            used_at_ms: time("used")?,
            created_at_ms: time("created")?,
            remote_identity_key: index.get("remoteIdentityKey")?.bytes()?.into(),
        },
        chains,
        pending_pre_key: session
            .find("pendingPreKey")?
            .map(|pending| read_pending(&pending))
            .transpose()?,
    })
}

fn read_pending(pending: &Field<'_>) -> Result<LegacySessionPendingPreKeyV1, MovingError> {
    let id = pending.find("preKeyId")?;
    Ok(LegacySessionPendingPreKeyV1 {
        pre_key_id: id.map(|id| id.number()).transpose()?,
        signed_pre_key_id: pending.get("signedKeyId")?.number()?,
        base_key: pending.get("baseKey")?.bytes()?.into(),
    })
}

fn read_chain(key: &str, chain: &Field<'_>) -> Result<LegacySessionChainV1, MovingError> {
    let ratchet_key = STANDARD.decode(key);
    let ratchet_key = ratchet_key.map_err(|_| chain.error("its name must be base64"))?;
    let role = chain.get("chainType")?;
    let chain_key = chain.get("chainKey")?;
    let counter = chain_key.get("counter")?;
    let mut message_keys = Vec::new();
    for (at, seed) in chain.get("messageKeys")?.members()? {
        let index = at.parse();
        message_keys.push(LegacySessionMessageKeyV1 {
            index: index.map_err(|_| seed.error("its name must be a number"))?,
            seed: seed.bytes()?.into(),
        });
    }
    let key = chain_key.find("key")?;
    Ok(LegacySessionChainV1 {
        ratchet_key: ratchet_key.into(),
        role: LegacySessionChainRoleV1::try_from(role.number::<u32>()?)
            .map_err(|error| role.error(error))?,
        chain_key: LegacySessionChainKeyV1 {
            counter: LegacySessionChainCounterV1::new(counter.integer()?)
                .map_err(|error| counter.error(error))?,
            key: key.map(|key| key.bytes()).transpose()?.map(Bytes::from),
        },
        message_keys,
    })
}

/// The JSON of a record of ours. `now` is Unix time in milliseconds.
pub(super) fn write(record: SessionRecord, now: i64) -> Result<Value, String> {
    let record = record.into_legacy_session_v1_operational();
    let record = record.map_err(|error| error.to_string())?;
    let mut sessions = Map::new();
    for LegacyIndexedSessionV1 { index_key, session } in record.into_indexed_sessions() {
        sessions.insert(STANDARD.encode(index_key), write_session(&session, now));
    }
    Ok(json!({ "_sessions": sessions, "version": "v1" }))
}

fn write_session(session: &LegacySessionV1, now: i64) -> Value {
    let encode = |bytes: &[u8]| STANDARD.encode(bytes);
    let chains: Map<String, Value> = session
        .chains
        .iter()
        .map(|chain| {
            let keys: Map<String, Value> = chain
                .message_keys
                .iter()
                .map(|key| (key.index.to_string(), json!(encode(&key.seed))))
                .collect();
            let mut chain_key = json!({ "counter": chain.chain_key.counter.value() });
            if let Some(key) = &chain.chain_key.key {
                chain_key["key"] = json!(encode(key));
            }
            let role = match chain.role {
                LegacySessionChainRoleV1::Sending => 1,
                LegacySessionChainRoleV1::Receiving => 2,
            };
            let chain_of = json!({
                "chainKey": chain_key,
                "chainType": role,
                "messageKeys": keys,
            });
            (encode(&chain.ratchet_key), chain_of)
        })
        .collect();
    let index = &session.index;
    // The rank tells which is older; as times they must lie in the past, in that order.
    let at = |rank: i64| now - 1_000 + rank.clamp(0, 999);
    let closed = match index.disposition {
        LegacySessionDispositionV1::Current => -1,
        LegacySessionDispositionV1::Archived { closed_at_ms } => at(closed_at_ms),
    };
    let used = at(i64::try_from(index.used_at_ms).unwrap_or(0));
    let base_key_type = match index.base_key_role {
        LegacySessionBaseKeyRoleV1::Local => 1,
        LegacySessionBaseKeyRoleV1::Remote => 2,
    };
    let ratchet = &session.ratchet;
    let mut written = json!({
        "registrationId": session.registration_id,
        "currentRatchet": {
            "ephemeralKeyPair": {
                "pubKey": encode(&ratchet.key_pair.public),
                "privKey": encode(&ratchet.key_pair.private),
            },
            "lastRemoteEphemeralKey": encode(&ratchet.last_remote_ephemeral_key),
            "previousCounter": ratchet.previous_counter,
            "rootKey": encode(&ratchet.root_key),
        },
        "indexInfo": {
            "baseKey": encode(&index.base_key),
            "baseKeyType": base_key_type,
            "closed": closed,
            "used": used,
            "created": used,
            "remoteIdentityKey": encode(&index.remote_identity_key),
        },
        "_chains": chains,
    });
    if let Some(pending) = &session.pending_pre_key {
        let mut entry = json!({
            "signedKeyId": pending.signed_pre_key_id,
            "baseKey": encode(&pending.base_key),
        });
        if let Some(id) = pending.pre_key_id {
            entry["preKeyId"] = json!(id);
        }
        written["pendingPreKey"] = entry;
    }
    written
}
