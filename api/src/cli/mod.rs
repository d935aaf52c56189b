//! The command line of `gateway-api`.

mod keys;
mod lifetime;
mod operators;
mod secrets;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use gateway_shared::config::{Config, ConfigError};
use gateway_shared::installation::Foreign;
use gateway_shared::redis::RedisFailure;
use gateway_shared::telemetry::{self, LogError};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::server::{Listeners, ServeError, run};

/// The HTTP side of WhatsApp Gateway.
#[derive(Debug, Parser)]
#[command(name = "gateway-api", version, about)]
pub struct Arguments {
    /// A configuration file (TOML) with what differs from the default. Also `GATEWAY_CONFIG`;
    /// single settings also as `GATEWAY_<SECTION>__<SETTING>`.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// What to do; `serve` if nothing is named.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT.
    Serve,
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Keys(keys::KeyCommand),
    /// Make keys for the operations room.
    #[command(subcommand)]
    Operators(operators::OperatorCommand),
    /// Make keys for secrets at rest.
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// Print the configuration in effect, with passwords masked.
    Config,
}

/// Why a command failed. The text is meant for the one who typed it.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No usable configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logs can not be set up.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The address can not be listened on.
    #[error("can not listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// Signals can not be waited for.
    #[error("can not wait for signals: {0}")]
    Signal(std::io::Error),
    /// Serving failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Redis does not answer.
    #[error("{0}; is redis.urls right, and does Redis run there?")]
    Redis(#[from] RedisFailure),
    /// It is not the Redis it should be.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
}

/// Does what the command line says.
///
/// # Errors
/// With a text for the one who typed it.
pub async fn execute(arguments: Arguments) -> Result<(), CommandError> {
    let config = Config::load(arguments.config.as_deref())?;
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config).await,
        Command::Keys(command) => keys::execute(&config, command).await,
        Command::Operators(command) => operators::execute(&config, command).await,
        Command::Secrets(command) => secrets::execute(command),
        Command::Config => {
            print_json(&config.masked());
            Ok(())
        }
    }
}

async fn serve(config: Config) -> Result<(), CommandError> {
    telemetry::init(&config.log)?;
    let listen = |source| CommandError::Listen {
        address: config.api.listen.clone(),
        source,
    };
    let listener = TcpListener::bind(&config.api.listen)
        .await
        .map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let ops = inner_listener(&config.ops.listen).await?;
    let metrics = inner_listener(&config.metrics.listen).await?;
    let mut terminate = signal(SignalKind::terminate()).map_err(CommandError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CommandError::Signal)?;
    tracing::info!(
        listen = %address,
        version = env!("CARGO_PKG_VERSION"),
        "listening on http://{address}"
    );
    let url = |listener: &Option<TcpListener>| {
        let address = listener.as_ref()?.local_addr().ok()?;
        Some(format!("http://{address}"))
    };
    telemetry::announce(&serde_json::json!({
        "listen": format!("http://{address}"),
        "ops": url(&ops).map(|url| format!("{url}/ops")),
        "metrics": url(&metrics).map(|url| format!("{url}/metrics")),
    }));
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    run(
        Listeners {
            api: listener,
            ops,
            metrics,
        },
        config,
        shutdown,
    )
    .await?;
    tracing::info!("ended");
    Ok(())
}

/// A listener for operators; none where no address is set.
async fn inner_listener(address: &str) -> Result<Option<TcpListener>, CommandError> {
    if address.is_empty() {
        return Ok(None);
    }
    let listener = TcpListener::bind(address).await;
    listener.map(Some).map_err(|source| CommandError::Listen {
        address: format!("{address} (ops.listen or metrics.listen; empty = none)"),
        source,
    })
}

/// Prints a result for other programs.
#[expect(
    clippy::print_stdout,
    reason = "the result of a command goes to standard output"
)]
fn print_json(value: &serde_json::Value) {
    println!("{value:#}");
}
