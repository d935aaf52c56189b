//! The way that a session takes to WhatsApp.

use std::sync::Arc;

use gateway_shared::proxy::{Proxy, StoredProxyError};
use gateway_shared::session::SessionRecord;

use super::Runtime;
use crate::link::Network;

/// The way of a session: through its own proxy where it has one, else as the installation does.
///
/// # Errors
/// When its proxy can not be read. It must not connect then: nothing goes around a proxy.
pub(super) fn of(
    runtime: &Runtime,
    record: &SessionRecord,
) -> Result<Arc<Network>, StoredProxyError> {
    let Some(stored) = &record.proxy else {
        return Ok(Arc::clone(&runtime.network));
    };
    let organization = &record.session.organization_id;
    let proxy = Proxy::open(stored, &runtime.keyring, organization)?;
    let guard = Some(Arc::clone(&runtime.egress));
    Ok(runtime.network.through(proxy, guard))
}
