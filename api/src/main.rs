//! `gateway-api`: the HTTP side of WhatsApp Gateway.

use std::process::ExitCode;

use clap::Parser;
use gateway_api::cli::{Arguments, execute};

#[tokio::main]
async fn main() -> ExitCode {
    match execute(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "there may be no log yet")]
fn complain(error: &gateway_api::cli::CommandError) {
    eprintln!("gateway-api: {error}");
}
