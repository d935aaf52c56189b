//! The device itself: its keys, its account and its counters.

use std::sync::Arc;

use async_trait::async_trait;
use wacore::stats::StorageResourceReport;
use wacore::store::Device;
use wacore::store::device::DEVICE_PROPS;
use wacore::store::error::Result;
use wacore::store::traits::DeviceStore;

use super::sealing::DEVICE;
use super::{KeystoreError, RedisKeystore, keys};

/// The field of `meta` that counts the device ids handed out.
const DEVICE_IDS: &[u8] = b"device_ids";

fn unreadable(source: serde_json::Error) -> KeystoreError {
    KeystoreError::Corrupt {
        record: "device",
        source: Some(Arc::new(source)),
    }
}

/// JSON, since the library gives its own serde form defaults for fields that come later.
fn encode(device: &Device) -> std::result::Result<Vec<u8>, KeystoreError> {
    serde_json::to_vec(device).map_err(unreadable)
}

fn decode(bytes: &[u8]) -> std::result::Result<Device, KeystoreError> {
    let mut device: Device = serde_json::from_slice(bytes).map_err(unreadable)?;
    // Not part of the stored form: what a device says of itself when pairing is the library's
    // choice, or set by its builder at every start. Without this it would be empty.
    device.device_props = Arc::new(DEVICE_PROPS.clone());
    Ok(device)
}

#[async_trait]
impl DeviceStore for RedisKeystore {
    async fn save(&self, device: &Device) -> Result<()> {
        let record = encode(device)?;
        Ok(self.set_sealed(keys::META, DEVICE, &record).await?)
    }

    async fn load(&self) -> Result<Option<Device>> {
        let stored = self.sealed_field(keys::META, DEVICE).await?;
        Ok(stored.as_deref().map(decode).transpose()?)
    }

    async fn exists(&self) -> Result<bool> {
        Ok(self.has_field(keys::META, DEVICE).await?)
    }

    /// A new device's keys are made here and stored in the step that tells its id; one that is
    /// there already stays.
    async fn create(&self) -> Result<i32> {
        let device = self.seal(keys::META, DEVICE, &encode(&Device::new())?)?;
        let mut replies = self
            .write()
            .op("HINCRBY", &[keys::META])
            .arg(DEVICE_IDS)
            .number(1)
            .op("HSETNX", &[keys::META])
            .arg(DEVICE)
            .own(device)
            .run()
            .await?;
        Ok(replies.next()?)
    }

    async fn resource_report(&self) -> StorageResourceReport {
        StorageResourceReport {
            memory_bytes: Some(0),
            ..StorageResourceReport::default()
        }
    }
}
