//! What is broken when. The same seed, length and size make the same plan.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Longer than a worker may be silent (`worker.liveness_ms`) before others take its sessions.
const LONGER_THAN_A_LEASE: std::ops::Range<u64> = 3_500..7_000;
/// Rest of a target after what befell it, so that it is seen at work as well.
const REST: Duration = Duration::from_millis(1_500);
/// The same for Redis, without which nothing works.
const REDIS_REST: Duration = Duration::from_secs(6);
/// How far clocks are set wrong, in seconds: a little, beyond a time to live and a day's budget,
/// beyond retention, and back.
const STEPS: [i64; 4] = [10, 25 * 3_600, 8 * 86_400, -3_600];
/// The quiet before and after.
const QUIET: Duration = Duration::from_secs(1);

/// What a fault befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// An API.
    Api(usize),
    /// A worker.
    Worker(usize),
    /// Redis.
    Redis,
    /// The wall clock of an API's host.
    ApiClock(usize),
    /// The wall clock of a worker's host.
    WorkerClock(usize),
    /// The wire from an API to Redis.
    ApiToRedis(usize),
    /// The wire from a worker to Redis.
    WorkerToRedis(usize),
    /// The wire from a worker to WhatsApp.
    WorkerToWhatsApp(usize),
    /// WhatsApp itself.
    WhatsApp,
}

/// What befalls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`, and a start after this time.
    Kill(Duration),
    /// SIGSTOP, and SIGCONT after this time.
    Freeze(Duration),
    /// SIGTERM, and a start this long after it has ended.
    Stop(Duration),
    /// The wire is cut for this time.
    Cut(Duration),
    /// The wire lets so many more pieces through and is cut then, for the rest of this time: what a
    /// process writes in several steps stays half done.
    Tear(u32, Duration),
    /// The clock is so many seconds ahead for this time.
    Step(i64, Duration),
    /// Nothing goes over the wire for this time.
    Still(Duration),
    /// Everything goes over it this much later, for this time.
    Slow(Duration, Duration),
    /// The server misbehaves towards a session.
    Misbehave(Misdeed, usize),
}

/// What the server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misdeed {
    /// It takes messages and does not say so.
    DropAcks(u32),
    /// It refuses messages with this code.
    Nack(u16, u32),
    /// It cuts the connection instead of taking messages.
    Cut(u32),
    /// It takes messages and cuts the connection instead of saying so.
    CutAfter(u32),
    /// It treats messages this much later.
    Delay(Duration, u32),
    /// It swallows messages.
    Swallow(u32),
    /// It relays messages twice.
    Replay(u32),
    /// It cuts the session's connection.
    Disconnect,
    /// It lets the session's connection stand, dead.
    StandDead,
}

/// The code of refusals that are final; see the worker's table.
pub const REFUSED_FOR_GOOD: u16 = 403;

/// One fault and its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedFault {
    /// When, from the beginning.
    pub at: Duration,
    /// On what.
    pub on: Target,
    /// What.
    pub fault: Fault,
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, on, fault } = self;
        write!(f, "{:7.3} s  {on:?}: {fault:?}", at.as_secs_f64())
    }
}

/// The size of the stage.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// How many APIs.
    pub apis: usize,
    /// How many workers.
    pub workers: usize,
    /// How many sessions.
    pub sessions: usize,
}

/// The plan for `length` on a stage of this size: about four faults in five seconds.
#[must_use]
pub fn plan(seed: u64, length: Duration, size: Size) -> Vec<PlannedFault> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut faults = Vec::new();
    let mut busy: HashMap<Target, Duration> = HashMap::new();
    let mut at = QUIET;
    while at + QUIET < length {
        let on = target(&mut random, size);
        let fault = fault(&mut random, on, size);
        // Drawn in any case, so that what follows does not depend on it.
        let gap = millis(&mut random, 400..2_100);
        if busy.get(&on).is_none_or(|until| *until <= at) {
            faults.push(PlannedFault { at, on, fault });
            let rest = if on == Target::Redis {
                REDIS_REST
            } else {
                REST
            };
            let rest = if on == Target::WhatsApp {
                Duration::ZERO
            } else {
                rest
            };
            busy.insert(on, at + duration(fault) + rest);
            at += gap;
        }
    }
    faults
}

fn millis(random: &mut StdRng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.random_range(range))
}

fn target(random: &mut StdRng, size: Size) -> Target {
    let (api, worker) = (
        random.random_range(0..size.apis.max(1)),
        random.random_range(0..size.workers.max(1)),
    );
    match random.random_range(0..100) {
        0..23 => Target::Worker(worker),
        23..32 => Target::Api(api),
        32..39 => Target::Redis,
        39..54 => Target::WorkerToRedis(worker),
        54..64 => Target::WorkerToWhatsApp(worker),
        64..71 => Target::ApiToRedis(api),
        71..75 => Target::WorkerClock(worker),
        75..77 => Target::ApiClock(api),
        _ => Target::WhatsApp,
    }
}

fn fault(random: &mut StdRng, on: Target, size: Size) -> Fault {
    let kind = random.random_range(0..100);
    match on {
        Target::Worker(_) => match kind {
            0..45 => Fault::Kill(millis(random, 0..3_000)),
            45..75 => Fault::Freeze(millis(random, LONGER_THAN_A_LEASE)),
            _ => Fault::Stop(millis(random, 0..1_000)),
        },
        Target::Api(_) => match kind {
            0..50 => Fault::Kill(millis(random, 0..2_000)),
            50..75 => Fault::Freeze(millis(random, 1_000..6_000)),
            _ => Fault::Stop(millis(random, 0..1_000)),
        },
        Target::Redis => match kind {
            0..50 => Fault::Kill(millis(random, 0..2_500)),
            50..75 => Fault::Freeze(millis(random, LONGER_THAN_A_LEASE)),
            _ => Fault::Stop(millis(random, 0..1_000)),
        },
        Target::WorkerClock(_) | Target::ApiClock(_) => {
            let ahead = STEPS[random.random_range(0..STEPS.len())];
            Fault::Step(ahead, millis(random, 1_500..6_000))
        }
        Target::WorkerToRedis(_) | Target::ApiToRedis(_) if kind < 25 => {
            let pieces = random.random_range(0..24);
            Fault::Tear(pieces, millis(random, 500..3_000))
        }
        Target::WorkerToRedis(_) | Target::WorkerToWhatsApp(_) | Target::ApiToRedis(_) => {
            match kind {
                0..40 => Fault::Cut(millis(random, 0..3_000)),
                40..70 => Fault::Still(millis(random, LONGER_THAN_A_LEASE)),
                _ => Fault::Slow(millis(random, 20..400), millis(random, 1_000..6_000)),
            }
        }
        Target::WhatsApp => {
            let session = random.random_range(0..size.sessions.max(1));
            let count = random.random_range(1..4);
            let misdeed = match kind {
                0..20 => Misdeed::DropAcks(count),
                20..35 => Misdeed::Nack(if kind % 2 == 0 { 500 } else { 503 }, count),
                35..42 => Misdeed::Nack(REFUSED_FOR_GOOD, 1),
                42..54 => Misdeed::Cut(count),
                54..66 => Misdeed::CutAfter(count),
                66..76 => Misdeed::Delay(millis(random, 100..3_000), count),
                76..82 => Misdeed::Swallow(1),
                82..88 => Misdeed::Replay(count),
                88..95 => Misdeed::Disconnect,
                _ => Misdeed::StandDead,
            };
            Fault::Misbehave(misdeed, session)
        }
    }
}

fn duration(fault: Fault) -> Duration {
    match fault {
        Fault::Kill(time)
        | Fault::Freeze(time)
        | Fault::Stop(time)
        | Fault::Cut(time)
        | Fault::Tear(_, time)
        | Fault::Step(_, time)
        | Fault::Still(time)
        | Fault::Slow(_, time) => time,
        Fault::Misbehave(..) => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        apis: 2,
        workers: 3,
        sessions: 9,
    };

    #[test]
    fn a_seed_is_a_plan() {
        let length = Duration::from_secs(60);
        assert_eq!(plan(7, length, SIZE), plan(7, length, SIZE));
        assert_ne!(plan(7, length, SIZE), plan(8, length, SIZE));
    }

    #[test]
    fn five_minutes_hold_more_than_a_hundred_faults_of_every_kind() {
        let faults = plan(1, Duration::from_secs(300), SIZE);
        assert!(faults.len() >= 150, "{}", faults.len());
        let some = |what: &str| {
            let found = faults
                .iter()
                .any(|planned| planned.to_string().contains(what));
            assert!(found, "no {what}");
        };
        for what in [
            "Kill",
            "Freeze",
            "Stop",
            "Cut",
            "Tear",
            "Step",
            "Still",
            "Slow",
            "Misbehave",
        ] {
            some(what);
        }
        for what in [
            "Api(",
            "Worker(",
            "Redis:",
            "ToRedis",
            "WorkerClock(",
            "ApiClock(",
            "ToWhatsApp",
            "WhatsApp:",
        ] {
            some(what);
        }
    }

    #[test]
    fn nothing_befalls_a_target_while_something_does() {
        let faults = plan(3, Duration::from_secs(300), SIZE);
        for (i, planned) in faults.iter().enumerate() {
            let end = planned.at + duration(planned.fault);
            let next = faults[i + 1..].iter().find(|later| later.on == planned.on);
            assert!(
                next.is_none_or(|next| next.at >= end),
                "{planned} / {next:?}"
            );
        }
    }
}
