//! `[quota]`: what one organization may take of an API process.

use serde::{Deserialize, Serialize};

use super::ApiConfig;
use super::validate::Problems;

/// `[quota]`: what one organization may take of an API process. 0 = unlimited.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaConfig {
    /// Requests a minute.
    pub requests_per_min: u32,
    /// Bytes of bodies a minute.
    pub bytes_per_min: u64,
    /// Sends that may wait in all its sessions together.
    pub waiting: u64,
}

/// What of it is not allowed.
pub(super) fn problems(quota: &QuotaConfig, api: &ApiConfig, problems: &mut Problems) {
    let largest = api.media_body_limit_bytes.max(api.batch_body_limit_bytes) as u64;
    if quota.bytes_per_min > 0 {
        // Or the largest body could never be sent.
        problems.range(
            "quota.bytes_per_min",
            quota.bytes_per_min,
            largest..=1 << 40,
        );
    }
}
