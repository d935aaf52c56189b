//! What speaks to the product from the outside, as a user would.

mod answer;
mod api;
mod events;
mod sandbox;
mod send;

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;

pub use answer::Answer;
pub use api::ApiClient;
pub use events::{Event, EventStream};
pub use sandbox::{Fault, LedgerEntry, PeerMessage, SandboxAdmin};
pub use send::{STATUSES, SendRequest};

use crate::process::{GLANCE, PATIENCE};

/// Looks at a fact that nobody announces until it is there.
///
/// # Errors
/// When `look` fails, or finds nothing in [`PATIENCE`]; the error names `what` was awaited.
pub async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    eventually_within(PATIENCE, what, look).await
}

/// As [`eventually`], with a time of one's own.
///
/// # Errors
/// When `look` fails, or finds nothing in `limit`.
pub async fn eventually_within<T>(
    limit: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("not in {limit:?}: {what}");
        }
        tokio::time::sleep(GLANCE).await;
    }
}
