//! `gateway-api secrets`: keys for secrets at rest.

use clap::Subcommand;
use gateway_shared::secrets::{KeyId, SecretKey};

use super::CommandError;

#[derive(Debug, Subcommand)]
pub(super) enum SecretsCommand {
    /// Make a key and print it as a line of `secrets.key_file` (or as `GATEWAY_SECRETS__KEYS`).
    /// It is kept nowhere: keep it apart from the copies of Redis, and for as long as those.
    Generate {
        /// Its id: 1 to 32 lower-case letters, digits, '-' or '_'. Random if not given.
        #[arg(long)]
        id: Option<KeyId>,
    },
}

/// Does it.
#[expect(
    clippy::print_stdout,
    reason = "the result of a command goes to standard output"
)]
pub(super) fn execute(command: SecretsCommand) -> Result<(), CommandError> {
    let SecretsCommand::Generate { id } = command;
    let key = match id {
        Some(id) => SecretKey::generate(id),
        None => SecretKey::random_id().and_then(SecretKey::generate),
    };
    let key = key.map_err(|error| CommandError::Usage(error.to_string()))?;
    println!("{}", key.reveal());
    Ok(())
}
