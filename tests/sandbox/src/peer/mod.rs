//! The people of the sandbox.
//!
//! Every account has a phone, and every phone is a real Signal endpoint: it
//! decrypts what it gets, shows it, confirms it, and can read, answer and write.
//! A *peer* is an account that has no other device.
//!
//! What arrives at a phone waits in a queue of its own and is handled in order,
//! off the sender's path.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::RngExt as _;
use rand::rngs::StdRng;
use wacore_binary::Node;
use wacore_libsignal::protocol::KeyPair;

use crate::accounts::Account;
use crate::error::{PairingError, PhoneError};
use crate::prekeys::Bundle;
use crate::world::World;

mod app_state;
mod chat;
mod content;
mod display;
mod history;
mod inbox;
mod kinds;
mod media;
mod messages;
mod payload;
mod retry;
mod send;
mod sender_keys;
mod signal;
mod status;
mod vote;
mod wanted;

pub(crate) use app_state::{share_app_state_key, write_push_name};
pub(crate) use chat::Chat;
pub(crate) use history::send_history;
pub(crate) use inbox::read;
pub(crate) use media::{FileError, MediaKey};
pub(crate) use messages::{Direction, Shown};
pub(crate) use send::{message_id, send};
pub(crate) use status::post_status;
pub(crate) use wanted::draft;

use messages::Messages;
use send::Outbox;
use sender_keys::SenderKeys;
use signal::Signal;

/// The primary device of an account.
pub(crate) struct Phone {
    identity: KeyPair,
    signal: Mutex<Signal>,
    sender_keys: Mutex<SenderKeys>,
    arrivals: Mutex<Arrivals>,
    messages: Mutex<Messages>,
    outbox: Mutex<Outbox>,
    /// Who typed, paused or recorded, and when (ms).
    typing: Mutex<VecDeque<Typing>>,
    app_state_key: [u8; 32],
    /// After how many seconds the messages of a chat with one person disappear.
    timers: Mutex<HashMap<Arc<str>, u32>>,
    /// Its files were deleted.
    forgot_files: AtomicBool,
}

/// How many of such a phone remembers.
const MOST_TYPING: usize = 100;

/// Somebody typed, paused or recorded.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Typing {
    from: String,
    state: String,
    time: u64,
}

/// What has arrived and was not handled yet.
#[derive(Debug, Default)]
struct Arrivals {
    queue: VecDeque<Node>,
    /// Somebody is handling the queue.
    busy: bool,
    /// The phone is switched off: what arrives waits.
    asleep: bool,
}

impl fmt::Debug for Phone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The keys are nobody's business.
        formatter.debug_struct("Phone").finish_non_exhaustive()
    }
}

impl Phone {
    /// A new phone with keys of its own.
    pub(crate) fn generate() -> Result<Self, PairingError> {
        let mut rng = rand::make_rng::<StdRng>();
        let identity = KeyPair::generate(&mut rng);
        let signal = Signal::new(&identity, rng.random_range(1..16_380))?;
        Ok(Self {
            identity,
            signal: Mutex::new(signal),
            sender_keys: Mutex::default(),
            arrivals: Mutex::default(),
            messages: Mutex::default(),
            outbox: Mutex::default(),
            typing: Mutex::default(),
            app_state_key: rng.random(),
            timers: Mutex::default(),
            forgot_files: AtomicBool::new(false),
        })
    }

    /// The Signal identity, with which the phone also vouches for companions.
    pub(crate) fn identity(&self) -> &KeyPair {
        &self.identity
    }

    /// Keys for somebody who begins a session with the phone.
    pub(crate) fn bundle(&self) -> Option<Bundle> {
        match self.signal().bundle() {
            Ok(bundle) => Some(bundle),
            Err(error) => {
                tracing::error!(%error, "a phone could not make a key bundle");
                None
            }
        }
    }

    /// What the phone has shown and sent after the entry `after`, as far as it
    /// passes, in order.
    pub(crate) fn messages(
        &self,
        after: u64,
        limit: usize,
        pass: impl Fn(&Shown) -> bool,
    ) -> Vec<Shown> {
        self.shown().list(after, limit, pass)
    }

    /// Somebody types, pauses or records.
    pub(crate) fn sees_typing(&self, from: &str, state: &str) {
        let mut typing = self.typing.lock().unwrap_or_else(PoisonError::into_inner);
        if typing.len() == MOST_TYPING {
            typing.pop_front();
        }
        typing.push_back(Typing {
            from: from.to_owned(),
            state: state.to_owned(),
            time: crate::clock::now_millis(),
        });
    }

    /// Who typed, paused or recorded, in order.
    pub(crate) fn typing(&self) -> Vec<Typing> {
        let typing = self.typing.lock().unwrap_or_else(PoisonError::into_inner);
        typing.iter().cloned().collect()
    }

    /// Somebody set the timer of a chat with one person.
    fn set_timer(&self, chat: &Arc<str>, seconds: u32) {
        let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        timers.insert(Arc::clone(chat), seconds);
    }

    /// After how many seconds the messages of a chat with one person disappear; 0: they stay.
    fn timer(&self, chat: &str) -> u32 {
        let timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        timers.get(chat).copied().unwrap_or_default()
    }

    /// How many messages the phone could not decrypt.
    pub(crate) fn undecryptable(&self) -> u64 {
        self.shown().undecryptable()
    }

    /// Deletes its files: it can upload none of them again.
    pub(crate) fn forget_files(&self) {
        self.forgot_files.store(true, Ordering::Relaxed);
    }

    fn has_forgotten_files(&self) -> bool {
        self.forgot_files.load(Ordering::Relaxed)
    }

    /// Whether it is switched off.
    pub(crate) fn is_asleep(&self) -> bool {
        self.arrivals().asleep
    }

    fn signal(&self) -> MutexGuard<'_, Signal> {
        self.signal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sender_keys(&self) -> MutexGuard<'_, SenderKeys> {
        self.sender_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn shown(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a stanza into the queue of an account's phone.
pub(crate) fn accept(world: &Arc<World>, account: &Arc<Account>, node: Node) {
    let mut arrivals = account.phone.arrivals();
    arrivals.queue.push_back(node);
    wake(world, account, &mut arrivals);
}

/// Switches a phone off or on. While it is off, nothing is decrypted or
/// confirmed; it all happens when it is switched on.
pub(crate) fn set_asleep(world: &Arc<World>, account: &Arc<Account>, asleep: bool) {
    let mut arrivals = account.phone.arrivals();
    arrivals.asleep = asleep;
    wake(world, account, &mut arrivals);
}

fn wake(world: &Arc<World>, account: &Arc<Account>, arrivals: &mut Arrivals) {
    if arrivals.busy || arrivals.asleep || arrivals.queue.is_empty() {
        return;
    }
    arrivals.busy = true;
    let (world, account) = (Arc::clone(world), Arc::clone(account));
    tokio::spawn(async move {
        while let Some(node) = next(&account) {
            inbox::handle(&world, &account, &node);
            tokio::task::consume_budget().await;
        }
    });
}

fn next(account: &Account) -> Option<Node> {
    let mut arrivals = account.phone.arrivals();
    if arrivals.asleep {
        arrivals.busy = false;
        return None;
    }
    let node = arrivals.queue.pop_front();
    arrivals.busy = node.is_some();
    node
}

/// Runs a Signal operation on stores that answer at once.
fn at_once<T, E: Into<PhoneError>>(
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, PhoneError> {
    use futures_util::FutureExt as _;
    future
        .now_or_never()
        .ok_or(PhoneError::Pending)?
        .map_err(Into::into)
}
