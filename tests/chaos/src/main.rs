//! `make chaos`.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use gateway_chaos::{Options, run, takeover};

/// Breaks everything at once and counts the promises that broke with it.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures how long sessions go without service when their worker is killed, and when it
    /// hands them over.
    Takeover {
        /// How many sessions the worker has.
        #[arg(long, default_value_t = 100)]
        sessions: usize,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = tokio::select! {
        outcome = act(Arguments::parse()) => outcome,
        // Returning ends every process that was started.
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does what was asked and prints the line; says whether all was as promised.
async fn act(arguments: Arguments) -> Result<bool> {
    if let Some(Command::Takeover { sessions }) = arguments.command {
        let report = takeover::measure(sessions).await?;
        println!("{}", serde_json::to_string(&report)?);
        return Ok(report.kept());
    }
    let outcome = run(&arguments.options).await?;
    println!("{}", serde_json::to_string(&outcome.report)?);
    Ok(outcome.kept())
}
