//! Free ports for programs that have to be told one.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// Below the range from which the kernel takes ports for outgoing connections, so that a port
/// stays free while the program that had it is down.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A loopback port that nobody listens on. Processes begin at different places, so that tests
/// side by side seldom meet; a program that meets one anyway fails to start and says so.
///
/// # Errors
/// When no port of the range is free.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let size = RANGE.end - RANGE.start;
    // Neighbouring process ids land far from each other (the step shares no factor with the size).
    let offset = (std::process::id() % u32::from(size)) as u16;
    for _ in 0..size {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % size;
        let place = (u32::from(offset) * 97 + u32::from(step)) % u32::from(size);
        let port = RANGE.start + place as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!(
        "no loopback port between {} and {} is free",
        RANGE.start,
        RANGE.end
    )
}
