//! Stores that are damaged, and stores that somebody made to do damage.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::files::Files;
use super::sample::{NOW, account, comparable};
use super::{ImportedAccount, MovingError, baileys, whatsapp_rust, whatsmeow};

fn folder() -> Files {
    let (files, left_out) = baileys::write(&account(), NOW * 1_000).unwrap();
    // The secrets of messages have no place there.
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    files
}

fn write(store: &str, account: &ImportedAccount, path: &std::path::Path) {
    let left_out = match store {
        "whatsmeow" => whatsmeow::write(account, path),
        _ => whatsapp_rust::write(account, path, NOW),
    };
    assert_eq!(left_out.unwrap(), []);
}

fn read(store: &str, path: &std::path::Path) -> Result<Vec<ImportedAccount>, MovingError> {
    match store {
        "whatsmeow" => whatsmeow::devices(path)?
            .iter()
            .map(|jid| whatsmeow::read(path, jid, NOW))
            .collect(),
        _ => whatsapp_rust::devices(path)?
            .into_iter()
            .map(|id| whatsapp_rust::read(path, id))
            .collect(),
    }
}

#[test]
fn what_is_written_is_read_as_the_same() {
    let account = account();
    let expected = comparable(&account);
    let (files, _) = baileys::write(&account, NOW * 1_000).unwrap();
    let back = baileys::read(&files, NOW).unwrap();
    assert_eq!(comparable(&back), expected);
    assert_eq!(back.sender_key_devices, account.sender_key_devices);
    let folder = tempfile::tempdir().unwrap();
    for store in ["whatsmeow", "whatsapp-rust"] {
        let path = folder.path().join(store);
        write(store, &account, &path);
        let back = read(store, &path).unwrap();
        assert_eq!(back.len(), 1);
        assert_eq!(comparable(&back[0]), expected, "{store}");
        assert_eq!(back[0].secrets.len(), 1, "{store}");
        assert_eq!(back[0].summary().groups, 1, "{store}");
    }
}

#[test]
fn a_missing_or_empty_file_is_named() {
    let mut files = folder();
    for (name, content, expected) in [
        ("creds.json", "", "creds.json: the file: is cut off"),
        ("creds.json", "{}", "creds.json: the file: has no `me`"),
        (
            "creds.json",
            "[]",
            "creds.json: the file: must be an object",
        ),
        (
            "session-x.json",
            "{}",
            "session-x.json: no record of Baileys",
        ),
        (
            "pre-key-99999999.json",
            "{}",
            "pre-key-99999999.json: no record",
        ),
        (
            "pre-key-9.json",
            "{}",
            "pre-key-9.json: private: is missing",
        ),
        (
            "pre-key-9.json",
            "nonsense",
            "pre-key-9.json: the file: is no JSON",
        ),
    ] {
        let before = files.insert(name.to_owned(), content.into());
        let error = baileys::read(&files, NOW).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        files.remove(name);
        before.map(|before| files.insert(name.to_owned(), before));
    }
    files.remove("creds.json");
    let error = baileys::read(&files, NOW).unwrap_err().to_string();
    assert!(error.starts_with("creds.json: is missing"), "{error}");
}

/// The places of all values in a JSON.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate().take(3) {
                places(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Every value of every file is replaced by one of every other kind: what is refused is refused with
/// the name of its file, and nothing panics.
#[test]
fn every_value_of_a_wrong_type_is_told_by_its_file() {
    let files = folder();
    let wrong = [
        json!(null),
        json!(-1.5),
        json!("%%%"),
        json!({ "type": "Buffer", "data": "AAAA" }),
    ];
    let (mut tried, mut refused) = (0, 0);
    let creds = &files["creds.json"];
    for (name, bytes) in &files {
        let whole: Value = serde_json::from_slice(bytes).unwrap();
        let mut at = Vec::new();
        places(&whole, "", &mut at);
        for place in at {
            for value in &wrong {
                let mut changed = whole.clone();
                if let Some(target) = changed.pointer_mut(&place) {
                    *target = value.clone();
                }
                let mut files = Files::from([("creds.json".to_owned(), creds.clone())]);
                files.insert(name.clone(), changed.to_string().into_bytes());
                tried += 1;
                if let Err(error) = baileys::read(&files, NOW) {
                    refused += 1;
                    let error = error.to_string();
                    assert!(error.starts_with(name.as_str()), "{name} {place}: {error}");
                }
            }
        }
    }
    assert!(refused * 2 > tried, "{refused} of {tried}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Bytes are changed, lost and added anywhere: an answer or an error, and no panic.
    #[test]
    fn a_damaged_folder_never_panics(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        truncate in any::<bool>(),
    ) {
        thread_local! { static FILES: Files = folder(); }
        let mut files = FILES.with(Clone::clone);
        let name = files.keys().nth(which.index(files.len())).unwrap().clone();
        let bytes = files.get_mut(&name).unwrap();
        if truncate {
            bytes.truncate(cut.index(bytes.len()));
        }
        for (at, value) in flips {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
        }
        let _ = baileys::read(&files, NOW);
    }

    /// The same for names.
    #[test]
    fn no_name_panics(name in "(creds|pre-key-|session-|sender-key-|tctoken-|lid-mapping-|app-state-sync-key-|app-state-sync-version-|identity-key-)[ -~]{0,40}(\\.json)?") {
        thread_local! { static FILES: Files = folder(); }
        let mut files: BTreeMap<_, _> = FILES.with(Clone::clone);
        files.insert(name, b"{}".to_vec());
        let _ = baileys::read(&files, NOW);
    }
}

/// Databases that are cut anywhere, or have bytes changed: an answer or an error, and no panic.
#[test]
fn a_damaged_database_is_refused_or_read() {
    let folder = tempfile::tempdir().unwrap();
    for store in ["whatsmeow", "whatsapp-rust"] {
        let path = folder.path().join(store);
        write(store, &account(), &path);
        let whole = std::fs::read(&path).unwrap();
        let damaged = folder.path().join("damaged");
        let mut seed = 1_u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(seed >> 33).unwrap() % below
        };
        let mut refused = 0;
        for round in 0..200 {
            let mut bytes = whole.clone();
            if round % 2 == 0 {
                bytes.truncate(next(whole.len()));
            } else {
                for _ in 0..=round {
                    let at = next(bytes.len());
                    bytes[at] = next(256).to_le_bytes()[0];
                }
            }
            std::fs::write(&damaged, bytes).unwrap();
            refused += usize::from(read(store, &damaged).is_err());
        }
        assert!(refused > 90, "{store}: {refused}");
    }
}

#[test]
fn columns_of_a_wrong_type_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (store, change, expected) in [
        (
            "whatsmeow",
            "UPDATE whatsmeow_device SET noise_key = x'00'",
            "whatsmeow_device.noise_key: must be 32 bytes and is 1",
        ),
        (
            "whatsmeow",
            "UPDATE whatsmeow_sessions SET their_id = '../../x' WHERE their_id LIKE '155%'",
            "whatsmeow_sessions.their_id: is no Signal address",
        ),
        (
            "whatsmeow",
            "UPDATE whatsmeow_app_state_version SET version = 'new'",
            "whatsmeow_app_state_version.version: must be a whole number",
        ),
        (
            "whatsmeow",
            "DROP TABLE whatsmeow_sender_keys",
            "whatsmeow_sender_keys: there is no such table",
        ),
        (
            "whatsapp-rust",
            "UPDATE sessions SET record = x'ffff'",
            "sessions.record: ",
        ),
        (
            "whatsapp-rust",
            "UPDATE device SET identity_key = zeroblob(64)",
            "device.identity_key: holds keys that do not belong together",
        ),
        (
            "whatsapp-rust",
            "ALTER TABLE device DROP COLUMN pn",
            "device.pn: there is no such column",
        ),
        (
            "whatsapp-rust",
            "DROP TABLE device; CREATE VIEW device AS SELECT 1 AS id, '1' AS pn",
            "device: is no table",
        ),
    ] {
        let path = folder.path().join("store");
        let _ = std::fs::remove_file(&path);
        write(store, &account(), &path);
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch(change).unwrap();
        drop(connection);
        let error = read(store, &path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let none = folder.path().join("none");
    read("whatsmeow", &none).unwrap_err();
    assert!(!none.exists(), "nothing is made by reading");
}
