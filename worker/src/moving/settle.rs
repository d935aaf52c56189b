//! From an account to a session's keys in Redis: all of it, or nothing that anybody sees.
//!
//! 1. Under a fresh session id the keys are written, under a fence of their own, in such a way that
//!    they vanish in an hour. Nobody knows that id.
//! 2. The hash of the device's keys is noted with that id. Who comes second finds the first there, so
//!    that a device moves in once, however often and by how many it is tried.
//! 3. The keys are kept, in one step.
//! 4. The session is made, in one step. From here on a worker may take it.
//!
//! Whoever is cut off before 2 leaves what vanishes. Cut off between 2 and 4 the work is done by the
//! next attempt, from step 3.

use gateway_shared::clock::Millis;
use gateway_shared::domain::{OrganizationId, SessionId};
use gateway_shared::lane::SessionRef;
use gateway_shared::redis::Store;
use gateway_shared::secrets::Keyring;
use gateway_shared::session::{MovedIn, MovedSession, Sessions};
use tokio_util::sync::CancellationToken;
use wacore::store::traits::{
    AppSyncStore, DeviceStore, MsgSecretStore, ProtocolStore, SignalStore,
};

use super::{ImportedAccount, MovingError};
use crate::keystore::{Kept, KeystoreError, RedisKeystore};

/// The epoch under which keys are moved in; the session's first owner has the next.
const EPOCH: i64 = 1;
/// How long what was cut off stays, in seconds. Longer than any account takes to write.
const VANISHES: u32 = 3_600;

/// Where an account is to go.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Whose session it becomes.
    pub organization: OrganizationId,
    /// A name for people.
    pub label: String,
    /// Whether it runs at once.
    pub start: bool,
}

/// What became of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It is this new session.
    Moved(SessionRef),
    /// It is here already, as this session; nothing was changed.
    Here(SessionRef),
}

/// Where accounts move in.
#[derive(Debug, Clone)]
pub struct Settler {
    store: Store,
    keyring: Keyring,
    sessions: Sessions,
}

impl Settler {
    /// What moves accounts into `store`.
    #[must_use]
    pub fn new(store: Store, keyring: Keyring, sessions: Sessions) -> Self {
        Self {
            store,
            keyring,
            sessions,
        }
    }

    /// The session that this device is already, if it is.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn find(&self, account: &ImportedAccount) -> Result<Option<SessionRef>, MovingError> {
        let fingerprint = account.fingerprint();
        let Some(of) = self.sessions.moved_in(&fingerprint).await? else {
            return Ok(None);
        };
        let there = self.sessions.record(&of).await?.is_some();
        Ok(there.then_some(of))
    }

    /// Makes a session of an account.
    ///
    /// # Errors
    /// When Redis does not answer. What is half done then is not seen by anybody, and trying again
    /// is safe.
    pub async fn settle(
        &self,
        now: Millis,
        account: &ImportedAccount,
        to: &Destination,
    ) -> Result<Settled, MovingError> {
        let fingerprint = account.fingerprint();
        if let Some(of) = self.sessions.moved_in(&fingerprint).await? {
            if self.sessions.record(&of).await?.is_some() {
                return Ok(Settled::Here(of));
            }
            // Somebody was cut off, or the session was deleted since.
            if of.organization == to.organization && self.keep(&of).await? == Kept::Kept {
                return self.open(now, account, to, of).await;
            }
            self.sessions.forget_moved_in(&fingerprint, &of).await?;
        }
        let of = SessionRef {
            organization: to.organization.clone(),
            session: SessionId::generate(now),
        };
        let keystore = self.keystore(&of).await?.provisional(VANISHES);
        write(&keystore, account).await?;
        match self.sessions.note_moved_in(&fingerprint, &of).await? {
            winner if winner == of => {}
            winner => {
                keystore.forget().await?;
                return Ok(Settled::Here(winner));
            }
        }
        if keystore.keep().await? == Kept::Gone {
            self.sessions.forget_moved_in(&fingerprint, &of).await?;
            return Err(MovingError::file(
                "Redis",
                "took longer than an hour for one account; nothing was moved",
            ));
        }
        self.open(now, account, to, of).await
    }

    /// Keeps what somebody wrote who was cut off. A later epoch in the fence means that the session
    /// had an owner, and is gone with its keys.
    async fn keep(&self, of: &SessionRef) -> Result<Kept, MovingError> {
        match self.keystore(of).await {
            Ok(keystore) => Ok(keystore.keep().await?),
            Err(MovingError::Keystore(KeystoreError::Stale { .. })) => Ok(Kept::Gone),
            Err(error) => Err(error),
        }
    }

    async fn keystore(&self, of: &SessionRef) -> Result<RedisKeystore, MovingError> {
        let session = of.session.clone();
        let lost = CancellationToken::new();
        let claim = RedisKeystore::claim(self.store.clone(), &self.keyring, session, EPOCH, lost);
        Ok(claim.await?)
    }

    async fn open(
        &self,
        now: Millis,
        account: &ImportedAccount,
        to: &Destination,
        of: SessionRef,
    ) -> Result<Settled, MovingError> {
        let device = &account.device;
        let moved = MovedSession {
            label: to.label.clone(),
            start: to.start,
            account: account.number().to_owned(),
            wa_jid: device.pn.as_ref().map(|jid| jid.to_non_ad_string()),
            wa_lid: device.lid.as_ref().map(|jid| jid.to_non_ad_string()),
            epoch: EPOCH.unsigned_abs(),
        };
        Ok(match self.sessions.move_in(now, &of, &moved).await? {
            MovedIn::Created => Settled::Moved(of),
            MovedIn::Exists => Settled::Here(of),
        })
    }
}

/// Writes all of an account, the device last: without it nothing is kept.
async fn write(keystore: &RedisKeystore, account: &ImportedAccount) -> Result<(), MovingError> {
    for (id, record) in &account.signed_pre_keys {
        keystore.store_signed_prekey(*id, record).await?;
    }
    for uploaded in [true, false] {
        let keys: Vec<_> = account
            .pre_keys
            .iter()
            .filter(|key| key.uploaded == uploaded)
            .map(|key| (key.id, key.record.clone()))
            .collect();
        keystore.store_prekeys_batch(&keys, uploaded).await?;
    }
    keystore.put_sessions_batch(&account.sessions).await?;
    keystore.put_identities_batch(&account.identities).await?;
    keystore.put_sender_keys_batch(&account.sender_keys).await?;
    for (group, devices) in &account.sender_key_devices {
        let rows: Vec<(&str, bool)> = devices
            .iter()
            .map(|(device, has)| (device.as_str(), *has))
            .collect();
        keystore.set_sender_key_status(group, &rows).await?;
    }
    for (id, key) in &account.sync_keys {
        keystore.set_sync_key(id, key.clone()).await?;
    }
    for collection in &account.collections {
        let (name, state) = (&collection.name, collection.state.clone());
        let version = state.version;
        keystore.set_version(name, state).await?;
        keystore
            .put_mutation_macs(name, version, &collection.macs)
            .await?;
    }
    keystore.put_lid_mappings(&account.lids).await?;
    keystore
        .update_device_lists(account.devices.clone())
        .await?;
    for (user, entry) in &account.tc_tokens {
        keystore.put_tc_token(user, entry).await?;
    }
    keystore.put_msg_secrets(account.secrets.clone()).await?;
    keystore.save(&account.device).await?;
    Ok(())
}
