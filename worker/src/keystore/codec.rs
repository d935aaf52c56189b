//! The records that have fields of their own, as compact bytes.
//!
//! Every record begins with the version of its form. Numbers are big-endian, texts and byte
//! strings carry their length in four bytes. What `apply.lua` reads as well says so here.

use std::collections::HashMap;

use wacore::appstate::hash::HashState;
use wacore::store::traits::{
    AppStateSyncKey, DeviceInfo, DeviceListRecord, LidPnMappingEntry, TcTokenEntry,
};

use super::KeystoreError;

const VERSION: u8 = 1;

/// Writes one record.
struct Writer(Vec<u8>);

impl Writer {
    fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity + 1);
        bytes.push(VERSION);
        Self(bytes)
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }

    fn u32(self, value: u32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    fn i64(self, value: i64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// Redis holds no value over 512 MB, so a length always fits; one that did not would make a
    /// record that is refused when read.
    fn bytes(self, bytes: &[u8]) -> Self {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX))
            .raw(bytes)
    }

    fn optional(self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            Some(bytes) => self.u8(1).bytes(bytes),
            None => self.u8(0),
        }
    }
}

/// Reads one record back, and refuses what is short, long or of another version.
struct Reader<'a> {
    rest: &'a [u8],
    record: &'static str,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], record: &'static str) -> Result<Self, KeystoreError> {
        let mut reader = Self {
            rest: bytes,
            record,
        };
        match reader.u8()? {
            VERSION => Ok(reader),
            _ => Err(reader.corrupt()),
        }
    }

    fn corrupt(&self) -> KeystoreError {
        KeystoreError::corrupt(self.record)
    }

    fn raw(&mut self, length: usize) -> Result<&'a [u8], KeystoreError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| self.corrupt())?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], KeystoreError> {
        self.raw(N)?.try_into().map_err(|_| self.corrupt())
    }

    fn u8(&mut self) -> Result<u8, KeystoreError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, KeystoreError> {
        self.array().map(u32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, KeystoreError> {
        self.array().map(i64::from_be_bytes)
    }

    fn bytes(&mut self) -> Result<&'a [u8], KeystoreError> {
        let length = self.u32()? as usize;
        self.raw(length)
    }

    fn text(&mut self) -> Result<String, KeystoreError> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes.to_vec()).map_err(|_| self.corrupt())
    }

    fn optional(&mut self) -> Result<Option<&'a [u8]>, KeystoreError> {
        match self.u8()? {
            0 => Ok(None),
            1 => self.bytes().map(Some),
            _ => Err(self.corrupt()),
        }
    }

    fn end(self) -> Result<(), KeystoreError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.corrupt())
        }
    }
}

pub(super) fn encode_sync_key(key: &AppStateSyncKey) -> Vec<u8> {
    let AppStateSyncKey {
        key_data,
        fingerprint,
        timestamp,
    } = key;
    Writer::new(16 + key_data.len() + fingerprint.len())
        .i64(*timestamp)
        .bytes(key_data)
        .bytes(fingerprint)
        .0
}

pub(super) fn decode_sync_key(bytes: &[u8]) -> Result<AppStateSyncKey, KeystoreError> {
    let mut reader = Reader::new(bytes, "app state sync key")?;
    let timestamp = reader.i64()?;
    let key_data = reader.bytes()?.to_vec();
    let fingerprint = reader.bytes()?.to_vec();
    reader.end()?;
    Ok(AppStateSyncKey {
        key_data,
        fingerprint,
        timestamp,
    })
}

pub(super) fn encode_hash_state(state: &HashState) -> Vec<u8> {
    let HashState {
        version,
        hash,
        index_value_map,
        mac_mismatch_fatal,
    } = state;
    let count = u32::try_from(index_value_map.len()).unwrap_or(u32::MAX);
    let mut writer = Writer::new(141 + index_value_map.len() * 96)
        .raw(&version.to_be_bytes())
        .raw(hash)
        .u8(u8::from(*mac_mismatch_fatal))
        .u32(count);
    for (index, value) in index_value_map {
        writer = writer.bytes(index.as_bytes()).bytes(value);
    }
    writer.0
}

pub(super) fn decode_hash_state(bytes: &[u8]) -> Result<HashState, KeystoreError> {
    let mut reader = Reader::new(bytes, "app state version")?;
    let version = reader.array().map(u64::from_be_bytes)?;
    let hash = reader.array()?;
    let mac_mismatch_fatal = reader.u8()? != 0;
    let count = reader.u32()?;
    let mut index_value_map = HashMap::new();
    for _ in 0..count {
        let index = reader.text()?;
        index_value_map.insert(index, reader.bytes()?.to_vec());
    }
    reader.end()?;
    Ok(HashState {
        version,
        hash,
        index_value_map,
        mac_mismatch_fatal,
    })
}

/// `apply.lua` reads the phone number of this record, `>BI4c0`.
pub(super) fn encode_lid(entry: &LidPnMappingEntry) -> Vec<u8> {
    let LidPnMappingEntry {
        lid,
        phone_number,
        created_at,
        updated_at,
        learning_source,
    } = entry;
    Writer::new(28 + phone_number.len() + lid.len() + learning_source.len())
        .bytes(phone_number.as_bytes())
        .bytes(lid.as_bytes())
        .i64(*created_at)
        .i64(*updated_at)
        .bytes(learning_source.as_bytes())
        .0
}

pub(super) fn decode_lid(bytes: &[u8]) -> Result<LidPnMappingEntry, KeystoreError> {
    let mut reader = Reader::new(bytes, "LID mapping")?;
    let phone_number = reader.text()?;
    let lid = reader.text()?;
    let created_at = reader.i64()?;
    let updated_at = reader.i64()?;
    let learning_source = reader.text()?;
    reader.end()?;
    Ok(LidPnMappingEntry {
        lid,
        phone_number,
        created_at,
        updated_at,
        learning_source,
    })
}

const HAS_KEY_INDEX: u8 = 1;
const IS_HOSTED: u8 = 2;

pub(super) fn encode_device_list(list: &DeviceListRecord) -> Vec<u8> {
    let DeviceListRecord {
        user,
        devices,
        timestamp,
        phash,
        raw_id,
    } = list;
    let count = u32::try_from(devices.len()).unwrap_or(u32::MAX);
    let mut writer = Writer::new(48 + user.len() + devices.len() * 9)
        .bytes(user.as_bytes())
        .i64(*timestamp)
        .optional(phash.as_deref().map(str::as_bytes))
        .optional(raw_id.map(u32::to_be_bytes).as_ref().map(|id| &id[..]))
        .u32(count);
    for device in devices {
        let DeviceInfo {
            device_id,
            key_index,
            is_hosted,
        } = device;
        let hosted = if *is_hosted { IS_HOSTED } else { 0 };
        let indexed = key_index.map_or(0, |_| HAS_KEY_INDEX);
        writer = writer
            .u32(*device_id)
            .u8(hosted | indexed)
            .u32(key_index.unwrap_or(0));
    }
    writer.0
}

pub(super) fn decode_device_list(bytes: &[u8]) -> Result<DeviceListRecord, KeystoreError> {
    let mut reader = Reader::new(bytes, "device list")?;
    let user = reader.text()?;
    let timestamp = reader.i64()?;
    let phash = match reader.optional()? {
        Some(text) => Some(String::from_utf8(text.to_vec()).map_err(|_| reader.corrupt())?),
        None => None,
    };
    let raw_id = match reader.optional()? {
        Some(id) => {
            let id = id.try_into().map_err(|_| reader.corrupt())?;
            Some(u32::from_be_bytes(id))
        }
        None => None,
    };
    let count = reader.u32()?;
    let mut devices = Vec::new();
    for _ in 0..count {
        let device_id = reader.u32()?;
        let flags = reader.u8()?;
        let key_index = reader.u32()?;
        devices.push(DeviceInfo {
            device_id,
            key_index: (flags & HAS_KEY_INDEX != 0).then_some(key_index),
            is_hosted: flags & IS_HOSTED != 0,
        });
    }
    reader.end()?;
    Ok(DeviceListRecord {
        user,
        devices,
        timestamp,
        phash,
        raw_id,
    })
}

/// `apply.lua` writes this record, `>i8Bi8` and the sealed token; it has no version of its own.
pub(super) fn decode_tc_token(bytes: &[u8]) -> Result<TcTokenEntry, KeystoreError> {
    let mut reader = Reader {
        rest: bytes,
        record: "trusted contact token",
    };
    let token_timestamp = reader.i64()?;
    let has_sender = reader.u8()? != 0;
    let sender = reader.i64()?;
    Ok(TcTokenEntry {
        token: reader.rest.to_vec(),
        token_timestamp,
        sender_timestamp: has_sender.then_some(sender),
    })
}

/// `apply.lua` writes this record, `>i8` (time of the message) and the sealed secret.
pub(super) fn decode_secret(bytes: &[u8]) -> Result<(Vec<u8>, i64), KeystoreError> {
    let mut reader = Reader {
        rest: bytes,
        record: "message secret",
    };
    let time = reader.i64()?;
    Ok((reader.rest.to_vec(), time))
}

/// A pre-key with the mark whether WhatsApp has it.
pub(super) fn encode_prekey(record: &[u8], uploaded: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(record.len() + 1);
    bytes.push(u8::from(uploaded));
    bytes.extend_from_slice(record);
    bytes
}

/// The record of a stored pre-key.
pub(super) fn decode_prekey(bytes: Vec<u8>) -> Result<bytes::Bytes, KeystoreError> {
    if bytes.is_empty() {
        return Err(KeystoreError::corrupt("pre-key"));
    }
    Ok(bytes::Bytes::from(bytes).slice(1..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_a_long_and_a_newer_record_are_refused() {
        let list = DeviceListRecord {
            user: "1".to_owned(),
            devices: vec![DeviceInfo::new(3, Some(9)).with_hosting(true)],
            timestamp: -5,
            phash: Some("2:x".to_owned()),
            raw_id: Some(77),
        };
        let bytes = encode_device_list(&list);
        let read = decode_device_list(&bytes).expect("reads what it wrote");
        assert_eq!(format!("{read:?}"), format!("{list:?}"));
        for length in 0..bytes.len() {
            assert!(decode_device_list(&bytes[..length]).is_err());
        }
        assert!(decode_device_list(&[&bytes[..], &[0]].concat()).is_err());
        let mut newer = bytes;
        newer[0] = 2;
        assert!(decode_device_list(&newer).is_err());
    }
}
