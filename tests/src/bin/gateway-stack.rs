//! Starts the whole product on this machine: behind `make run`, `make up` and `make down`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gateway_tests::stack;

/// The whole product on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where everything of it is kept
    #[arg(long, global = true, default_value_os_t = stack::run_folder())]
    folder: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start, show a message on its way, stay until Ctrl-C
    Run {
        /// Talk to the real WhatsApp; the QR code is shown here
        #[arg(long)]
        real: bool,
    },
    /// Start and stay in the background
    Up,
    /// Stop what `up` started
    Down,
    /// Say what runs
    Status,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { folder, command } = Arguments::parse();
    let result = match command {
        Command::Run { real: false } => stack::run(&folder).await,
        Command::Run { real: true } => stack::real(&folder).await,
        Command::Up => stack::up(&folder).await,
        Command::Down => stack::down(&folder).await,
        Command::Status => stack::status(&folder),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n  {error:#}");
            ExitCode::FAILURE
        }
    }
}
