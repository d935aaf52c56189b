//! The production worker: it talks to WhatsApp, and to nothing that merely says it is.

use std::process::ExitCode;

use gateway_worker::{Flavour, cli};

fn main() -> ExitCode {
    cli::main(Flavour::Production)
}
