//! The wall clock of the sandbox, in the units the protocol uses.

/// Seconds since the epoch.
pub(crate) fn now_secs() -> u64 {
    u64::try_from(wacore::time::now_secs()).unwrap_or_default()
}

/// Milliseconds since the epoch.
pub(crate) fn now_millis() -> u64 {
    u64::try_from(wacore::time::now_millis()).unwrap_or_default()
}
