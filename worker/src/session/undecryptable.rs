//! Messages that could not be decrypted.
//!
//! The library asks the sender for them again, and most come within seconds; the event
//! `message.undecryptable` tells of them at once. Where one does not come, the encryption with the device
//! that wrote it begins anew: a session that rots stays so by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::presence::LinkPlace;
use super::{Owner, Runtime};
use crate::link::Undecrypted;
use crate::link::inbound::identity;

/// The least time between two renewals of the encryption with one device.
const RENEWAL_PAUSE: Duration = Duration::from_secs(3_600);
/// Most devices of which a renewal is remembered.
const REMEMBERED: usize = 1_000;
/// Most messages that are waited for at a time; those beyond are taken for lost at once.
const WAITING: usize = 1_000;

/// Those of one session.
#[derive(Debug)]
pub(super) struct Undecryptable {
    runtime: Arc<Runtime>,
    owner: Owner,
    place: Arc<LinkPlace>,
    renewed: Mutex<HashMap<String, Instant>>,
    waiting: Arc<tokio::sync::Semaphore>,
}

impl Undecryptable {
    pub(super) fn new(runtime: &Arc<Runtime>, owner: &Owner, place: &Arc<LinkPlace>) -> Arc<Self> {
        Arc::new(Self {
            runtime: Arc::clone(runtime),
            owner: owner.clone(),
            place: Arc::clone(place),
            renewed: Mutex::default(),
            waiting: Arc::new(tokio::sync::Semaphore::new(WAITING)),
        })
    }

    /// A message could not be decrypted: waits for its repetition, beside everything else.
    pub(super) fn follow(self: &Arc<Self>, message: Undecrypted) {
        let this = Arc::clone(self);
        let patience = Duration::from_millis(this.runtime.config.whatsapp.undecryptable_ms);
        let place = Arc::clone(&this.waiting).try_acquire_owned();
        tokio::spawn(async move {
            // What the phone keeps to itself (a view-once message) is not repeated.
            if let (Ok(_place), None) = (place, message.withheld) {
                sleep(patience).await;
            }
            this.settle(&message).await;
        });
    }

    async fn settle(&self, message: &Undecrypted) {
        let identity = identity(&message.chat, &message.sender, &message.id);
        let settled = self.runtime.sessions.is_settled(&self.owner.of, &identity);
        if settled.await.unwrap_or(false) {
            return;
        }
        if message.withheld.is_none() && self.may_renew(&message.device) {
            self.renew(&message.device).await;
        }
    }

    /// Whether the encryption with a device may begin anew; counts it.
    fn may_renew(&self, device: &str) -> bool {
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.retain(|_, since| since.elapsed() < RENEWAL_PAUSE);
        if renewed.contains_key(device) || renewed.len() >= REMEMBERED {
            return false;
        }
        renewed.insert(device.to_owned(), Instant::now());
        true
    }

    async fn renew(&self, device: &str) {
        let Some(link) = self.place.link() else {
            return;
        };
        match link.renew(device).await {
            Ok(_) => tracing::info!(session = %self.owner.of.session,
                "the encryption with a device begins anew: a message of it was never decrypted"),
            Err(error) => tracing::warn!(session = %self.owner.of.session, %error,
                "the encryption with a device stays broken"),
        }
    }
}
