//! The command line, the same for both flavours of the worker.

mod moving;
mod secrets;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gateway_shared::config::Config;
use gateway_shared::redis::Store;
use gateway_shared::registry::Registry;
use gateway_shared::secrets::KeyId;
use gateway_shared::session::Sessions;
use gateway_shared::telemetry;
use tokio_util::sync::CancellationToken;

use crate::run::{Flavour, run};

/// A worker of WhatsApp Gateway: owns sessions and sends what their lanes hold.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// A configuration file; what it does not say is as in the default (`config` prints it).
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run the worker (the default).
    Run,
    /// Print the configuration in effect, passwords masked.
    Config,
    /// Print who owns which session: the lease table.
    Sessions,
    /// Print how many sessions' keys each key of [secrets] seals.
    Secrets {
        /// Let this key go: from then on processes may run without it. Refused while it is the
        /// active one or still seals something.
        #[arg(long)]
        retire: Option<KeyId>,
    },
    /// Move numbers in that another program paired, without scanning again (see docs/MOVING.md).
    #[command(subcommand)]
    Import(moving::Import),
    /// Move a number out: write its keys in the form of another program.
    #[command(subcommand)]
    Export(moving::Export),
}

/// Runs the program.
#[must_use]
pub fn main(flavour: Flavour) -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::load(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    runtime.block_on(async {
        match arguments.command.unwrap_or(Task::Run) {
            Task::Config => {
                println!("{:#}", config.masked());
                ExitCode::SUCCESS
            }
            Task::Sessions => match print_sessions(&config).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error),
            },
            Task::Secrets { retire } => match secrets::print(&config, retire).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(error.as_ref()),
            },
            Task::Import(import) => match import.run(&config).await {
                Ok(code) => code,
                Err(error) => fail(error.as_ref()),
            },
            Task::Export(export) => match export.run(&config).await {
                Ok(code) => code,
                Err(error) => fail(error.as_ref()),
            },
            Task::Run => {
                if let Err(error) = telemetry::init(&config.log) {
                    return fail(&error);
                }
                match run(flavour, config, stop_signal()).await {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(error) => fail(&error),
                }
            }
        }
    })
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("gateway-worker: {error}");
    ExitCode::FAILURE
}

/// Cancelled by SIGTERM and SIGINT.
fn stop_signal() -> CancellationToken {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let stop = stop.clone();
        match signal(kind) {
            Ok(mut signals) => drop(tokio::spawn(async move {
                signals.recv().await;
                stop.cancel();
            })),
            Err(error) => tracing::error!(%error, "a signal can not be handled"),
        }
    }
    stop
}

async fn print_sessions(config: &Config) -> Result<(), gateway_shared::redis::RedisFailure> {
    let store = Store::open(&config.redis).await?;
    let registry = Registry::new(store.clone());
    let sessions = Sessions::new(store, &config.retention);
    let workers = registry.workers().await?;
    println!(
        "{:<31} {:<31} {:<13} {:>6}  worker",
        "organization", "session", "status", "epoch"
    );
    let mut all = registry.directory().await?;
    all.sort_by(|a, b| a.session.cmp(&b.session));
    for of in all {
        let Some(record) = sessions.record(&of).await? else {
            continue;
        };
        let owner = record.session.worker.as_ref().map_or_else(
            || "-".to_owned(),
            |owner| match workers.iter().find(|worker| worker.id == *owner) {
                Some(worker) => format!("{owner} ({})", worker.host),
                None => format!("{owner} (gone)"),
            },
        );
        let (status, epoch) = (record.session.status, record.epoch.0);
        println!(
            "{:<31} {:<31} {status:<13} {epoch:>6}  {owner}",
            of.organization, of.session
        );
    }
    Ok(())
}
