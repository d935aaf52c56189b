//! What a production worker becomes when it is built together with the sandbox: its certificate
//! check is gone. It exists so that a test can see it notice that, and refuse to run.

use std::process::ExitCode;

use gateway_worker::{Flavour, cli};

fn main() -> ExitCode {
    cli::main(Flavour::Production)
}
