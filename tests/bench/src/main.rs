//! Measures the gateway side by side with the plain thing it is made of, in one run, on one
//! machine: `make bench`, or one part of it with `gateway-bench accept|sends|latency|memory|lane|crowd|scale|webhooks|media`.
//!
//! Absolute figures say more about the machine than about the product, so each part measures two
//! things in turns (round by round, so that a busy moment of the machine meets both) and reports
//! the ratio of the medians. What is measured against what is told at the head of each module.
//!
//! `BENCH_QUICK=1` makes everything short: it shows that the bench works, its figures mean little.

mod accept;
mod crowd;
mod figures;
mod http;
mod lane;
mod latency;
mod media;
mod memory;
mod plain;
mod plan;
mod process;
mod report;
mod scale;
mod sends;
mod stage;
mod webhooks;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use gateway_tests::process::workspace_root;

use plan::Plan;
use report::Report;

/// Measures WhatsApp Gateway side by side with the plain thing it is made of.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where the figures go; parts that are not measured keep what the file says of them.
    #[arg(long, global = true)]
    output: Option<PathBuf>,
    #[command(subcommand)]
    part: Part,
}

/// What is measured.
#[derive(Debug, Subcommand)]
enum Part {
    /// (a) Asynchronous acceptance over HTTP against a bare handler with the same script
    Accept,
    /// (b) Completed sends of one worker against a plain loop of sends
    Sends,
    /// (c) Latency of a synchronous send over HTTP against a plain send
    Latency,
    /// (d) Memory of a worker for each idle session against bare clients
    Memory,
    /// (e) The lane engine alone
    Lane,
    /// (f) A thousand idle sessions on one worker
    Crowd,
    /// (g) Completed sends with one to four workers, where the link is the limit
    Scale,
    /// (h) Deliveries of webhooks of one worker against a bare loop of requests
    Webhooks,
    /// (i) Files: memory, throughput, and texts meanwhile
    Media,
    /// All of them
    All,
    /// The bare handler of `accept` (started by it)
    #[command(hide = true)]
    BareHandler(accept::BareArguments),
    /// The plain clients of `sends`, `latency` and `memory` (started by them)
    #[command(hide = true)]
    PlainClients(plain::PlainArguments),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let output = arguments
        .output
        .unwrap_or_else(|| workspace_root().join(".run/bench.json"));
    match arguments.part {
        Part::BareHandler(arguments) => threads()?.block_on(accept::serve_bare(arguments)),
        Part::PlainClients(arguments) => threads()?.block_on(plain::serve(arguments)),
        part => measure(&part, Report::open(output)?),
    }
}

/// As many threads as the gateway's own processes have.
fn threads() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

fn measure(part: &Part, mut report: Report) -> Result<()> {
    let plan = Plan::from_environment();
    let all = matches!(part, Part::All);
    // What makes the load has one thread, so that it takes as little as it can from what is
    // measured. Only the engine is measured in this process, with threads of its own.
    let driver = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    report.begin(&plan);
    if all || matches!(part, Part::Accept) {
        report.accept(&driver.block_on(accept::measure(&plan))?)?;
    }
    if all || matches!(part, Part::Sends) {
        report.sends(&driver.block_on(sends::measure(&plan))?)?;
    }
    if all || matches!(part, Part::Latency) {
        report.latency(&driver.block_on(latency::measure(&plan))?)?;
    }
    if all || matches!(part, Part::Memory) {
        report.memory(&driver.block_on(memory::measure(&plan))?)?;
    }
    if all || matches!(part, Part::Lane) {
        report.lane(&threads()?.block_on(lane::measure(&plan))?)?;
    }
    if all || matches!(part, Part::Crowd) {
        report.crowd(&driver.block_on(crowd::measure(&plan))?)?;
    }
    if all || matches!(part, Part::Scale) {
        report.scale(&driver.block_on(scale::measure(&plan))?)?;
    }
    if all || matches!(part, Part::Webhooks) {
        report.webhooks(&threads()?.block_on(webhooks::measure(&plan))?)?;
    }
    if all || matches!(part, Part::Media) {
        report.media(&driver.block_on(media::measure(&plan))?)?;
    }
    report.end();
    Ok(())
}
