//! Logs: human on a terminal, one JSON object a line otherwise; to standard error.
//!
//! A line about a send carries `request_id`, `organization`, `session` and `outbox_id`. No line
//! ever carries a message body, a token, or a phone number.

pub mod metrics;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use crate::config::{LogConfig, LogFormat};

/// Logs can not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not understood.
    #[error("log.filter is not understood: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Another part of this process has set up logs already.
    #[error("logs are set up already: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up the logs of this process.
///
/// # Errors
/// When the filter is not understood, or logs were set up before.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let json = match config.format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        let lines = fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(std::io::stderr);
        registry.with(lines).try_init()?;
    } else {
        let lines = fmt::layer()
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr);
        registry.with(lines).try_init()?;
    }
    Ok(())
}

/// Tells whoever started this process what it has to know of it, such as the port that was taken:
/// one line of JSON on standard output, which nothing else of a service writes to.
pub fn announce(facts: &serde_json::Value) {
    use std::io::Write;
    // Nobody has to listen.
    let _ = writeln!(std::io::stdout().lock(), "{facts}");
}
