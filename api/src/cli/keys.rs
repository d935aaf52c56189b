//! `gateway-api keys`: making, listing and revoking API keys.

use clap::Subcommand;
use gateway_shared::apikey::{ApiKeys, Capabilities, NewApiKey};
use gateway_shared::clock::{Clock, SystemClock};
use gateway_shared::config::Config;
use gateway_shared::domain::{ApiKeyId, OrganizationId, SessionId};
use gateway_shared::installation::Installation;
use gateway_shared::organization::{Organization, Organizations};
use gateway_shared::redis::Store;
use gateway_shared::registry::Registry;
use serde_json::json;

use super::lifetime::Lifetime;
use super::{CommandError, print_json};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key and print it: `{key, id, organization}`. It is shown this once.
    Create {
        /// The organization, by id (org_…) or by name. A name that is not known yet is created.
        #[arg(long)]
        org: String,
        /// What it allows: read, send, manage, events, with commas between them.
        #[arg(long)]
        capabilities: Capabilities,
        /// Confine it to this session; may be repeated.
        #[arg(long = "session")]
        sessions: Vec<SessionId>,
        /// When it ends by itself: a number and m, h, d or y, such as 30d.
        #[arg(long)]
        expires_in: Option<Lifetime>,
        /// A name for people.
        #[arg(long, default_value = "")]
        name: String,
    },
    /// List an organization's keys, without their secrets.
    List {
        /// The organization, by id or by name.
        #[arg(long)]
        org: String,
    },
    /// Revoke a key, at once and everywhere.
    Revoke {
        /// The key's id (key_…).
        id: ApiKeyId,
    },
}

/// Does it.
pub(super) async fn execute(config: &Config, command: KeyCommand) -> Result<(), CommandError> {
    let store = Store::open(&config.redis).await?;
    let keys = ApiKeys::new(store.clone());
    let organizations = Organizations::new(store.clone());
    let clock = SystemClock::new();
    Registry::new(store.clone()).follow_clock(&clock).await?;
    let installation = Installation::new(store, config.redis.expected());
    if let Some(foreign) = installation.look(clock.now()).await? {
        return Err(foreign.into());
    }
    match command {
        KeyCommand::Create {
            org,
            capabilities,
            sessions,
            expires_in,
            name,
        } => {
            let now = clock.now();
            let organization = match known(&organizations, &org).await? {
                Some(organization) => organization,
                None if org.starts_with("org_") => return Err(unknown(&org)),
                None => organizations.named_or_new(now, &org).await?,
            };
            let new = NewApiKey {
                organization: organization.id.clone(),
                name,
                capabilities,
                sessions: (!sessions.is_empty()).then_some(sessions),
                expires_at: expires_in.map(|Lifetime(millis)| now.saturating_add(millis)),
            };
            let (secret, key) = keys.create(now, new).await?;
            print_json(&json!({
                "key": secret.reveal(),
                "id": key.id,
                "organization": organization.id,
            }));
        }
        KeyCommand::List { org } => {
            let organization = known(&organizations, &org)
                .await?
                .ok_or_else(|| unknown(&org))?;
            let keys = keys.list(&organization.id).await?;
            print_json(&json!({"organization": organization, "data": keys}));
        }
        KeyCommand::Revoke { id } => {
            if !keys.revoke_anywhere(&id).await? {
                return Err(CommandError::Usage(format!("there is no key {id}")));
            }
            print_json(&json!({"id": id, "revoked": true}));
        }
    }
    Ok(())
}

/// The organization that is named by id or by name.
async fn known(
    organizations: &Organizations,
    named: &str,
) -> Result<Option<Organization>, CommandError> {
    Ok(match named.parse::<OrganizationId>() {
        Ok(id) => organizations.get(&id).await?,
        Err(_) => organizations.named(named).await?,
    })
}

fn unknown(named: &str) -> CommandError {
    CommandError::Usage(format!("there is no organization {named}"))
}
