//! Accounts: a phone number, its LID, its phone and its linked companions.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rand::RngExt as _;
use sha2::{Digest as _, Sha256};
use wacore_binary::{Jid, Server};

use crate::adv;
use crate::app_state::AppState;
use crate::clock;
use crate::devices::Device;
use crate::error::PairingError;
use crate::login::Refusal;
use crate::peer::Phone;
use crate::presence::Presence;
use crate::privacy::Privacy;
use crate::profile::Profile;

/// All accounts, found by phone number and by LID.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    directory: RwLock<Directory>,
}

#[derive(Debug, Default)]
struct Directory {
    by_phone: BTreeMap<Arc<str>, Arc<Account>>,
    by_lid: HashMap<Arc<str>, Arc<Account>>,
}

/// One account of the sandbox.
#[derive(Debug)]
pub(crate) struct Account {
    phone_number: Arc<str>,
    lid: Arc<str>,
    name: RwLock<Arc<str>>,
    /// The primary device. It lives in this process.
    pub(crate) phone: Phone,
    /// What its devices share.
    pub(crate) app_state: AppState,
    /// Whether it is online.
    pub(crate) presence: Presence,
    /// What it shows of itself.
    pub(crate) profile: Profile,
    /// Whom it lets in.
    pub(crate) privacy: Privacy,
    roster: RwLock<Roster>,
    /// The accounts that asked for this one's device list, and so must be told
    /// when it changes.
    watchers: Mutex<HashSet<Arc<str>>>,
    lid_addressing: AtomicBool,
    /// What the next logins are refused with, and how many of them.
    refusal: Mutex<Option<(Refusal, u64)>>,
    /// The code for who would add it to a group; 0 when anybody may.
    group_adds: AtomicU16,
}

#[derive(Debug)]
struct Roster {
    companions: BTreeMap<u16, Arc<Device>>,
    next: u16,
    key_index_list: Arc<[u8]>,
    changed_at: u64,
}

/// One device of one account. Device 0 is the phone.
#[derive(Debug, Clone)]
pub(crate) struct DeviceAddress {
    pub(crate) account: Arc<Account>,
    pub(crate) device: u16,
}

impl DeviceAddress {
    /// The JID of the device in the namespace of phone numbers or of LIDs.
    pub(crate) fn jid(&self, namespace: Server) -> Jid {
        self.account.jid(namespace).with_device(self.device)
    }

    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.device == other.device && Arc::ptr_eq(&self.account, &other.account)
    }
}

/// The other namespace: phone numbers for LIDs, and the reverse.
pub(crate) fn opposite(namespace: Server) -> Server {
    if namespace == Server::Lid {
        Server::Pn
    } else {
        Server::Lid
    }
}

impl Accounts {
    /// The account with this phone number, made with `name` if there is none.
    /// An existing one is renamed when `name` is given.
    pub(crate) fn open(
        &self,
        phone_number: &str,
        name: Option<&str>,
    ) -> Result<Arc<Account>, PairingError> {
        let digits = phone_number.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !(7..=15).contains(&phone_number.len()) || phone_number.starts_with('0') {
            return Err(PairingError::BadPhone);
        }
        let mut directory = self.write();
        if let Some(account) = directory.by_phone.get(phone_number) {
            if let Some(name) = name {
                account.rename(name);
            }
            return Ok(Arc::clone(account));
        }
        let lid = (0..)
            .map(|attempt| lid_of(phone_number, attempt))
            .find(|lid| !directory.by_lid.contains_key(lid.as_str()))
            .ok_or(PairingError::BadPhone)?;
        let account = Arc::new(Account::new(
            phone_number,
            &lid,
            name.unwrap_or(phone_number),
        )?);
        directory
            .by_phone
            .insert(Arc::clone(&account.phone_number), Arc::clone(&account));
        directory
            .by_lid
            .insert(Arc::clone(&account.lid), Arc::clone(&account));
        Ok(account)
    }

    /// A phone number that no account has.
    pub(crate) fn free_number(&self) -> String {
        let directory = self.read();
        let mut rng = rand::rng();
        loop {
            let number = format!("1555{:07}", rng.random_range(0..10_000_000));
            if !directory.by_phone.contains_key(number.as_str()) {
                return number;
            }
        }
    }

    /// The account with this phone number.
    pub(crate) fn by_phone(&self, phone_number: &str) -> Option<Arc<Account>> {
        self.read().by_phone.get(phone_number).cloned()
    }

    /// The account that a user JID names, whichever its namespace and device.
    pub(crate) fn resolve(&self, jid: &Jid) -> Option<Arc<Account>> {
        let directory = self.read();
        match jid.server {
            Server::Pn | Server::Legacy => directory.by_phone.get(jid.user.as_str()).cloned(),
            Server::Lid => directory.by_lid.get(jid.user.as_str()).cloned(),
            _ => None,
        }
    }

    /// The device that a JID names, if its account exists.
    pub(crate) fn device(&self, jid: &Jid) -> Option<DeviceAddress> {
        self.resolve(jid).map(|account| DeviceAddress {
            account,
            device: jid.device,
        })
    }

    /// All accounts, ordered by phone number.
    pub(crate) fn all(&self) -> Vec<Arc<Account>> {
        self.read().by_phone.values().cloned().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Directory> {
        self.directory
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn new(phone_number: &str, lid: &str, name: &str) -> Result<Self, PairingError> {
        let phone = Phone::generate()?;
        let changed_at = clock::now_secs();
        let key_index_list = adv::key_index_list(phone.identity(), changed_at, &[])?;
        Ok(Self {
            phone_number: phone_number.into(),
            lid: lid.into(),
            name: RwLock::new(name.into()),
            phone,
            app_state: AppState::default(),
            presence: Presence::default(),
            profile: Profile::default(),
            privacy: Privacy::default(),
            roster: RwLock::new(Roster {
                companions: BTreeMap::new(),
                next: 1,
                key_index_list: key_index_list.into(),
                changed_at,
            }),
            watchers: Mutex::default(),
            lid_addressing: AtomicBool::new(false),
            refusal: Mutex::default(),
            group_adds: AtomicU16::new(0),
        })
    }

    pub(crate) fn phone_number(&self) -> &Arc<str> {
        &self.phone_number
    }

    /// The JID of the account in the namespace of phone numbers or of LIDs.
    pub(crate) fn jid(&self, namespace: Server) -> Jid {
        if namespace == Server::Lid {
            Jid::lid(&*self.lid)
        } else {
            Jid::pn(&*self.phone_number)
        }
    }

    /// The name that its messages carry.
    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn rename(&self, name: &str) {
        *self.name.write().unwrap_or_else(PoisonError::into_inner) = name.into();
    }

    /// The namespace in which others write to this account.
    pub(crate) fn namespace(&self) -> Server {
        if self.lid_addressing.load(Ordering::Relaxed) {
            Server::Lid
        } else {
            Server::Pn
        }
    }

    /// Says whether the account's chats are LID-addressed.
    pub(crate) fn set_lid_addressing(&self, lid: bool) {
        self.lid_addressing.store(lid, Ordering::Relaxed);
    }

    /// Refuses the next `count` logins of companions.
    pub(crate) fn refuse(&self, refusal: Refusal, count: u64) {
        let planned = (count > 0).then_some((refusal, count));
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = planned;
    }

    /// Whether this login is refused.
    pub(crate) fn refuses(&self) -> Option<Refusal> {
        let mut planned = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let (refusal, count) = planned.take()?;
        if count > 1 {
            *planned = Some((refusal.clone(), count - 1));
        }
        Some(refusal)
    }

    /// Says what those are told who would add it to a group; 0 lets anybody.
    pub(crate) fn refuse_groups(&self, code: u16) {
        self.group_adds.store(code, Ordering::Relaxed);
    }

    /// What those are told who would add it to a group, if they may not.
    pub(crate) fn refuses_groups(&self) -> Option<u16> {
        let code = self.group_adds.load(Ordering::Relaxed);
        (code != 0).then_some(code)
    }

    /// The number that the next companion will have. Numbers are never reused.
    pub(crate) fn reserve_device(&self) -> u16 {
        let mut roster = self.roster_mut();
        let device = roster.next;
        roster.next += 1;
        device
    }

    /// Adds a companion.
    pub(crate) fn link(&self, device: Arc<Device>) -> Result<(), PairingError> {
        let mut roster = self.roster_mut();
        roster.companions.insert(device.id, device);
        roster.refresh(&self.phone)
    }

    /// Removes a companion and returns it.
    pub(crate) fn unlink(&self, device: u16) -> Result<Option<Arc<Device>>, PairingError> {
        let mut roster = self.roster_mut();
        let removed = roster.companions.remove(&device);
        roster.refresh(&self.phone)?;
        Ok(removed)
    }

    /// The companion with this number.
    pub(crate) fn companion(&self, device: u16) -> Option<Arc<Device>> {
        self.roster().companions.get(&device).cloned()
    }

    /// All companions, ordered by number.
    pub(crate) fn companions(&self) -> Vec<Arc<Device>> {
        self.roster().companions.values().cloned().collect()
    }

    /// All devices: the phone and the companions.
    pub(crate) fn devices(self: &Arc<Self>) -> Vec<DeviceAddress> {
        let roster = self.roster();
        std::iter::once(0)
            .chain(roster.companions.keys().copied())
            .map(|device| DeviceAddress {
                account: Arc::clone(self),
                device,
            })
            .collect()
    }

    /// Whether the account has this device.
    pub(crate) fn has_device(&self, device: u16) -> bool {
        device == 0 || self.roster().companions.contains_key(&device)
    }

    /// The signed list of valid companions, and when it was signed (seconds).
    pub(crate) fn key_index_list(&self) -> (Arc<[u8]>, u64) {
        let roster = self.roster();
        (Arc::clone(&roster.key_index_list), roster.changed_at)
    }

    /// Remembers that `watcher` knows this account's device list.
    pub(crate) fn watched_by(&self, watcher: &Account) {
        self.watchers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(Arc::clone(&watcher.phone_number));
    }

    /// The phone numbers of the accounts that know this one's device list.
    pub(crate) fn watchers(&self) -> Vec<Arc<str>> {
        let watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.iter().cloned().collect()
    }

    fn roster(&self) -> RwLockReadGuard<'_, Roster> {
        self.roster.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn roster_mut(&self) -> RwLockWriteGuard<'_, Roster> {
        self.roster.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Roster {
    fn refresh(&mut self, phone: &Phone) -> Result<(), PairingError> {
        // Clients ignore a list that is not newer than the one they have.
        self.changed_at = clock::now_secs().max(self.changed_at + 1);
        let indexes: Vec<u32> = self
            .companions
            .values()
            .map(|device| device.key_index)
            .collect();
        self.key_index_list =
            adv::key_index_list(phone.identity(), self.changed_at, &indexes)?.into();
        Ok(())
    }
}

/// A LID for a phone number: fifteen digits that do not show the number and are
/// the same in every run.
fn lid_of(phone_number: &str, attempt: u32) -> String {
    let hash = Sha256::new()
        .chain_update(phone_number)
        .chain_update(attempt.to_be_bytes());
    let hash = hash.finalize();
    let mut number = [0; 8];
    number.copy_from_slice(&hash[..8]);
    let digits = u64::from_be_bytes(number) % 900_000_000_000_000 + 100_000_000_000_000;
    digits.to_string()
}
