//! The worker in the flavour that may talk to the protocol sandbox.

use std::process::ExitCode;

use gateway_worker::{Flavour, cli};

fn main() -> ExitCode {
    cli::main(Flavour::Sandbox)
}
