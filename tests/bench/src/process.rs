//! What a process takes of the machine.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use gateway_tests::process::Program;

/// The kernel's clock ticks a second, in which it counts the time of processes (`USER_HZ`, which
/// is 100 on every architecture that Linux' ABI fixes it for).
const TICKS: f64 = 100.0;

/// The bench's own executable.
///
/// # Errors
/// When the system does not say where it is.
pub(crate) fn own_binary() -> Result<PathBuf> {
    std::env::current_exe().context("find the own executable")
}

/// The resident memory of a process in KiB.
///
/// # Errors
/// When it does not run.
pub(crate) fn resident_kib(program: &Program) -> Result<f64> {
    let pid = program.pid().context("the process has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    Ok(figure.context("no VmRSS")?.parse()?)
}

/// The time a process has had on any core.
///
/// # Errors
/// When it does not run.
pub(crate) fn cpu_time(program: &Program) -> Result<Duration> {
    let pid = program.pid().context("the process has ended")?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold anything; utime and stime are 11 and 12 fields after it.
    let after = stat.rsplit_once(") ").context("no name in stat")?.1;
    let ticks: f64 = after
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    Ok(Duration::from_secs_f64(ticks / TICKS))
}
