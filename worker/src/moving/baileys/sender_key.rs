//! Sender keys: JSON in a buffer in JSON, the oldest state first.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use wacore::libsignal::protocol::{
    SenderChainKeyComponents, SenderKeyRecord, SenderKeyRecordComponents, SenderKeyStateComponents,
    SenderMessageKeyComponents, SenderSigningKeyComponents,
};

use super::field::Field;
use crate::moving::MovingError;

/// Reads a record; nothing where it is empty.
pub(super) fn read(file: &str, root: &Field<'_>) -> Result<Option<Bytes>, MovingError> {
    let inner = root.bytes()?;
    let inner: Value = serde_json::from_slice(&inner)
        .map_err(|error| root.error(format!("what is in it is no JSON: {error}")))?;
    let inner = Field::root(file, &inner);
    let mut states = Vec::new();
    for state in inner.items()? {
        states.push(read_state(&state)?);
    }
    // Here the newest is the last, there the first.
    states.reverse();
    if states.is_empty() {
        return Ok(None);
    }
    let record = SenderKeyRecord::from_components(SenderKeyRecordComponents { states })
        .map_err(|error| inner.error(error))?;
    let record = record.serialize().map_err(|error| inner.error(error))?;
    Ok(Some(record.into()))
}

fn read_state(state: &Field<'_>) -> Result<SenderKeyStateComponents, MovingError> {
    let chain = state.get("senderChainKey")?;
    let signing = state.get("senderSigningKey")?;
    let private = match signing.find("private")? {
        Some(private) => Some(private.bytes()?).filter(|private| !private.is_empty()),
        None => None,
    };
    let mut message_keys = Vec::new();
    if let Some(keys) = state.find("senderMessageKeys")? {
        for key in keys.items()? {
            message_keys.push(SenderMessageKeyComponents {
                iteration: key.get("iteration")?.number()?,
                seed: key.get("seed")?.bytes()?,
            });
        }
    }
    let public = signing.get("public")?;
    public.public_key()?;
    Ok(SenderKeyStateComponents {
        key_id: state.get("senderKeyId")?.number()?,
        chain_key: SenderChainKeyComponents {
            iteration: chain.get("iteration")?.number()?,
            seed: chain.get("seed")?.bytes()?,
        },
        signing_key: SenderSigningKeyComponents {
            public: public.bytes()?,
            private,
        },
        message_keys,
    })
}

/// The JSON of a record of ours.
pub(super) fn write(record: SenderKeyRecord) -> Result<Value, String> {
    let components = record
        .into_components()
        .map_err(|error| error.to_string())?;
    let states: Vec<Value> = components
        .states
        .into_iter()
        .rev()
        .map(|state| {
            let keys: Vec<Value> = state
                .message_keys
                .iter()
                .map(|key| json!({ "iteration": key.iteration, "seed": buffer(&key.seed) }))
                .collect();
            json!({
                "senderKeyId": state.key_id,
                "senderChainKey": {
                    "iteration": state.chain_key.iteration,
                    "seed": buffer(&state.chain_key.seed),
                },
                "senderSigningKey": {
                    "public": buffer(&state.signing_key.public),
                    "private": buffer(state.signing_key.private.as_deref().unwrap_or_default()),
                },
                "senderMessageKeys": keys,
            })
        })
        .collect();
    Ok(buffer(Value::Array(states).to_string().as_bytes()))
}

/// Bytes as Baileys writes them.
pub(super) fn buffer(bytes: &[u8]) -> Value {
    json!({ "type": "Buffer", "data": STANDARD.encode(bytes) })
}
