//! What a person reads, and `.run/bench.json`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::figures::median;
use crate::plan::Plan;
use crate::{accept, crowd, lane, latency, media, memory, scale, sends, webhooks};

/// The figures so far.
#[derive(Debug)]
pub(crate) struct Report {
    path: PathBuf,
    json: Map<String, Value>,
}

/// Whether an aim was reached, for people.
fn verdict(reached: bool) -> &'static str {
    if reached { "ok" } else { "SHORT" }
}

impl Report {
    /// A report that goes to `path` and keeps what that file already says of other parts.
    ///
    /// # Errors
    /// When there is a file that is no report.
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        let json = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{} is no report of this bench", path.display()))?,
            Err(_) => Map::new(),
        };
        Ok(Self { path, json })
    }

    /// Says on what it is measured.
    pub(crate) fn begin(&mut self, plan: &Plan) {
        let machine = machine();
        println!("gateway-bench on {machine}");
        if plan.quick {
            println!("quick: the figures show that the bench works, not more");
        }
        if cfg!(debug_assertions) {
            println!("debug build: the figures mean nothing; build with --release");
        }
        self.json.insert("machine".into(), json!(machine));
        self.json.insert("quick".into(), json!(plan.quick));
        self.json.insert("rounds".into(), json!(plan.rounds));
        self.json
            .insert("release".into(), json!(!cfg!(debug_assertions)));
    }

    /// (a)
    pub(crate) fn accept(&mut self, all: &[accept::Measured]) -> Result<()> {
        println!("\n(a) async accepts a second over HTTP; aim: at least 0.70 of a bare handler");
        println!(
            "    {:<10} {:>11} {:>10} {:>10} {:>7}",
            "fsync", "connections", "gateway", "bare", "ratio"
        );
        for each in all {
            println!(
                "    {:<10} {:>11} {:>10.0} {:>10.0} {:>7.2}  {}",
                each.appendfsync,
                each.connections,
                median(&each.rates.gateway),
                median(&each.rates.plain),
                each.ratio,
                verdict(each.ratio >= 0.7)
            );
        }
        let headline = all
            .iter()
            .find(|each| each.appendfsync == "everysec" && each.connections == 64);
        self.headline("accept_ratio", headline.map(|each| each.ratio));
        self.put("accept", &all)
    }

    /// (b)
    pub(crate) fn sends(&mut self, all: &[sends::Measured]) -> Result<()> {
        println!(
            "\n(b) completed sends a second of one worker; aim: at least 0.80 of a plain loop"
        );
        println!(
            "    {:<10} {:>11} {:>10} {:>10} {:>7}",
            "sessions", "messages", "gateway", "plain", "ratio"
        );
        for each in all {
            println!(
                "    {:<10} {:>11} {:>10.0} {:>10.0} {:>7.2}  {}",
                each.sessions,
                each.messages,
                median(&each.rates.gateway),
                median(&each.rates.plain),
                each.ratio,
                verdict(each.ratio >= 0.8)
            );
        }
        println!("    processor for each send, µs of one core:");
        for each in all {
            let of = |rounds: &[sends::Micros], part: fn(&sends::Micros) -> f64| {
                median(&rounds.iter().map(part).collect::<Vec<_>>())
            };
            let emitted = |rounds: &[sends::Micros]| {
                format!(
                    "Redis {:.0}, client {:.0}, sandbox {:.0}",
                    of(rounds, |it| it.redis),
                    of(rounds, |it| it.client),
                    of(rounds, |it| it.sandbox)
                )
            };
            println!(
                "    {:<10} gateway: {}; plain: {}",
                each.sessions,
                emitted(&each.gateway_micros),
                emitted(&each.plain_micros)
            );
        }
        let headline = all.iter().find(|each| each.sessions == 10);
        self.headline("sends_ratio", headline.map(|each| each.ratio));
        self.put("sends", &all)
    }

    /// (c)
    pub(crate) fn latency(&mut self, it: &latency::Measured) -> Result<()> {
        println!(
            "\n(c) latency of a sync send over HTTP, ms; aim: p50 at most 3 ms above a plain send"
        );
        println!(
            "    {:<10} {:>11} {:>10} {:>10}",
            "", "gateway", "plain", "above"
        );
        for (name, duel) in [("p50", &it.p50), ("p99", &it.p99)] {
            let reached = if name == "p50" {
                verdict(duel.above() <= 3.0)
            } else {
                ""
            };
            println!(
                "    {:<10} {:>11.2} {:>10.2} {:>10.2}  {reached}",
                name,
                median(&duel.gateway),
                median(&duel.plain),
                duel.above(),
            );
        }
        self.headline("sync_p50_over_plain_ms", Some(it.p50.above()));
        self.headline("sync_p99_over_plain_ms", Some(it.p99.above()));
        self.put("latency", it)
    }

    /// (i)
    pub(crate) fn media(&mut self, it: &media::Measured) -> Result<()> {
        println!("\n(i) {} files of {} MiB at once", it.files, it.file_mib);
        println!("    resident memory above idle, MiB; aim: at most 150 of each");
        for (name, mib) in [("api", it.api_mib), ("worker", it.worker_mib)] {
            println!("    {name:<10} {mib:>11.1}  {}", verdict(mib <= 150.0));
        }
        println!(
            "    one document of {} MiB: {:.2} s, bare {:.2} s, throughput {:.2} of it; aim: at \
             least 0.60  {}",
            it.document_mib,
            it.gateway_seconds,
            it.plain_seconds,
            it.throughput,
            verdict(it.throughput >= 0.6)
        );
        println!(
            "    texts to others, p99: {:.2} ms idle, {:.2} ms meanwhile; aim: at most 3 ms more  {}",
            it.text_p99_idle,
            it.text_p99_busy,
            verdict(it.text_p99_busy - it.text_p99_idle <= 3.0)
        );
        self.headline("media_throughput_ratio", Some(it.throughput));
        self.headline("media_api_mib", Some(it.api_mib));
        self.headline("media_worker_mib", Some(it.worker_mib));
        self.put("media", it)
    }

    /// (d)
    pub(crate) fn memory(&mut self, all: &[memory::Measured]) -> Result<()> {
        println!("\n(d) resident memory, KiB a session; aim: at most 1.30 of a bare client");
        println!(
            "    {:<10} {:>11} {:>10} {:>7}   {:>22}",
            "sessions", "worker", "bare", "ratio", "ratio above empty"
        );
        for each in all {
            let sessions = each.sessions as f64;
            println!(
                "    {:<10} {:>11.0} {:>10.0} {:>7.2}  {:<5} {:>17.2}",
                each.sessions,
                each.worker_kib / sessions,
                each.plain_kib / sessions,
                each.ratio,
                verdict(each.ratio <= 1.3),
                each.ratio_of_growth
            );
        }
        let headline = all.iter().find(|each| each.sessions == 100);
        self.headline("memory_ratio", headline.map(|each| each.ratio));
        self.put("memory", &all)
    }

    /// (e)
    pub(crate) fn lane(&mut self, it: &lane::Measured) -> Result<()> {
        println!("\n(e) the lane engine alone, with a handler that returns at once");
        for rate in &it.rates {
            let all: Vec<String> = rate
                .rounds
                .iter()
                .map(|rate| format!("{rate:.0}"))
                .collect();
            println!(
                "    {:>6} waiting: {:>8.0} completed a second  ({})",
                rate.waiting,
                median(&rate.rounds),
                all.join(", ")
            );
        }
        println!(
            "    rate at the most over rate at the least waiting: {:.2}  {} (aim 0.90)",
            it.rate_ratio,
            verdict(it.rate_ratio >= 0.9)
        );
        println!(
            "    acceptance to handler at {}/s: p50 {:.2} ms, p99 {:.2} ms  {} (aim p99 1 ms)",
            it.steady.per_second,
            it.steady.p50_ms,
            it.steady.p99_ms,
            verdict(it.steady.p99_ms <= 1.0)
        );
        println!(
            "    longest wait in {} s at {}/s: {:.2} ms  {} (aim 100 ms)",
            it.sparse.seconds,
            it.sparse.per_second,
            it.sparse.longest_ms,
            verdict(it.sparse.longest_ms <= 100.0)
        );
        self.headline("lane_rate_ratio", Some(it.rate_ratio));
        self.headline("lane_p99_ms", Some(it.steady.p99_ms));
        self.headline("lane_longest_wait_ms", Some(it.sparse.longest_ms));
        self.put("lane", it)
    }

    /// (f)
    pub(crate) fn crowd(&mut self, it: &crowd::Measured) -> Result<()> {
        println!("\n(f) {} idle sessions on one worker", it.sessions);
        println!(
            "    paired in {:.0} s; idle over {:.0} s: {:.1} % of a core  {} (aim: below 10)",
            it.pairing_seconds,
            it.watched_seconds,
            it.cpu_percent,
            verdict(it.cpu_percent < 10.0)
        );
        println!(
            "    a session: {:.0} KiB in the worker, {:.0} KiB in Redis",
            it.worker_kib_each, it.redis_kib_each
        );
        self.headline("crowd_cpu_percent", Some(it.cpu_percent));
        self.put("crowd", it)
    }

    /// (g)
    pub(crate) fn scale(&mut self, all: &[scale::Measured]) -> Result<()> {
        println!("\n(g) completed sends a second where the link is the limit");
        for each in all {
            println!(
                "    {} workers: {:>6.0}, {:.2} times one",
                each.workers,
                median(&each.rounds),
                each.times_one
            );
        }
        self.headline("scale_four_workers", all.last().map(|each| each.times_one));
        self.put("scale", &all)
    }

    /// (h)
    pub(crate) fn webhooks(&mut self, it: &webhooks::Measured) -> Result<()> {
        println!(
            "\n(h) deliveries of webhooks a second, {} in flight; aim: at least 0.60 of a bare loop",
            it.in_flight
        );
        println!(
            "    worker {:.0}, bare loop {:.0}, ratio {:.2}  {}",
            median(&it.rates.gateway),
            median(&it.rates.plain),
            it.ratio,
            verdict(it.ratio >= 0.6)
        );
        println!(
            "    idle, from the request to the first byte at the endpoint: p50 {:.1} ms, p99 {:.1} ms  {} (aim p99 20 ms)",
            it.idle_p50_ms,
            it.idle_p99_ms,
            verdict(it.idle_p99_ms <= 20.0)
        );
        self.headline("webhooks_ratio", Some(it.ratio));
        self.headline("webhooks_idle_p99_ms", Some(it.idle_p99_ms));
        self.put("webhooks", it)
    }

    /// Says where the figures are.
    pub(crate) fn end(&self) {
        println!("\nraw figures: {}", self.path.display());
    }

    fn headline(&mut self, name: &str, figure: Option<f64>) {
        self.json.insert(name.to_owned(), json!(figure));
    }

    /// Adds the raw figures of a part, and writes the file: what was measured is kept even when a
    /// later part fails.
    fn put(&mut self, name: &str, raw: &impl Serialize) -> Result<()> {
        self.json
            .insert(name.to_owned(), serde_json::to_value(raw)?);
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(&self.json)?;
        std::fs::write(&self.path, text + "\n")
            .with_context(|| format!("write {}", self.path.display()))
    }
}

/// The machine in a few words.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unknown processor", |(_, model)| model);
    format!("{cores} cores of {model}")
}
