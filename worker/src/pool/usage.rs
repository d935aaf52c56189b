//! What this process takes of its machine, as Linux tells it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Clock ticks a second in which Linux counts processor time.
const TICKS: u64 = 100;
/// Bytes of a page where nothing else is known.
const PAGE: u64 = 4_096;

/// How much of a core this process used, from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Usage {
    last: Mutex<Option<(Instant, Duration, u32)>>,
}

impl Usage {
    /// What this process holds in memory; 0 where the system does not tell.
    pub(super) fn memory_bytes() -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages = statm.split_whitespace().nth(1);
        pages
            .and_then(|pages| pages.parse::<u64>().ok())
            .unwrap_or(0)
            * PAGE
    }

    /// The share of one core since the look before, in percent; looks that are closer than half a
    /// second give the one before.
    pub(super) fn cpu_percent(&self) -> u32 {
        let Some(used) = used() else { return 0 };
        let now = Instant::now();
        let mut last = self
            .last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let percent = match *last {
            Some((at, _, before)) if now.duration_since(at) < Duration::from_millis(500) => {
                return before;
            }
            Some((at, before, _)) => {
                let wall = now.duration_since(at).as_millis().max(1);
                let share = used.saturating_sub(before).as_millis() * 100 / wall;
                u32::try_from(share).unwrap_or(0)
            }
            None => 0,
        };
        *last = Some((now, used, percent));
        percent
    }
}

/// Processor time of this process, of its own and of the system's for it.
fn used() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name may hold spaces; it ends with the last bracket.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Duration::from_millis(
        (ticks(11)? + ticks(12)?) * 1_000 / TICKS,
    ))
}
