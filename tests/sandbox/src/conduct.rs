//! What a test makes of single accounts: whom nobody can encrypt for, who is locked, and what the
//! server saw of their presence.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::clock;

/// Most that is remembered of one account's presence.
const MOST_SHOWN: usize = 1_000;

/// A lock on writing to strangers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timelock {
    /// When it ends, in seconds since the epoch.
    pub(crate) ends: u64,
    /// What WhatsApp calls it.
    pub(crate) enforcement: String,
}

/// That a companion showed its account as online, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Shown {
    pub(crate) device: u16,
    pub(crate) available: bool,
    /// The name it gave.
    pub(crate) name: String,
    /// Milliseconds since the epoch.
    pub(crate) time: u64,
}

/// One account.
#[derive(Debug, Default)]
struct Conduct {
    keyless: bool,
    wants_passkey: bool,
    /// The code that its phone shows while it is linked with a passkey.
    passkey_code: Option<String>,
    timelock: Option<Timelock>,
    shown: Vec<Shown>,
}

/// All accounts, by phone number.
#[derive(Debug, Default)]
pub(crate) struct Conducts(Mutex<HashMap<String, Conduct>>);

impl Conducts {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Conduct>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server gives nobody the pre-keys of an account.
    pub(crate) fn is_keyless(&self, phone: &str) -> bool {
        self.lock()
            .get(phone)
            .is_some_and(|conduct| conduct.keyless)
    }

    pub(crate) fn set_keyless(&self, phone: &str, keyless: bool) {
        self.lock().entry(phone.to_owned()).or_default().keyless = keyless;
    }

    /// Whether a companion is linked only with a passkey.
    pub(crate) fn wants_passkey(&self, phone: &str) -> bool {
        let all = self.lock();
        all.get(phone).is_some_and(|conduct| conduct.wants_passkey)
    }

    pub(crate) fn set_wants_passkey(&self, phone: &str, wants: bool) {
        let mut all = self.lock();
        all.entry(phone.to_owned()).or_default().wants_passkey = wants;
    }

    /// The code that the phone shows, to be compared with the companion's.
    pub(crate) fn passkey_code(&self, phone: &str) -> Option<String> {
        self.lock().get(phone)?.passkey_code.clone()
    }

    pub(crate) fn set_passkey_code(&self, phone: &str, code: &str) {
        let mut all = self.lock();
        all.entry(phone.to_owned()).or_default().passkey_code = Some(code.to_owned());
    }

    /// The lock on an account, if it has not ended.
    pub(crate) fn timelock(&self, phone: &str) -> Option<Timelock> {
        let all = self.lock();
        let timelock = all.get(phone)?.timelock.clone();
        timelock.filter(|timelock| timelock.ends > clock::now_secs())
    }

    pub(crate) fn set_timelock(&self, phone: &str, timelock: Option<Timelock>) {
        self.lock().entry(phone.to_owned()).or_default().timelock = timelock;
    }

    /// A companion showed its account as online, or not.
    pub(crate) fn shows(&self, phone: &str, device: u16, available: bool, name: &str) {
        let mut all = self.lock();
        let shown = &mut all.entry(phone.to_owned()).or_default().shown;
        if shown.len() == MOST_SHOWN {
            shown.remove(0);
        }
        shown.push(Shown {
            device,
            available,
            name: name.to_owned(),
            time: clock::now_millis(),
        });
    }

    /// What was shown, in order.
    pub(crate) fn shown(&self, phone: &str) -> Vec<Shown> {
        let all = self.lock();
        all.get(phone)
            .map(|conduct| conduct.shown.clone())
            .unwrap_or_default()
    }
}
