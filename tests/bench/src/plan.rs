//! How much is measured.

use std::time::Duration;

/// The size of a run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Whether this is the short version.
    pub(crate) quick: bool,
    /// Rounds of each measurement; the median counts.
    pub(crate) rounds: usize,
    /// (a) Numbers of HTTP connections.
    pub(crate) connections: Vec<usize>,
    /// (a) How long each round asks for acceptance.
    pub(crate) accepting: Duration,
    /// (b) Numbers of sessions, and the messages of a round over all of them.
    pub(crate) sending: Vec<(usize, usize)>,
    /// (c) Sends of a round.
    pub(crate) latency_sends: usize,
    /// (d) Numbers of sessions.
    pub(crate) idle: Vec<usize>,
    /// (f) Sessions of a crowd.
    pub(crate) crowd: usize,
    /// (f) How long a crowd is watched.
    pub(crate) watching: Duration,
    /// (g) Messages of a round for each worker, over all sessions.
    pub(crate) scaling: usize,
    /// (h) Deliveries of a round.
    pub(crate) deliveries: usize,
    /// (e) Numbers of waiting entries at which the rate of the engine is measured.
    pub(crate) waiting: Vec<usize>,
    /// (e) How long entries are accepted at 1,000/s.
    pub(crate) steady: Duration,
    /// (e) How long entries are accepted at 4/s.
    pub(crate) sparse: Duration,
    /// (i) Files at once, MiB of each, MiB of the one document, and texts at rest.
    pub(crate) media: (usize, usize, usize, usize),
}

impl Plan {
    /// The whole plan; the short one with `BENCH_QUICK=1`. `BENCH_SPARSE_SECONDS` overrides how
    /// long the lane is watched at 4/s.
    pub(crate) fn from_environment() -> Self {
        let quick = std::env::var("BENCH_QUICK").is_ok_and(|value| value == "1");
        let mut plan = if quick { Self::quick() } else { Self::whole() };
        let seconds = std::env::var("BENCH_SPARSE_SECONDS").ok();
        if let Some(seconds) = seconds.and_then(|text| text.parse().ok()) {
            plan.sparse = Duration::from_secs(seconds);
        }
        plan
    }

    fn whole() -> Self {
        Self {
            quick: false,
            rounds: 5,
            connections: vec![1, 16, 64, 256],
            accepting: Duration::from_secs(2),
            sending: vec![(1, 6_000), (10, 15_000), (100, 15_000)],
            latency_sends: 500,
            idle: vec![10, 100, 300],
            crowd: 1_000,
            watching: Duration::from_secs(120),
            scaling: 1_600,
            deliveries: 10_000,
            waiting: vec![5_000, 40_000],
            steady: Duration::from_secs(20),
            sparse: Duration::from_secs(600),
            media: (50, 200, 100, 500),
        }
    }

    fn quick() -> Self {
        Self {
            quick: true,
            rounds: 3,
            connections: vec![1, 64],
            accepting: Duration::from_millis(500),
            sending: vec![(1, 500), (10, 2_000)],
            latency_sends: 50,
            idle: vec![10, 30],
            crowd: 50,
            watching: Duration::from_secs(5),
            scaling: 320,
            deliveries: 1_000,
            waiting: vec![2_000, 8_000],
            steady: Duration::from_secs(3),
            sparse: Duration::from_secs(5),
            media: (8, 8, 16, 100),
        }
    }
}
