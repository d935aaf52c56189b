//! Logging companions out.

use std::sync::Arc;

use crate::accounts::Account;
use crate::devices::{self, Change};
use crate::error::PairingError;
use crate::login::conflict;
use crate::world::World;

/// Removes one companion: it is told if it is connected, and refused when it
/// comes back. Returns whether there was one.
pub(crate) fn remove(
    world: &Arc<World>,
    account: &Arc<Account>,
    device: u16,
) -> Result<bool, PairingError> {
    let Some(removed) = account.unlink(device)? else {
        return Ok(false);
    };
    if let Some(link) = removed.mailbox.link() {
        link.send(&conflict("device_removed"));
        link.close();
    }
    devices::announce(world, account, &removed, Change::Removed);
    tracing::info!(device, "a companion was removed");
    Ok(true)
}

/// Removes every companion and returns how many there were.
pub(crate) fn remove_all(
    world: &Arc<World>,
    account: &Arc<Account>,
) -> Result<usize, PairingError> {
    let devices = account.companions();
    for device in &devices {
        remove(world, account, device.id)?;
    }
    Ok(devices.len())
}
