//! Everything one sandbox knows, shared by its connections, phones and the
//! admin API.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use wacore_binary::Node;

use crate::accounts::{Accounts, DeviceAddress};
use crate::certificate::CertificateChain;
use crate::channels::Channels;
use crate::conduct::Conducts;
use crate::config::Config;
use crate::error::StartError;
use crate::faults::Faults;
use crate::groups::Groups;
use crate::ledger::Ledger;
use crate::mailbox::Class;
use crate::media::Cdn;
use crate::pairing::PairingDesk;
use crate::versions::Versions;

/// The shared state. Each part has its own lock, and none is held across an
/// await.
pub(crate) struct World {
    pub(crate) config: Config,
    chain: RwLock<Arc<CertificateChain>>,
    pub(crate) accounts: Accounts,
    pub(crate) groups: Groups,
    pub(crate) channels: Channels,
    pub(crate) desk: PairingDesk,
    pub(crate) ledger: Ledger,
    pub(crate) faults: Faults,
    pub(crate) cdn: Cdn,
    pub(crate) versions: Versions,
    pub(crate) conducts: Conducts,
    next: AtomicU64,
}

impl World {
    pub(crate) fn new(config: Config) -> Result<Self, StartError> {
        Ok(Self {
            chain: RwLock::new(Arc::new(CertificateChain::generate()?)),
            accounts: Accounts::default(),
            groups: Groups::default(),
            channels: Channels::default(),
            desk: PairingDesk::default(),
            ledger: Ledger::new(config.ledger_limit),
            faults: Faults::default(),
            cdn: Cdn::new()?,
            versions: Versions::default(),
            conducts: Conducts::default(),
            next: AtomicU64::new(1),
            config,
        })
    }

    /// The certificate chain and the key that new connections are met with.
    pub(crate) fn chain(&self) -> Arc<CertificateChain> {
        Arc::clone(&self.chain.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the server's Noise key. Clients that kept the old one fall back.
    pub(crate) fn rotate_key(&self) -> Result<(), StartError> {
        let mut chain = self.chain.write().unwrap_or_else(PoisonError::into_inner);
        *chain = Arc::new(chain.rotated()?);
        Ok(())
    }

    /// A number that this sandbox never gave before.
    pub(crate) fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// An id for a stanza that the server begins.
    pub(crate) fn stanza_id(&self) -> String {
        format!("wa-{}", self.next_number())
    }

    /// Brings a stanza to one device: to a phone directly, to a companion
    /// through its mailbox. Returns false when there is no such device.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        to: &DeviceAddress,
        class: Class,
        id: &str,
        kind: &str,
        node: Node,
    ) -> bool {
        if to.device == 0 {
            crate::peer::accept(self, &to.account, node);
            return true;
        }
        let Some(device) = to.account.companion(to.device) else {
            return false;
        };
        device.mailbox.deliver(class, id, kind, &node);
        true
    }
}
