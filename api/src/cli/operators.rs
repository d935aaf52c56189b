//! `gateway-api operators`: keys of those who run the installation.

use clap::Subcommand;
use gateway_shared::clock::{Clock, SystemClock};
use gateway_shared::config::Config;
use gateway_shared::operator::{Operators, Role};
use gateway_shared::redis::Store;
use gateway_shared::registry::Registry;
use serde_json::json;

use super::{CommandError, print_json};

#[derive(Debug, Subcommand)]
pub(super) enum OperatorCommand {
    /// Make a key for the operations room and print it: `{key, name, role}`. It is shown this once.
    Create {
        /// What it allows: admin, or viewer, who sees and changes nothing.
        #[arg(long)]
        role: Role,
        /// Whose it is; the audit log shows it.
        #[arg(long, default_value = "operator")]
        name: String,
    },
}

/// Does it.
pub(super) async fn execute(config: &Config, command: OperatorCommand) -> Result<(), CommandError> {
    let OperatorCommand::Create { role, name } = command;
    let store = Store::open(&config.redis).await?;
    let clock = SystemClock::new();
    Registry::new(store.clone()).follow_clock(&clock).await?;
    let key = Operators::new(store)
        .create(clock.now(), &name, role)
        .await?;
    print_json(&json!({"key": key, "name": name, "role": role}));
    Ok(())
}
