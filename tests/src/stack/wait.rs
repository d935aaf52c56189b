//! Staying until somebody ends it, or a part falls.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::Stack;

/// How often the parts are looked after.
const ROUND: Duration = Duration::from_secs(1);

/// Waits for Ctrl-C or SIGTERM.
///
/// # Errors
/// When a part of the stack ends by itself; the error shows its log.
pub(super) async fn until_told_to_end(stack: &mut Stack) -> Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = term.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
            () = tokio::time::sleep(ROUND) => {
                if let Some(fallen) = stack.fallen() {
                    bail!("{fallen}");
                }
            }
        }
    }
}
