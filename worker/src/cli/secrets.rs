//! `gateway-worker secrets`: which keys are in use, and letting one go.

use std::error::Error;

use gateway_shared::config::Config;
use gateway_shared::installation;
use gateway_shared::redis::Store;
use gateway_shared::registry::Registry;
use gateway_shared::secrets::{KeyId, Keyring};

use crate::keystore::reseal::count_keys;

/// Prints how many sessions each key seals; lets `retire` go first, if nothing needs it.
pub(super) async fn print(config: &Config, retire: Option<KeyId>) -> Result<(), Box<dyn Error>> {
    let keyring = Keyring::load(&config.secrets)?;
    let store = Store::open(&config.redis).await?;
    let all = Registry::new(store.clone()).directory().await?;
    let sessions: Vec<_> = all.into_iter().map(|of| of.session).collect();
    let counts = count_keys(&store, &sessions).await?;
    let active = keyring.ids().next();
    if let Some(id) = retire {
        if active == Some(&id) {
            return Err(format!("{id} is the active key; make another one active first").into());
        }
        if let Some(count) = counts.get(&id) {
            let problem = format!("{id} still seals the keys of {count} sessions; wait an hour");
            return Err(problem.into());
        }
        if !installation::forget_key(&store, &id).await? {
            return Err(format!("{id} was never in use here").into());
        }
    }
    for id in installation::known_keys(&store).await? {
        let mark = if active == Some(&id) { "active" } else { "" };
        let count = counts.get(&id).copied().unwrap_or(0);
        println!("{:<32} {count:>8} sessions  {mark}", id.as_str());
    }
    Ok(())
}
