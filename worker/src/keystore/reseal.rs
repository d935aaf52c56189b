//! Bringing what is stored up to the present keys: rows that an earlier version left in clear, and
//! data keys that a former key of the configuration sealed.
//!
//! Nothing here needs to own the session. Each change says what it replaces and is refused when that
//! is no longer there, so it never undoes what the session's owner writes at the same time.

use std::collections::HashMap;
use std::sync::LazyLock;

use futures_util::future::try_join_all;
use gateway_shared::domain::SessionId;
use gateway_shared::redis::keys::{KeyFamily, key};
use gateway_shared::redis::{LuaScript, Store, script};
use gateway_shared::secrets::{DataKey, KeyId, Keyring};
use redis::Value;

use super::sealing::{DEVICE, SEALED, data_key_context, row_context};
use super::write::{COSTLY_ROWS, Reply};
use super::{KeystoreError, keys};

static SEAL: LazyLock<LuaScript> = LazyLock::new(|| LuaScript::bare(include_str!("seal.lua")));

/// Sessions of which the state is held at a time.
const AT_ONCE: usize = 500;
/// Looks under way at a time.
const LOOKS: usize = 32;

/// What was changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Data keys that the active key of the configuration seals now.
    pub data_keys: u64,
    /// Sessions none of whose rows lie in clear any more.
    pub sessions: u64,
}

/// How many data keys each key of the configuration seals.
///
/// # Errors
/// When Redis does not answer.
pub async fn count_keys(
    store: &Store,
    sessions: &[SessionId],
) -> Result<HashMap<KeyId, u64>, KeystoreError> {
    let mut counts = HashMap::new();
    for chunk in sessions.chunks(AT_ONCE) {
        for (sealed, _) in look(store, chunk).await? {
            if let Some(id) = sealed.as_deref().and_then(Keyring::key_of) {
                *counts.entry(id).or_insert(0) += 1;
            }
        }
    }
    Ok(counts)
}

/// Looks at all of these sessions and reseals what is not as it should be.
///
/// # Errors
/// When Redis does not answer; what was done stays done. A session whose data key can not be opened
/// is logged and left.
pub async fn reseal_all(
    store: &Store,
    keyring: &Keyring,
    sessions: &[SessionId],
) -> Result<Resealed, KeystoreError> {
    let mut done = Resealed::default();
    for chunk in sessions.chunks(AT_ONCE) {
        let looked = look(store, chunk).await?;
        for (session, (sealed, clean)) in chunk.iter().zip(looked) {
            // Without a data key nobody has claimed the session since keys are encrypted; its next
            // owner makes one.
            let Some(sealed) = sealed else { continue };
            if let Err(error) = reseal(store, keyring, session, &sealed, clean, &mut done).await {
                if let KeystoreError::Redis(_) = error {
                    return Err(error);
                }
                tracing::error!(%session, %error, "a session's keys could not be sealed anew");
            }
        }
    }
    Ok(done)
}

/// The data key of each session as it is stored, and whether all of its rows are sealed.
async fn look(
    store: &Store,
    sessions: &[SessionId],
) -> Result<Vec<(Option<Vec<u8>>, bool)>, KeystoreError> {
    let mut found = Vec::with_capacity(sessions.len());
    for some in sessions.chunks(LOOKS) {
        // One by one, since each lies in a slot of its own.
        let looks: Vec<_> = some.iter().map(|session| look_at(store, session)).collect();
        found.extend(try_join_all(looks).await?);
    }
    Ok(found)
}

async fn look_at(
    store: &Store,
    session: &SessionId,
) -> Result<(Option<Vec<u8>>, bool), KeystoreError> {
    let root = store.keys.keystore(session);
    let mut read = redis::cmd("HMGET");
    read.arg(key(keys::KEYSTORE, &root, keys::FENCE.name, &[]))
        .arg(&["key", "sealed"]);
    let (data_key, sealed): (Option<Vec<u8>>, Option<String>) =
        read.query_async(&mut store.connection.clone()).await?;
    Ok((data_key, sealed.as_deref() == Some("1")))
}

async fn reseal(
    store: &Store,
    keyring: &Keyring,
    session: &SessionId,
    stored: &[u8],
    clean: bool,
    done: &mut Resealed,
) -> Result<(), KeystoreError> {
    let mut stored = stored.to_vec();
    if keyring.needs_reseal(&stored) {
        let Some(new) = rewrap(store, keyring, session, &stored).await? else {
            return Ok(());
        };
        stored = new;
        done.data_keys += 1;
    }
    if !clean && seal_rows(store, keyring, session, &stored).await? {
        tracing::info!(%session, "the session's keys are encrypted now");
        done.sessions += 1;
    }
    Ok(())
}

/// Seals a data key by the active key; its new form, or nothing when it was replaced meanwhile.
pub(super) async fn rewrap(
    store: &Store,
    keyring: &Keyring,
    session: &SessionId,
    stored: &[u8],
) -> Result<Option<Vec<u8>>, KeystoreError> {
    let context = data_key_context(session);
    let plain = keyring
        .open(&context, stored)
        .map_err(|source| KeystoreError::Sealed {
            record: "data key",
            source,
        })?;
    let new = keyring.seal(&context, &plain)?;
    let root = store.keys.keystore(session);
    let fence = key(keys::KEYSTORE, &root, keys::FENCE.name, &[]);
    let mut call = SEAL.on(&fence);
    call.key(&fence).key(script::guard(&root));
    call.arg(stored).arg("");
    call.arg("key").arg(stored).arg(&new);
    let reply: Vec<Value> = script::run_durably(&store.connection, &call).await?;
    Ok((applied(reply)? == Some(1)).then_some(new))
}

/// Seals what lies in clear; false when the data key was replaced meanwhile.
async fn seal_rows(
    store: &Store,
    keyring: &Keyring,
    session: &SessionId,
    stored: &[u8],
) -> Result<bool, KeystoreError> {
    let opened = DataKey::open(keyring, &data_key_context(session), stored);
    let data_key = opened.map_err(|source| KeystoreError::Sealed {
        record: "data key",
        source,
    })?;
    let root = store.keys.keystore(session);
    let fence = key(keys::KEYSTORE, &root, keys::FENCE.name, &[]);
    let mut connection = store.connection.clone();
    for (family, clear) in SEALED {
        let place = key(keys::KEYSTORE, &root, family.name, &[]);
        let mut cursor = 0;
        loop {
            let (next, rows): (u64, Vec<Row>) = redis::cmd("HSCAN")
                .arg(&place)
                .arg(cursor)
                .arg("COUNT")
                .arg(COSTLY_ROWS)
                .query_async(&mut connection)
                .await?;
            let rows = rows
                .iter()
                .filter_map(|(field, row)| sealed_row(&data_key, *family, *clear, field, row))
                .collect::<Result<Vec<_>, _>>()?;
            for rows in rows.chunks(COSTLY_ROWS) {
                let mut call = SEAL.on(&fence);
                call.key(&place).key(script::guard(&root));
                call.arg(stored).arg("");
                for (field, old, new) in rows {
                    call.arg(*field).arg(*old).arg(new);
                }
                let reply: Vec<Value> = script::run_durably(&store.connection, &call).await?;
                if applied(reply)?.is_none() {
                    return Ok(false);
                }
            }
            if next == 0 {
                break;
            }
            cursor = next;
        }
    }
    let mut call = SEAL.on(&fence);
    call.key(&fence).key(script::guard(&root));
    call.arg(stored).arg("1");
    let reply: Vec<Value> = script::run_durably(&store.connection, &call).await?;
    Ok(applied(reply)?.is_some())
}

/// A field and its value.
type Row = (Vec<u8>, Vec<u8>);

/// A field, its value, and what replaces it.
type Change<'a> = (&'a [u8], &'a [u8], Vec<u8>);

/// What replaces a row that lies in clear.
fn sealed_row<'a>(
    data_key: &DataKey,
    family: KeyFamily,
    clear: usize,
    field: &'a [u8],
    row: &'a [u8],
) -> Option<Result<Change<'a>, KeystoreError>> {
    if family.name == keys::META.name && field != DEVICE {
        return None;
    }
    let (head, record) = row.split_at_checked(clear)?;
    // A contact without a token has an empty one, which scripts tell from others.
    let nothing = record.is_empty() && family.name == keys::TC_TOKEN.name;
    if nothing || DataKey::is_sealed(record) {
        return None;
    }
    let sealed = data_key.seal(row_context(family, field), record);
    Some(match sealed {
        Ok(sealed) => Ok((field, row, [head, &sealed].concat())),
        Err(error) => Err(error.into()),
    })
}

/// How many changes were made; nothing when the data key was replaced.
fn applied(reply: Vec<Value>) -> Result<Option<u64>, KeystoreError> {
    let mut reply = Reply::new(reply);
    let outcome: String = reply.next()?;
    match outcome.as_str() {
        "APPLIED" => reply.next().map(Some),
        "REPLACED" => Ok(None),
        _ => Err(KeystoreError::corrupt("reply of a script")),
    }
}
